"""The verb: answers in, features out; resumable, cached, independent of order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whatchanged.artifacts import Features, Responses
from whatchanged.encode.cache import EncodingCache, document_key
from whatchanged.encode.check import MASSIVE, Health, check, measure
from whatchanged.encode.plan import Batch, shards
from whatchanged.encode.pool import Pooled, join, pool
from whatchanged.encode.reader import Reader
from whatchanged.encode.registry import load_sae, reader_name
from whatchanged.encode.sae import SparseAutoencoder
from whatchanged.encode.shards import Document, dequantise, quantise, read_rows, write_shard
from whatchanged.encode.template import Tokenised
from whatchanged.errors import StoreError
from whatchanged.store import fingerprint

__all__ = ["BATCH_TOKENS", "Encoder", "encode"]

BATCH_TOKENS = 4096


class Encoder:
    """A reader and an SAE that belong together, checked once and then used for any number of texts.

    Args:
        sae: Name of an SAE (see `load_sae`) or a loaded one.
        reader: Name of the reader; the SAE's own model if ``None``.
        dtype: ``float32`` or ``bfloat16``, for reader and SAE.
        device: Torch device; ``auto`` takes a GPU when there is one.
        limit: Longest sequence in tokens.
        include_prompt: Whether the reader sees the prompt.
        verify: Whether the load check may refuse; ``False`` only measures.

    Raises:
        MismatchError: If reader and SAE do not belong together.
        ModelError, SAEError: If one of them cannot be loaded.
    """

    def __init__(
        self,
        sae: str | SparseAutoencoder = "gemma-3-270m",
        *,
        reader: str | None = None,
        dtype: str = "float32",
        device: str = "auto",
        limit: int = 2048,
        include_prompt: bool = True,
        verify: bool = True,
    ) -> None:
        loaded = load_sae(sae) if isinstance(sae, str) else sae
        self.reader = Reader(
            reader or reader_name(loaded),
            loaded.hook,
            dtype=dtype,
            device=device,
            limit=limit,
            include_prompt=include_prompt,
        )
        import torch

        self.sae = loaded.to(self.reader.device, getattr(torch, dtype))
        self.health: Health = check(self.reader, self.sae) if verify else measure(self.reader, self.sae)
        self.identity: dict[str, Any] = {
            **self.reader.identity,
            "sae": loaded.fingerprint,
            "massive_norm": MASSIVE * self.health.median_norm,
        }
        self.fingerprint = fingerprint(self.identity)

    def documents(self, tokenised: Sequence[Tokenised], keys: Sequence[str], batch: Batch) -> list[Document]:
        """Encode one planned batch; `tokenised` and `keys` are those of the whole plan."""
        import torch

        ids = torch.zeros(len(batch.documents), batch.tokens, dtype=torch.long)
        for row, i in enumerate(batch.documents):
            ids[row, : len(tokenised[i].ids)] = torch.tensor(tokenised[i].ids)
        residual = self.reader.residuals(ids)[self.reader.hook.layer]
        spans = [(tokenised[i].start, len(tokenised[i].ids)) for i in batch.documents]
        answers = torch.cat([residual[row, a:b] for row, (a, b) in enumerate(spans)])
        massive = (answers.float().norm(dim=1) > MASSIVE * self.health.median_norm).cpu().numpy()
        sparse = self.sae.encode(answers)
        nnz, column, value = sparse.nnz.numpy(), sparse.column.numpy(), sparse.value.numpy()
        if massive.any():
            kept = ~np.repeat(massive, nnz)
            column, value, nnz = column[kept], value[kept], np.where(massive, 0, nnz)
        entries = np.concatenate([[0], np.cumsum(nnz)])
        found, token = [], 0
        for i, (a, b) in zip(batch.documents, spans, strict=True):
            end = token + b - a
            span = slice(entries[token], entries[end])
            found.append(
                Document(
                    key=keys[i],
                    token_ids=np.array(tokenised[i].ids[a:b], dtype=np.int32),
                    masked=np.flatnonzero(massive[token:end]).astype(np.int32),
                    nnz=nnz[token:end].astype(np.int32),
                    column=column[span],
                    value=dequantise(*quantise(value[span])),
                    cut=tokenised[i].cut,
                )
            )
            token = end
        return found


def encode(
    responses: Responses,
    sae: str | SparseAutoencoder = "gemma-3-270m",
    *,
    encoder: Encoder | None = None,
    cache: Path | None = None,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Features:
    """Read every answer in its prompt's context and pool its SAE features over answer tokens.

    Equal texts are read once, and a text that any earlier run encoded with the same reader, SAE,
    template and prompt is not read again. Interrupt at any moment and call again: at most one shard
    (256 answers) is repeated, and the result is the same to the bit.

    Args:
        responses: The answers.
        sae: Name of an SAE or a loaded one.
        encoder: A ready `Encoder`, to load the reader once for several calls; else `sae` and
            `options` make one.
        cache: Folder for the shards; the user's cache folder if ``None``.
        batch_tokens: Padded tokens per forward pass.
        progress: Called with tokens read and tokens to read.
        **options: As for `Encoder`.

    Raises:
        MismatchError, ModelError, SAEError: As for `Encoder`.
        StoreError: If a shard cannot be read back.
    """
    machine = encoder if encoder is not None else Encoder(sae, **options)
    prompts = [responses.prompts.by_id[a.prompt_id].text for a in responses.answers]
    texts = [a.text for a in responses.answers]
    keys = [document_key(machine.fingerprint, p, t) for p, t in zip(prompts, texts, strict=True)]
    store = EncodingCache.open(machine.fingerprint, cache, wanted=frozenset(keys))
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    todo = [i for key, i in first.items() if key not in store.places]
    tokenised = machine.reader.template.tokenise([prompts[i] for i in todo], [texts[i] for i in todo])
    names = [keys[i] for i in todo]
    lengths = [len(t.ids) for t in tokenised]
    done, total = 0, sum(lengths)
    for plan in shards(lengths, names, batch_tokens=batch_tokens, limit=machine.reader.template.limit):
        documents: list[Document] = []
        for batch in plan:
            documents += machine.documents(tokenised, names, batch)
            done += sum(lengths[i] for i in batch.documents)
            if progress is not None:
                progress(done, total)
        store.add(write_shard(store.folder, documents))
    return _features(responses, machine, store, keys, encoded=len(todo))


def _features(
    responses: Responses, machine: Encoder, store: EncodingCache, keys: Sequence[str], *, encoded: int
) -> Features:
    """Pool what the shards hold, in the order of the answers."""
    lost = [key for key in keys if key not in store.places]
    if lost:
        raise StoreError(f"{len(lost)} encodings were written but cannot be read back from {store.folder}")
    files = sorted({store.places[key][0] for key in keys})
    place = {path: i for i, path in enumerate(files)}
    rows: dict[Path, set[int]] = {path: set() for path in files}
    for key in keys:
        rows[store.places[key][0]].add(store.places[key][1])
    pooled: dict[str, tuple[Pooled, bool, int]] = {}
    for path in files:
        for document in read_rows(path, sorted(rows[path])):
            pooled[document.key] = (pool(document), document.cut, len(document.masked))
    return Features(
        responses=responses,
        occurrences=join((pooled[key][0] for key in keys), machine.sae.width),
        reader=machine.reader.identity,
        sae={
            "name": machine.sae.name,
            "architecture": machine.sae.architecture,
            "width": machine.sae.width,
            "fingerprint": machine.sae.fingerprint,
            "claims": dict(machine.sae.claims),
        },
        fingerprint=machine.fingerprint,
        cut=np.array([pooled[key][1] for key in keys], dtype=np.bool_),
        masked=np.array([pooled[key][2] for key in keys], dtype=np.int32),
        shards=tuple(files),
        shard=np.array([place[store.places[key][0]] for key in keys], dtype=np.int32),
        shard_row=np.array([store.places[key][1] for key in keys], dtype=np.int32),
        encoded=encoded,
        health=machine.health.to_dict() | {"damaged_shards": len(store.damaged)},
    )
