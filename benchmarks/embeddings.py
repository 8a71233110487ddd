"""Text embeddings made on this machine, for peers that need one: no hub is asked for a model.

`ReaderEmbedder` reads each answer alone (as the peers' own embedders do) with our reader and takes the mean of
a later layer's residual stream over its tokens; `word_embedding` is TF-IDF with a singular value decomposition.
Neither ever sees which checkpoint wrote a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from whatchanged.encode.hook import HookPoint
from whatchanged.encode.plan import shards
from whatchanged.encode.reader import Reader
from whatchanged.store import fingerprint

__all__ = ["ReaderEmbedder", "standardised", "word_embedding"]

_BATCH_TOKENS = 4096
_MASSIVE = 5.0


class ReaderEmbedder:
    """Mean residual of the embedded reader over a text's tokens, kept in a file so that nothing is read twice.

    Args:
        name: The reader.
        layer: Decoder layer whose output is taken.
        dtype: ``float32`` or ``bfloat16``.
        path: ``.npz`` file of what was read so far.
    """

    def __init__(self, name: str, layer: int, *, dtype: str, path: Path) -> None:
        self.name, self.layer, self.dtype = name, layer, dtype
        self.path = path
        self._reader: Reader | None = None
        self._known: dict[str, NDArray[np.float32]] = {}
        if path.exists():
            with np.load(path) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def read(self, texts: Sequence[str], progress: Callable[[int, int], None]) -> None:
        """Read the texts not yet known; the file is written after every 256 of them."""
        todo = {k: t for k, t in ((self._key(t), t) for t in texts) if k not in self._known}
        if not todo:
            return
        reader = self._reader = self._reader or Reader(
            self.name, HookPoint(self.layer), dtype=self.dtype, include_prompt=False
        )
        keys = list(todo)
        tokenised = reader.template.tokenise([None] * len(keys), list(todo.values()))
        lengths = [len(t.ids) for t in tokenised]
        done, total = 0, sum(lengths)
        for plan in shards(lengths, keys, batch_tokens=_BATCH_TOKENS, limit=reader.template.limit):
            for batch in plan:
                self._batch(
                    reader, [tokenised[i] for i in batch.documents], [keys[i] for i in batch.documents]
                )
                done += sum(lengths[i] for i in batch.documents)
                progress(done, total)
            self._save()

    def _batch(self, reader: Reader, documents: Sequence, keys: Sequence[str]) -> None:
        import torch

        ids = torch.zeros(len(documents), max(len(d.ids) for d in documents), dtype=torch.long)
        for row, document in enumerate(documents):
            ids[row, : len(document.ids)] = torch.tensor(document.ids)
        residual = reader.residuals(ids)[self.layer].float()
        for row, (document, key) in enumerate(zip(documents, keys, strict=True)):
            tokens = residual[row, document.start : len(document.ids)]
            norm = tokens.norm(dim=1)
            # A few tokens have many times the usual norm and would be all that a mean shows.
            kept = tokens[norm <= _MASSIVE * norm.median()]
            self._known[key] = kept.mean(dim=0).cpu().numpy()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts that were read, ``[texts, d_model]``."""
        return np.stack([self._known[self._key(t)] for t in texts])

    def _key(self, text: str) -> str:
        made = fingerprint([self.name, self.layer, self.dtype])
        return hashlib.sha256(f"{made}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()

    def _save(self) -> None:
        beside = self.path.with_suffix(".part.npz")
        np.savez(beside, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        beside.replace(self.path)


def standardised(vectors: NDArray[np.float32], fitted: int) -> NDArray[np.float32]:
    """Each dimension centred and scaled over the first rows, then every vector to length 1.

    Without it the one dimension that carries half of a residual stream's variance is all an SAE learns.
    """
    first = vectors[:fitted]
    scaled = (vectors - first.mean(axis=0)) / (first.std(axis=0) + 1e-8)
    return (scaled / (np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-8)).astype(np.float32)


def word_embedding(texts: Sequence[str], fitted: int, *, seed: int) -> NDArray[np.float32]:
    """TF-IDF of words, marks and their pairs, reduced to 128 dimensions; fitted on the first texts."""
    counter = TfidfVectorizer(
        token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), min_df=2, sublinear_tf=True
    ).fit(texts[:fitted])
    weights = counter.transform(texts)
    reduced = TruncatedSVD(min(128, fitted - 1, weights.shape[1] - 1), random_state=seed).fit(
        weights[:fitted]
    )
    vectors = reduced.transform(weights)
    return (vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-8)).astype(np.float32)
