"""Small worlds of token-level activations, pooled the plain way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from whatchanged.artifacts import Answer, Features, Occurrences, Prompt, PromptSet, Responses

Document = np.ndarray  # [tokens, columns], activations >= 0


def pool(documents: Iterable[Document], columns: int, **options) -> Occurrences:
    """Occurrences of token-level documents, one loop per document."""
    documents = list(documents)
    fields = {name: [] for name in ("column", "maximum", "count", "total", "first", "last")}
    indptr = [0]
    for document in documents:
        for c in np.flatnonzero((document > 0).any(axis=0)):
            at = np.flatnonzero(document[:, c] > 0)
            values = (c, document[:, c].max(), len(at), document[:, c].sum(), at[0], at[-1])
            for name, value in zip(fields, values, strict=True):
                fields[name].append(value)
        indptr.append(len(fields["column"]))
    types = {"maximum": np.float32, "total": np.float32}
    return Occurrences(
        kind=options.pop("kind", "feature"),
        n_columns=columns,
        n_units=np.array([len(d) for d in documents], dtype=np.int32),
        indptr=np.array(indptr, dtype=np.int64),
        **{name: np.array(values, dtype=types.get(name, np.int32)) for name, values in fields.items()},
        **options,
    )


def features(
    documents: Mapping[tuple[str, str, int], Document],
    columns: int,
    *,
    models: tuple[str, ...] = ("old", "new"),
    prompts: Iterable[Prompt] | None = None,
) -> Features:
    """Features of documents named by prompt id, model and sample."""
    ids = list(dict.fromkeys(key[0] for key in documents))
    known = tuple(prompts) if prompts is not None else tuple(Prompt(id=i, text=f"about {i}") for i in ids)
    responses = Responses(
        prompts=PromptSet(prompts=known),
        models=models,
        answers=tuple(Answer(prompt_id=p, model=m, sample=s, text="words") for p, m, s in documents),
    )
    ordered = [documents[a.prompt_id, a.model, a.sample] for a in responses.answers]
    return wrap(responses, pool(ordered, columns))


def wrap(responses: Responses, occurrences: Occurrences) -> Features:
    """Features around a table made by hand."""
    n = len(responses.answers)
    return Features(
        responses=responses,
        occurrences=occurrences,
        reader={},
        sae={},
        fingerprint="synthetic",
        cut=np.zeros(n, dtype=np.bool_),
        masked=np.zeros(n, dtype=np.int32),
        shards=(),
        shard=np.zeros(n, dtype=np.int32),
        shard_row=np.arange(n, dtype=np.int32),
    )


def write(
    rng: np.random.Generator, columns: int, *, low: int = 40, high: int = 120, rate: float = 0.01
) -> Document:
    """A document of random length in which column c fires on a share of tokens that grows with c."""
    tokens = int(rng.integers(low, high + 1))
    fires = rng.random((tokens, columns)) < rate * (0.2 + np.arange(columns) / columns)
    return np.where(fires, rng.lognormal(0, 0.5, (tokens, columns)), 0.0).astype(np.float32)


def plant(document: Document, column: int, positions: Iterable[int], strength: float = 3.0) -> Document:
    """The document with a column made active on some tokens."""
    edited = document.copy()
    edited[list(positions), column] = strength
    return edited


def null_pair(rng, prompts: int, columns: int, *, samples: int = 1, **options):
    """Two checkpoints that write alike."""
    return {
        (f"p{i:03}", model, s): write(rng, columns, **options)
        for i in range(prompts)
        for model in ("old", "new")
        for s in range(samples)
    }
