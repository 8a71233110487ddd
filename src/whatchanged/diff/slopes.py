"""How fast rows rise or fall over an ordered series of checkpoints, and how steadily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import Family, step_size

__all__ = ["Slopes", "slopes"]

_ROWS_AT_ONCE = 256
_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Slope and steadiness of each row asked about.

    Attributes:
        slope: Mean over units of the least-squares slope of the row's statistic on the steps, ``[rows]``.
        lo, hi: 95 % interval of that mean (Student's t over units); NaN with one unit.
        levels: Mean of the statistic at each checkpoint, ``[rows, checkpoints]``.
        monotone: Whether the levels change and never step back, ``[rows]``.
        monotone_share: Share of the units whose contrast is not 0 that never step back themselves, in the
            direction of the row; NaN where no contrast differs from 0, ``[rows]``.
    """

    slope: NDArray[np.float64]
    lo: NDArray[np.float64]
    hi: NDArray[np.float64]
    levels: NDArray[np.float64]
    monotone: NDArray[np.bool_]
    monotone_share: NDArray[np.float64]


def slopes(contrast: Contrast, rows: NDArray[np.int64], steps: NDArray[np.float64]) -> Slopes:
    """Slopes of some rows by their own statistics.

    Args:
        contrast: The contrast over the series.
        rows: Row numbers, ascending.
        steps: Where each checkpoint stands, strictly increasing, ``[checkpoints]``.
    """
    count, checkpoints = len(rows), len(steps)
    centred = steps - steps.mean()
    weight = centred / (centred @ centred)
    slope, error = np.full(count, np.nan), np.full(count, np.nan)
    levels = np.full((count, checkpoints), np.nan)
    monotone = np.zeros(count, dtype=np.bool_)
    share = np.full(count, np.nan)
    direction = contrast.direction(rows)
    statistic = contrast.tests.statistic[rows]
    moved = (contrast.n_after + contrast.n_before)[statistic, rows]
    units = contrast.pairing.n_units
    for family, column, index in _blocks(contrast, rows):
        total = _totals(family, column, statistic[index])
        level = total / (contrast.pairing.scale * step_size(statistic[index])[:, None, None])
        of_unit = np.einsum("k,cku->cu", weight, level)
        slope[index] = of_unit.mean(axis=1)
        if units > 1:
            error[index] = of_unit.std(axis=1, ddof=1) / np.sqrt(units)
        levels[index] = level.mean(axis=2)
        turned = direction[index][:, None]
        step = np.diff(levels[index], axis=1) * turned
        monotone[index] = (step >= -_TIE).all(axis=1) & (step > _TIE).any(axis=1)
        # As integers, so that equal means of samples are equal.
        own = np.diff(total, axis=1) * turned[..., None]
        steady = ((own >= 0).all(axis=1) & (own > 0).any(axis=1)).sum(axis=1)
        some = moved[index] > 0
        share[index[some]] = steady[some] / moved[index][some]
    reach = student.ppf(0.975, max(units - 1, 1)) * error
    return Slopes(
        slope=slope,
        lo=slope - reach,
        hi=slope + reach,
        levels=levels,
        monotone=monotone,
        monotone_share=share,
    )


def _blocks(
    contrast: Contrast, rows: NDArray[np.int64]
) -> Iterator[tuple[Family, NDArray[np.int64], NDArray[np.int64]]]:
    """Rows family by family: the family, columns in it, and places in `rows`."""
    for f, family in enumerate(contrast.families):
        mine = np.flatnonzero((rows >= contrast.start[f]) & (rows < contrast.start[f + 1]))
        for begin in range(0, len(mine), _ROWS_AT_ONCE):
            index = mine[begin : begin + _ROWS_AT_ONCE]
            yield family, rows[index] - contrast.start[f], index


def _totals(family: Family, column: NDArray[np.int64], statistic: NDArray[np.int64]) -> NDArray[np.int64]:
    """Value of each unit at each checkpoint, times the unit's scale, ``[columns, checkpoints, units]``."""
    pairing = family.pairing
    row, which, value = family.own_values(column, statistic)
    total = np.zeros((len(column), len(pairing.models), pairing.n_units), dtype=np.int64)
    np.add.at(total, (which, pairing.checkpoint[row], pairing.unit[row]), value * pairing.share[row])
    return total
