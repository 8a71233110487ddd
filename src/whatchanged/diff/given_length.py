"""A row's change given the change in length, where the data can tell the two apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.family import FIXED_POINT, Family, step_size
from whatchanged.stats import firth_pairs

__all__ = ["GivenLength", "given_length"]

_FEWEST, _SMALLEST_SHARE = 5, 0.05
# A variance inflation factor of 10, the customary bound: beyond it the row says what length says.
_COLLINEAR = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLength:
    """What the regression on log length says of each row.

    Attributes:
        p: p of the row given log length, 1 where its sign turned; NaN where it was not asked.
        itself: Whether the row is length in other units: with such overlap it always moves with
            length (or always against it), or nine tenths of its variation are length's.
    """

    p: NDArray[np.float64]
    itself: NDArray[np.bool_]


def _differences(
    family: Family, columns: NDArray[np.int64], statistic: NDArray[np.int64], flip: NDArray[np.int64]
) -> NDArray[np.float64]:
    """After-minus-before difference of each row's own statistic, ``[rows, units]``."""
    pairing = family.pairing
    row, which, value = family.own_values(columns, statistic)
    # Summed as integers: equal means of samples cancel, whatever their order.
    d = np.zeros((len(columns), pairing.n_units), dtype=np.int64)
    np.add.at(d, (which, pairing.unit[row]), value * pairing.weight[row])
    result: NDArray[np.float64] = d * flip / (pairing.scale * step_size(statistic)[:, None])
    return result


def _log_length(family: Family, flip: NDArray[np.int64]) -> NDArray[np.float64]:
    """After-minus-before difference of mean log length, ``[units]``."""
    pairing = family.pairing
    steps = np.rint(np.log(np.maximum(family.n_units, 1)) * FIXED_POINT).astype(np.int64)
    total = np.zeros(pairing.n_units, dtype=np.int64)
    np.add.at(total, pairing.unit, steps * pairing.weight)
    result: NDArray[np.float64] = total * flip / (pairing.scale * FIXED_POINT)
    return result


def _collinear(d: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether nine tenths of each row's squares are explained by length."""
    squares = (d**2).sum(axis=1) * float(length @ length)
    mask: NDArray[np.bool_] = (squares > 0) & ((d @ length) ** 2 >= _COLLINEAR * squares)
    return mask


def given_length(
    family: Family,
    columns: NDArray[np.int64],
    statistic: NDArray[np.int64],
    direction: NDArray[np.int64],
    flip: NDArray[np.int64],
) -> GivenLength:
    """Regress which answer is *after* on each row's statistic and the difference in log length.

    Only rows are asked among whose discordant units *after* is the longer and the shorter answer at
    least 5 times, and in 5 %, each: without such overlap the model would only extrapolate.

    Args:
        family: Table the columns belong to.
        columns: Columns to look at.
        statistic: Index of each column's statistic.
        direction: Sign of each column's change.
        flip: -1 for units whose labels are swapped, ``[units]``.
    """
    d, length = _differences(family, columns, statistic, flip), _log_length(family, flip)
    discordant = d != 0
    longer, shorter = (discordant & (length > 0)).sum(axis=1), (discordant & (length < 0)).sum(axis=1)
    needed = np.maximum(_FEWEST, _SMALLEST_SHARE * discordant.sum(axis=1))
    overlap = np.minimum(longer, shorter) >= needed
    agree = np.sign(d) * np.sign(length)
    monotone = overlap & ((agree >= 0).all(axis=1) | (agree <= 0).all(axis=1))
    # About the mean as well: where neither varies the two cannot be told apart, which proves nothing.
    centred = d - d.mean(axis=1, keepdims=True), length - length.mean()
    itself = monotone | (_collinear(d, length) & _collinear(*centred))
    p = np.full(len(columns), np.nan)
    asked = np.flatnonzero(overlap & ~itself)
    if len(asked):
        fit = firth_pairs(d[asked], length)
        p[asked] = np.where(np.sign(fit.effect) == direction[asked], fit.p, 1.0)
        p[asked[~fit.converged]] = np.nan
    return GivenLength(p=p, itself=itself)
