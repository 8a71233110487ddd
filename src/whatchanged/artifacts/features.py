"""What is active where: one sparse table per kind of thing, and token by token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts.answers import Responses

__all__ = ["Features", "Kind", "Occurrences", "TokenActivations", "TokenSource"]

Kind = Literal["feature", "observable", "lexical", "group"]


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Where things occur in answers: a sparse table of answers × columns (CSR).

    A column is an SAE feature, an observable or a word; positions count *units* of the answer
    (reader tokens for features, words for observables and lexical terms), from 0.

    Attributes:
        kind: What a column is.
        names: Name of each column, or ``None`` where the index is the name.
        n_columns: Number of columns, those that never occur included.
        n_units: Length of each answer in units, ``[answers]``.
        indptr: CSR row pointer, ``[answers + 1]``.
        column: Column of each entry, ascending within a row, ``[entries]``.
        maximum: Largest activation (for counted things, the count), ``[entries]``, > 0.
        count: Number of units on which the column is active, ``[entries]``, >= 1.
        total: Sum of activations over the answer, ``[entries]``.
        first: Position of the first active unit, ``[entries]``.
        last: Position of the last active unit, ``[entries]``.
        graded: Whether `maximum` is an activation; ``False`` where it merely repeats `count`.
    """

    kind: Kind
    n_columns: int
    n_units: NDArray[np.int32]
    indptr: NDArray[np.int64]
    column: NDArray[np.int32]
    maximum: NDArray[np.float32]
    count: NDArray[np.int32]
    total: NDArray[np.float32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    names: tuple[str, ...] | None = None
    graded: bool = True

    def __post_init__(self) -> None:
        assert len(self.indptr) == len(self.n_units) + 1, "one row pointer per answer"
        entries = int(self.indptr[-1])
        for name in ("column", "maximum", "count", "total", "first", "last"):
            assert len(getattr(self, name)) == entries, f"{name} has one value per entry"
        assert self.names is None or len(self.names) == self.n_columns, "one name per column"

    def name(self, column: int) -> str:
        """Name of a column as it stands in tables."""
        return self.names[column] if self.names is not None else str(column)

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Answer index of each entry, ``[entries]``."""
        return np.repeat(np.arange(len(self.n_units)), np.diff(self.indptr))


@dataclass(frozen=True, kw_only=True)
class Features:
    """The answers as a reader LLM and an SAE see them.

    Attributes:
        responses: The answers.
        occurrences: Pooled feature activations, one row per answer.
        reader: Name, hook point, template, limit and dtype of the reader, for the manifest.
        sae: Name, architecture, width and fingerprint of the SAE.
        fingerprint: Identifies reader, SAE, template and options; equal fingerprints are comparable.
        cut: Whether the answer was longer than the reader's limit, ``[answers]``.
        masked: Tokens left out as massive activations, ``[answers]``.
        shards: Files that hold the per-token activations, in the order of `shard`.
        shard: Index into `shards` for each answer, ``[answers]``.
        shard_row: Row within that shard, ``[answers]``.
        encoded: How many answers were encoded for this call; the rest came from the cache.
        health: Measured L0 and explained variance of the load check.
    """

    responses: Responses
    occurrences: Occurrences
    reader: Mapping[str, Any]
    sae: Mapping[str, Any]
    fingerprint: str
    cut: NDArray[np.bool_]
    masked: NDArray[np.int32]
    shards: tuple[Path, ...]
    shard: NDArray[np.int32]
    shard_row: NDArray[np.int32]
    encoded: int = 0
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenActivations:
    """Feature activations on every reader token of one answer (CSR, tokens × features).

    Attributes:
        tokens: Text of each token; their concatenation is the answer, up to what byte-level tokens
            and a reader's limit leave out.
        indptr: CSR row pointer, ``[tokens + 1]``.
        column: Feature of each entry, ``[entries]``.
        value: Activation of each entry, ``[entries]``, > 0.
        masked: Whether the token is a massive activation, which takes no part in pooling, ``[tokens]``.
    """

    tokens: tuple[str, ...]
    indptr: NDArray[np.int64]
    column: NDArray[np.int32]
    value: NDArray[np.float32]
    masked: NDArray[np.bool_]

    def __post_init__(self) -> None:
        assert len(self.indptr) == len(self.tokens) + 1, "one row pointer per token"
        assert len(self.masked) == len(self.tokens), "one mask per token"
        assert len(self.column) == len(self.value) == int(self.indptr[-1]), "one value per entry"


@runtime_checkable
class TokenSource(Protocol):
    """Where interpretation reads token activations and decoder rows."""

    def document(self, answer_index: int) -> TokenActivations:
        """Token activations of ``responses.answers[answer_index]``."""
        ...

    def decoder(self, columns: Sequence[int]) -> NDArray[np.float32] | None:
        """Unit-norm decoder rows of the features, ``[columns, d_model]``; ``None`` if there are none."""
        ...
