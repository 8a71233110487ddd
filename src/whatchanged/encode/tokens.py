"""Token activations of encoded answers, read back from their shards when evidence is wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Features, TokenActivations
from whatchanged.encode.registry import load_sae
from whatchanged.encode.shards import GROUP, Document, documents, read_groups
from whatchanged.errors import SAEError
from whatchanged.models.embedded import EMBEDDED, reader_path

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ShardTokens"]

KEPT_BYTES = 256 * 2**20
"""Memory for groups of encoded answers as they lie on disk; one group is kept however large."""


class ShardTokens:
    """Reads answers one by one; needs the reader's tokenizer, but neither its weights nor the GPU.

    Args:
        features: The encoded answers.
        keep: Documents kept in memory.
    """

    def __init__(self, features: Features, *, keep: int = 512) -> None:
        self.features = features
        self._tokenizer: Any = None
        self._decoder: Any = None
        self._document = lru_cache(maxsize=keep)(self._read)
        self._groups: OrderedDict[tuple[Path, int], pa.Table] = OrderedDict()

    def _read(self, answer_index: int) -> TokenActivations:
        features = self.features
        path = features.shards[int(features.shard[answer_index])]
        group, place = divmod(int(features.shard_row[answer_index]), GROUP)
        [document] = documents(self._group(path, group).slice(place, 1))
        return self._table(document, features.responses.answers[answer_index].text)

    def _group(self, path: Path, group: int) -> pa.Table:
        """A group of a shard. Its answers are asked for in any order, and reading it takes most of the time."""
        key = path, group
        if key not in self._groups:
            self._groups[key] = read_groups(path, [group])
        self._groups.move_to_end(key)
        while len(self._groups) > 1 and sum(t.nbytes for t in self._groups.values()) > KEPT_BYTES:
            self._groups.popitem(last=False)
        return self._groups[key]

    def _table(self, document: Document, text: str) -> TokenActivations:
        masked = np.zeros(len(document.token_ids), dtype=np.bool_)
        masked[document.masked] = True
        return TokenActivations(
            tokens=self._texts(document.token_ids, text),
            indptr=np.concatenate([[0], np.cumsum(document.nnz)]).astype(np.int64),
            column=document.column,
            value=document.value,
            masked=masked,
        )

    def _texts(self, token_ids: NDArray[np.int32], text: str) -> tuple[str, ...]:
        """Text of each token, from the tokenizer's character offsets into the answer.

        A character that several byte-level tokens share is given to the first of them.
        """
        if self._tokenizer is None:
            self._tokenizer = _tokenizer(str(self.features.reader["name"]))
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = found["offset_mapping"][: len(token_ids)]
        assert list(found["input_ids"][: len(token_ids)]) == token_ids.tolist(), "the tokenizer has changed"
        pieces, end = [], 0
        for a, b in offsets:
            pieces.append(text[max(a, end) : b] if b > end else "")
            end = max(end, b)
        return tuple(pieces)

    def document(self, answer_index: int) -> TokenActivations:
        """Token activations of ``responses.answers[answer_index]``."""
        return self._document(answer_index)

    def decoder(self, columns: Sequence[int]) -> NDArray[np.float32] | None:
        """Unit-norm decoder rows, ``[columns, d_model]``; ``None`` if the SAE is no longer at hand."""
        if self._decoder is None:
            try:
                self._decoder = load_sae(str(self.features.sae["name"])).decoder
            except SAEError:
                return None
        rows = self._decoder[list(columns)].float()
        unit: NDArray[np.float32] = (rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)).numpy()
        return unit


@lru_cache(maxsize=2)
def _tokenizer(reader: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(reader_path()) if reader == EMBEDDED else reader)
