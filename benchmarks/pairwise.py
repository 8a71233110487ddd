"""Which of two answers is *after*'s: a scorer over differences of counted things, the same for every list.

A pair of answers is described by after-minus-before differences of presence and of log(1 + count) in some
columns of an occurrence table, and by the difference of log length. A logistic regression without intercept
(so that exchanging the answers negates the score) is fitted on the discovery half; its L2 penalty is picked
by the log loss of five folds of it. Length is an input so that nothing else has to stand in for it; when
answers of (nearly) equal length are told apart, it is taken as equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from whatchanged.artifacts import Occurrences

__all__ = ["differences_of", "outcomes", "scorer"]

_STRENGTHS = tuple(10.0**k for k in range(-5, 3))
_FOLDS = 5


def differences_of(
    table: Occurrences,
    columns: NDArray[np.int64] | None,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Differences of presence, then of log(1 + count), of some columns (all by default), ``[pairs, inputs]``."""
    shape = (len(table.n_units), table.n_columns)
    blocks = []
    for value in (np.ones(len(table.column)), np.log1p(table.count.astype(np.float64))):
        matrix = csr_matrix((value, table.column, table.indptr), shape=shape)
        difference = matrix[after] - matrix[before]
        blocks.append((difference if columns is None else difference[:, columns]).toarray())
    return np.hstack(blocks)


def scorer(
    inputs: NDArray[np.float64], length: NDArray[np.float64], unit: NDArray[np.int64], *, seed: int
) -> NDArray[np.float64]:
    """Weights of the inputs (the last one that of length), fitted on pairs whose *after* is known.

    Args:
        inputs: Differences, ``[pairs, inputs]``.
        length: Difference of log length, ``[pairs]``.
        unit: Unit of each pair; a unit is never in two folds, ``[pairs]``.
        seed: Of the folds.
    """
    x = np.column_stack([inputs, length])
    # With more inputs than pairs, the rotation to the pairs' own space changes no fit and saves most of the work.
    left, size, right = np.linalg.svd(x, full_matrices=False)
    rotated = left * size
    names, place = np.unique(unit, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names))[place] % _FOLDS
    loss = [sum(_loss(rotated, fold == f, c) for f in range(_FOLDS)) for c in _STRENGTHS]
    weights: NDArray[np.float64] = _fit(rotated, _STRENGTHS[int(np.argmin(loss))]) @ right
    return weights


def outcomes(scores: NDArray[np.float64]) -> str:
    """One letter per pair: 1 where *after* was told, 0 where *before* was taken for it, h (a half) for a tie."""
    return "".join("1" if s > 0 else "0" if s < 0 else "h" for s in scores)


def _fit(x: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2000)
    both, told = np.vstack([x, -x]), np.repeat([1, 0], len(x))
    weights: NDArray[np.float64] = model.fit(both, told).coef_[0]
    return weights


def _loss(x: NDArray[np.float64], held: NDArray[np.bool_], strength: float) -> float:
    return float(np.logaddexp(0, -(x[held] @ _fit(x[~held], strength))).sum()) if held.any() else 0.0
