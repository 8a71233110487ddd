"""A small world with known truth: answers we write, and a dictionary whose features we define."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatchanged.artifacts import (
    DIFF_COLUMNS,
    Answer,
    Diff,
    Features,
    NoiseFloor,
    Occurrences,
    Prompt,
    PromptSet,
    Responses,
    TokenActivations,
)
from whatchanged.text import families as text_families

Fires = Callable[[list[str], int], float]
PIECE = re.compile(r" ?[^\W\d_]+| ?\d| +|\n+|[^\w\s]+|_")


def pieces(text: str) -> list[str]:
    """Tokens of the toy reader: words of more than six letters come in two pieces."""
    tokens: list[str] = []
    for piece in PIECE.findall(text):
        bare = piece.strip()
        if bare.isalpha() and len(bare) > 6:
            tokens += [piece[:-4], piece[-4:]]
        else:
            tokens.append(piece)
    return tokens


def on(*words: str, value: float = 3.0) -> Fires:
    """Fires on tokens with one of these texts, blanks left out."""
    return lambda tokens, i: value if tokens[i].strip() in words else 0.0


def within(sentence: str, *, every: int = 1, value: float = 2.0) -> Fires:
    """Fires on tokens of a sentence wherever it stands."""
    inside = pieces(" " + sentence)

    def fires(tokens: list[str], i: int) -> float:
        bare = [t.strip() for t in inside]
        for start in range(max(0, i - len(bare) + 1), i + 1):
            if [t.strip() for t in tokens[start : start + len(bare)]] == bare:
                return value if (i - start) % every == 0 else 0.0
        return 0.0

    return fires


@dataclass(frozen=True)
class ToyTokens:
    """Token activations of the toy dictionary."""

    documents: tuple[TokenActivations, ...]
    directions: NDArray[np.float32] | None = None

    def document(self, answer_index: int) -> TokenActivations:
        return self.documents[answer_index]

    def decoder(self, columns: Sequence[int]) -> NDArray[np.float32] | None:
        return None if self.directions is None else self.directions[list(columns)]


def encode(
    responses: Responses, features: Sequence[Fires], masked: Callable[[list[str], int], bool] | None = None
) -> tuple[Occurrences, ToyTokens]:
    """Run the toy dictionary over every answer."""
    documents, rows, lengths = [], [], []
    for answer in responses.answers:
        tokens = pieces(answer.text)
        table = np.array([[f(tokens, i) for f in features] for i in range(len(tokens))], dtype=np.float32)
        table = table.reshape(len(tokens), len(features))
        mask = np.array([bool(masked and masked(tokens, i)) for i in range(len(tokens))], dtype=np.bool_)
        token, column = np.nonzero(table)
        documents.append(
            TokenActivations(
                tokens=tuple(tokens),
                indptr=np.searchsorted(token, np.arange(len(tokens) + 1)).astype(np.int64),
                column=column.astype(np.int32),
                value=table[token, column],
                masked=mask,
            )
        )
        pooled = np.where(mask[:, None], 0, table)
        for c in range(len(features)):
            at = np.flatnonzero(pooled[:, c])
            if len(at):
                rows.append((len(lengths), c, pooled[:, c].max(), len(at), pooled[:, c].sum(), at[0], at[-1]))
        lengths.append(len(tokens))
    cells = np.array(rows, dtype=np.float64).reshape(-1, 7)
    indptr = np.searchsorted(cells[:, 0], np.arange(len(lengths) + 1)).astype(np.int64)
    occurrences = Occurrences(
        kind="feature",
        n_columns=len(features),
        n_units=np.array(lengths, dtype=np.int32),
        indptr=indptr,
        column=cells[:, 1].astype(np.int32),
        maximum=cells[:, 2].astype(np.float32),
        count=cells[:, 3].astype(np.int32),
        total=cells[:, 4].astype(np.float32),
        first=cells[:, 5].astype(np.int32),
        last=cells[:, 6].astype(np.int32),
    )
    return occurrences, ToyTokens(tuple(documents))


def answers(before: Sequence[str], after: Sequence[str], prompts: Sequence[str] | None = None) -> Responses:
    """One answer a side to each prompt."""
    asked = prompts or [f"Question number {i}" for i in range(len(before))]
    names = [f"p{i:03d}" for i in range(len(before))]
    return Responses(
        prompts=PromptSet(prompts=tuple(Prompt(id=n, text=t) for n, t in zip(names, asked, strict=True))),
        models=("old", "new"),
        answers=tuple(
            Answer(prompt_id=n, model=m, text=t)
            for m, texts in (("old", before), ("new", after))
            for n, t in zip(names, texts, strict=True)
        ),
    )


def features_of(responses: Responses, occurrences: Occurrences) -> Features:
    n = len(responses.answers)
    return Features(
        responses=responses,
        occurrences=occurrences,
        reader={},
        sae={},
        fingerprint="toy",
        cut=np.zeros(n, dtype=np.bool_),
        masked=np.zeros(n, dtype=np.int32),
        shards=(),
        shard=np.zeros(n, dtype=np.int32),
        shard_row=np.arange(n, dtype=np.int32),
    )


def diff_of(
    responses: Responses,
    occurrences: Occurrences,
    rows: Sequence[Mapping[str, object]],
    *,
    alpha: float = 0.05,
) -> Diff:
    """A diff with the rows given; each names kind, feature and delta, and what else it wants to set."""
    families = (occurrences, *text_families(responses))
    table = []
    for row in rows:
        family = next(f for f in families if f.kind == row["kind"])
        names = family.names or tuple(str(i) for i in range(family.n_columns))
        delta, n = float(str(row["delta"])), len(responses.prompts)
        base: dict[str, object] = {
            "before": "old",
            "after": "new",
            "statistic": "presence",
            "rate_before": max(0.0, -delta),
            "rate_after": max(0.0, delta),
            "lo": delta - 0.1,
            "hi": delta + 0.1,
            "p": 1e-6,
            "q": 1e-4,
            "delta_length": np.nan,
            "replication": 1.0,
            "tags": "",
            "reason": "",
            "n": n,
            "n_after": round(max(0.0, delta) * n),
            "n_before": round(max(0.0, -delta) * n),
            "per_1000_before": 0.0,
            "per_1000_after": 0.0,
            "p_prefix": np.nan,
            "p_firth": np.nan,
            "length": "ok",
            "column": names.index(str(row["feature"])),
        }
        made = base | dict(row)
        table.append({"q_length": made["q"]} | made)
    return Diff(
        features=features_of(responses, occurrences),
        families=families,
        table=pd.DataFrame(table, columns=list(DIFF_COLUMNS)),
        noise=NoiseFloor(
            discordant=np.zeros(0, np.int64), delta=np.zeros(0), p=0.0, draws=0, any_discovery=0.0, lower=0.0
        ),
        slices=pd.DataFrame(),
        summary={"alpha": alpha},
    )


WORDS = (
    *("river", "stone", "garden", "window", "letter", "market", "winter", "bread", "engine", "copper"),
    *("forest", "yellow", "music", "paper", "lantern", "travel", "simple", "answer", "season", "metal"),
    *("kitchen", "morning", "village", "teacher", "orange", "blanket", "candle", "mountain", "bottle"),
    *("pencil", "summer", "island", "butter", "silver", "thunder", "basket", "ladder", "meadow", "saddle"),
)


def filler(rng: np.random.Generator, sentences: int = 6, size: int = 9) -> list[str]:
    """Sentences of words drawn at random."""
    return [" ".join(rng.choice(WORDS, size)).capitalize() + "." for _ in range(sentences)]
