"""Residual-stream activations of a corpus, in shuffled chunks that fit in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whatchanged.encode.check import MASSIVE
from whatchanged.encode.reader import Reader
from whatchanged.encode.template import Tokenised
from whatchanged.encode.train.corpus import Corpus

__all__ = ["Chunk", "harvest"]

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
    tokens: int,
    index: int = 0,
    document: int = 0,
    seed: int = 0,
    median_norm: float | None = None,
) -> Chunk:
    """Read documents from `document` on until enough answer tokens are found; the corpus begins again at its end.

    A chunk depends on its arguments alone, so a run that starts again at a chunk sees what an
    undisturbed run sees.

    Args:
        reader: Reads the texts; the prompt is context, only answer tokens are kept.
        corpus: The texts.
        tokens: The chunk ends with the document that reaches this many answer tokens.
        index: Number of the chunk.
        document: Document it begins with.
        seed: Order of tokens within chunks.
        median_norm: Median residual norm, from the first chunk of the run; measured if ``None``.
    """
    import torch

    documents: list[Tokenised] = []
    found, cursor = 0, document
    while found < tokens:
        i = cursor % len(corpus.texts)
        documents += reader.template.tokenise([corpus.prompts[i]], [corpus.texts[i]])
        found += len(documents[-1].ids) - documents[-1].start
        cursor += 1
    documents.sort(key=lambda d: -len(d.ids))
    parts = []
    while documents:
        longest = len(documents[0].ids)
        size = max(1, _BATCH_TOKENS // longest)
        batch, documents = documents[:size], documents[size:]
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, read in enumerate(batch):
            ids[row, : len(read.ids)] = torch.tensor(read.ids)
        residual = reader.residuals(ids)[reader.hook.layer]
        parts += [residual[r, d.start : len(d.ids)].cpu() for r, d in enumerate(batch)]
    activations = torch.cat(parts)
    norms = activations.float().norm(dim=1)
    median = float(norms.median()) if median_norm is None else median_norm
    usual = norms <= MASSIVE * median
    order = torch.randperm(int(usual.sum()), generator=torch.Generator().manual_seed(seed * 100_003 + index))
    return Chunk(
        index=index,
        documents=cursor,
        activations=activations[usual][order],
        median_norm=median,
        masked=int((~usual).sum()),
        passes=document // len(corpus.texts),
    )
