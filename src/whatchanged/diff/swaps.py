"""Label swaps: what the whole report would say if before and after were the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import NoiseFloor
from whatchanged.diff.contrast import Contrast, Discoveries, row_tests
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.length import OK, length_rule
from whatchanged.stats import clopper_pearson, exact_limit, sign_test

__all__ = ["LabelSwaps", "noise_floor", "swap_labels"]

_BLOCK = 4096
_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSwaps:
    """Reports on swapped labels.

    Attributes:
        smallest: Smallest row p of each swapped report, 1 where no row is tested, ``[draws]``.
        discovered: Whether it has any row at q <= alpha, ``[draws]``.
        found: Whether it has any that also survives the length rule, ``[draws]``; ``None`` when the
            rule was not asked. The rule only removes rows, so `discovered` bounds it.
    """

    smallest: NDArray[np.float64]
    discovered: NDArray[np.bool_]
    found: NDArray[np.bool_] | None = None

    @property
    def draws(self) -> int:
        """Number of label swaps."""
        return len(self.smallest)

    def lower(self, *, found: bool = False) -> float:
        """One-sided 95 % Clopper-Pearson lower bound of the chance of any discovery (or finding)."""
        hits = self.found if found else self.discovered
        if hits is None:
            raise ValueError("the length rule was not asked in these draws; pass length=True")
        return float(clopper_pearson(int(hits.sum()), self.draws, side="lower")[0])


def swap_labels(contrast: Contrast, *, draws: int, seed: int, length: bool = False) -> LabelSwaps:
    """Repeat the contrast with the labels of whole units swapped at random.

    Every draw flips each unit with probability 1/2, all its prompts and samples together, and runs all
    tests, the row p and Benjamini-Hochberg over every row again. This tests the arithmetic: that
    units are independent of each other is taken for granted and cannot be seen here.

    Args:
        contrast: The contrast on the true labels.
        draws: Number of swaps, at least 1.
        seed: Of the random generator.
        length: Whether to ask the length rule in draws with a discovery.

    Raises:
        ValueError: `draws` is below 1.
    """
    if draws < 1:
        raise ValueError(f"at least one label swap is needed; got draws={draws}; 1000 is usual")
    units = contrast.pairing.n_units
    flips = np.random.default_rng(seed).integers(0, 2, size=(draws, units), dtype=np.int8) * 2 - 1
    smallest = np.ones(draws)
    draw_of, p_of = [], []
    flips_of_units = np.ascontiguousarray(flips.T, dtype=np.float32)
    rows = np.flatnonzero(contrast.tests.tests)
    kept = np.cumsum(contrast.tests.tests[rows])
    matrices = [contrast.signs.matrix(s) for s in range(len(STATISTICS))]
    start = 0
    while start < len(rows):
        done = kept[start - 1] if start else 0
        stop = max(int(np.searchsorted(kept, done + _BLOCK, side="right")), start + 1)
        p = _row_p(contrast, rows[start:stop], matrices, flips_of_units)
        np.minimum(smallest, p.min(axis=0), out=smallest)
        p /= contrast.tests.weight[rows[start:stop], None]
        hit = np.nonzero(p <= contrast.alpha)
        draw_of.append(hit[1])
        p_of.append(p[hit])
        start = stop
    discovered = _any_discovery(draw_of, p_of, draws, len(rows), contrast.alpha)
    found = None
    if length:
        found = discovered.copy()
        for i in np.flatnonzero(discovered):
            found[i] = _any_finding(contrast, flips[i].astype(np.int64))
    return LabelSwaps(smallest=smallest, discovered=discovered, found=found)


def _row_p(
    contrast: Contrast, rows: NDArray[np.int64], matrices: list[object], flips: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Row p of some rows in every draw, ``[rows, draws]``: one dense product, then a look-up."""
    which, statistic = np.nonzero(contrast.tests.kept[:, rows].T)
    dense = np.empty((len(which), flips.shape[0]), dtype=np.float32)
    for s, matrix in enumerate(matrices):
        mine = statistic == s
        dense[mine] = matrix[rows[which[mine]]].toarray()  # type: ignore[index]
    total = (contrast.n_after + contrast.n_before)[statistic, rows[which]]
    # Sums of at most a few thousand signs are exact in float32.
    index = np.abs(dense @ flips)
    np.subtract(total[:, None].astype(np.float32), index, out=index)
    index *= 0.5
    p = contrast.table.p[index.astype(np.int32) + contrast.table.offset[total][:, None]]
    smallest = np.minimum.reduceat(p, np.flatnonzero(np.r_[True, which[1:] != which[:-1]]), axis=0)
    result: NDArray[np.float64] = np.minimum(smallest * contrast.tests.tests[rows][:, None], 1.0)
    return result


def _any_discovery(
    draw_of: list[NDArray[np.int64]], p_of: list[NDArray[np.float64]], draws: int, rows: int, alpha: float
) -> NDArray[np.bool_]:
    """Benjamini-Hochberg per draw from its weighted p at or below alpha; larger ones cannot be discovered."""
    found = np.zeros(draws, dtype=np.bool_)
    if not draw_of:
        return found
    draw, p = np.concatenate(draw_of), np.concatenate(p_of)
    order = np.lexsort((p, draw))
    draw, p = draw[order], p[order]
    rank = np.arange(len(draw)) - np.searchsorted(draw, draw) + 1
    found[draw[p * (rows / rank) <= alpha]] = True
    return found


def _any_finding(contrast: Contrast, flip: NDArray[np.int64]) -> bool:
    """Whether one swapped report has a row at q <= alpha that survives the length rule."""
    n_after, n_before = contrast.signs.counts(flip)
    tests = row_tests(n_after, n_before, contrast.table, contrast.alpha, contrast.kind)
    chosen = Discoveries.of(tests, n_after, n_before, contrast.alpha)
    return bool((length_rule(contrast, chosen, flip=flip).verdict == OK).any())


def noise_floor(contrast: Contrast, swaps: LabelSwaps) -> NoiseFloor:
    """The curve below which chance alone stays in 95 % of reports.

    For each number of discordant units it gives the smallest net share whose row p, with the usual
    number of tests, is at or below what 5 % of the swapped reports reach anywhere.
    """
    ranked = np.sort(swaps.smallest)
    p = float(ranked[max(int(_SHARE * swaps.draws) - 1, 0)])
    tests = usual_tests(contrast)
    units = contrast.pairing.n_units
    discordant = np.arange(1, units + 1)
    delta = np.ones(units)
    for k in discordant[discordant >= exact_limit(1, alpha=min(p / tests, 0.5))]:
        fewer = np.arange(k // 2 + 1)
        enough = fewer[np.minimum(sign_test(fewer, k - fewer) * tests, 1.0) <= p]
        if len(enough):
            delta[k - 1] = (k - 2 * enough[-1]) / units
    return NoiseFloor(
        discordant=discordant.astype(np.int64),
        delta=delta,
        p=p,
        draws=swaps.draws,
        any_discovery=float(swaps.discovered.mean()),
        lower=swaps.lower(),
    )


def usual_tests(contrast: Contrast) -> int:
    """Number of tests most tested rows have; 1 where no row is tested."""
    tests = contrast.tests.tests
    return int(np.bincount(tests[tests > 0]).argmax()) if np.any(tests > 0) else 1
