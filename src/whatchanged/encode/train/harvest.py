"""Residual-stream activations of a corpus, in shuffled chunks that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from whatchanged.encode.reader import Reader
from whatchanged.encode.train.corpus import Corpus

__all__ = ["MASSIVE", "Chunk", "harvest"]

MASSIVE = 5.0
"""Tokens whose residual norm exceeds this many median norms are massive activations, and masked."""

_BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Activations of a run of documents.

    Attributes:
        index: Number of the chunk, from 0.
        documents: Index of the first document after this chunk.
        activations: ``[tokens, d_model]`` on the CPU in the reader's dtype, massive tokens left out, in a
            seeded random order.
        median_norm: Median residual norm the mask was made with.
        masked: Massive tokens left out.
        passes: How often the corpus had been read through when the chunk began.
    """

    index: int
    documents: int
    activations: Any
    median_norm: float
    masked: int
    passes: int


def harvest(
    reader: Reader,
    corpus: Corpus,
    *,
    chunk_tokens: int,
    seed: int = 0,
    start_index: int = 0,
    start_document: int = 0,
    median_norm: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Chunk]:
    """Endless chunks of answer-token activations; the corpus begins again when it ends.

    Chunk ``i`` depends on the corpus, the seed and where chunk ``i - 1`` ended, so a run that
    starts again at a chunk sees what an undisturbed run sees.

    Args:
        reader: Reads the texts; the prompt is context, only answer tokens are kept.
        corpus: The texts.
        chunk_tokens: A chunk ends with the document that reaches this many answer tokens.
        seed: Order of tokens within a chunk.
        start_index: Number of the first chunk.
        start_document: Document it begins with.
        median_norm: Median residual norm, from the first chunk of the run; measured if ``None``.
        progress: Called with the answer tokens of each batch.
    """
    import torch

    index, cursor = start_index, start_document
    while True:
        documents = []
        tokens, passes = 0, cursor // len(corpus.texts)
        while tokens < chunk_tokens:
            i = cursor % len(corpus.texts)
            [document] = reader.template.tokenise([corpus.prompts[i]], [corpus.texts[i]])
            documents.append(document)
            tokens += len(document.ids) - document.start
            cursor += 1
        documents.sort(key=lambda d: -len(d.ids))
        parts = []
        while documents:
            longest = len(documents[0].ids)
            size = max(1, _BATCH_TOKENS // longest)
            batch, documents = documents[:size], documents[size:]
            ids = torch.zeros(len(batch), longest, dtype=torch.long)
            for row, document in enumerate(batch):
                ids[row, : len(document.ids)] = torch.tensor(document.ids)
            residual = reader.residuals(ids)[reader.hook.layer]
            parts += [residual[r, d.start : len(d.ids)].cpu() for r, d in enumerate(batch)]
            if progress is not None:
                progress(sum(len(d.ids) - d.start for d in batch))
        activations = torch.cat(parts)
        norms = activations.float().norm(dim=1)
        if median_norm is None:
            median_norm = float(norms.median())
        usual = norms <= MASSIVE * median_norm
        order = torch.randperm(
            int(usual.sum()), generator=torch.Generator().manual_seed(seed * 100_003 + index)
        )
        yield Chunk(
            index=index,
            documents=cursor,
            activations=activations[usual][order],
            median_norm=median_norm,
            masked=int((~usual).sum()),
            passes=passes,
        )
        index += 1
