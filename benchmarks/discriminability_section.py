"""What E5 says of its results: accuracies with intervals over prompts, and the bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from section import Bar, Grid, Section

__all__ = ["LISTS", "NULL_PAIR", "TOP", "section"]

NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")
TOP = 20
WORSE = -0.03
_FEWEST = 20
_DRAWS = 4000

LISTS: Mapping[str, str] = {
    "features": f"SAE features: first {TOP} findings",
    "lexical": f"words: first {TOP} findings",
    "observables": f"observables: first {TOP} findings",
    "report": f"whole report: first {TOP} findings",
    "features_any": f"SAE features: {TOP} smallest p, significant or not",
    "lexical_any": f"words: {TOP} smallest p, significant or not",
    "all_features": "all SAE features, L2",
    "bag_of_words": "bag of words, L2",
    "length": "length alone",
}
_VALUE = {"1": 1.0, "0": 0.0, "h": 0.5}


class _Told:
    """Decisions of every list on the held-out pairs of one or more pairs of models.

    `sums[list]` has one entry per unit (prompts of one pair of models, near-duplicates as one): the sum of
    its outcomes over the splits that held it out; `count` says how many these are. Each pair of models
    weighs the same.
    """

    def __init__(self, pairs: list[dict[str, Any]]) -> None:
        self.parts: list[tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]] = []
        for kept in pairs:
            splits = list(kept["splits"].values())
            units = np.array([u for s in splits for u in s["units"]], dtype=np.int64)
            names, place = np.unique(units, return_inverse=True)
            sums = {
                name: np.bincount(
                    place,
                    [_VALUE[c] for s in splits for c in s["lists"][name]["told"]],
                    minlength=len(names),
                )
                for name in LISTS
            }
            if len(names):
                self.parts.append((np.bincount(place, minlength=len(names)).astype(float), sums))

    @property
    def units(self) -> int:
        """Units that decided anything."""
        return sum(len(count) for count, _ in self.parts)

    def measured(self, name: str, against: str | None = None) -> tuple[float, float, float]:
        """Accuracy of a list, or its difference to another's, with a bootstrap interval over units."""
        generator = np.random.default_rng(0)
        point, drawn = 0.0, np.zeros(_DRAWS)
        for count, sums in self.parts:
            value = sums[name] - (sums[against] if against else 0.0)
            point += float(value.sum() / count.sum()) / len(self.parts)
            picked = generator.integers(0, len(count), (_DRAWS, len(count)))
            drawn += value[picked].sum(axis=1) / count[picked].sum(axis=1) / len(self.parts)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return point, float(low), float(high)


def section(result: dict[str, Any]) -> Section:
    """The results as text."""
    settings = result["settings"]
    null = " → ".join(NULL_PAIR)
    made = {key: kept for key, kept in result["pairs"].items() if kept["splits"]}
    told = {key: _Told([kept]) for key, kept in made.items()}
    small = [key for key, t in told.items() if t.units < _FEWEST]
    real = [key for key in made if key != null and key not in small]
    bars = []
    for name, title in (("features", "SAE features"), ("report", "whole report")):
        claim = (
            f"{title}: first {TOP} minus the words' first {TOP}, accuracy on held-out pairs of equal length"
        )
        if real:
            bars.append(
                _not_below(
                    f"{claim}; mean of {len(real)} pairs of models", _Told([made[k] for k in real]), name
                )
            )
        bars += [_not_below(f"{claim}; {key}", told[key], name) for key in real if len(real) > 1]
    if null in told and null not in small:
        for name in ("features", "report", "features_any", "all_features", "bag_of_words"):
            point, low, high = told[null].measured(name)
            bars.append(
                Bar(
                    claim=f"null pair: {LISTS[name]}",
                    wanted="interval holds .5",
                    got=_said(point, low, high),
                    met=low <= 0.5 <= high,
                )
            )
    lines = [
        "A report is made on half of the prompts (near-duplicates together). The rows that lead its first "
        f"{TOP} findings, and those of reports of one kind of row alone, are given to a scorer fitted on the same "
        "half: after-minus-before differences of presence and log(1 + count), logistic regression without "
        "intercept, L2 by the log loss of five folds, the difference of log length as a further input that is "
        "taken as zero afterwards. Held-out pairs whose lengths in reader tokens differ by less than "
        f"{settings['equal_length']:g} in the logarithm are then decided; a tie counts a half, and a list without "
        f"any finding ties everywhere. SAE {settings['sae']['name']} ({settings['sae']['fingerprint']}), "
        f"{settings['dtype']}, q ≤ {settings['alpha']}, seed {settings['seed']}.",
        "Intervals: 95 % bootstrap over prompts, each with all the splits that held it out; the scorers are "
        "taken as they are. A bar is met when the lower end lies above it, missed when the estimate lies below "
        "it, and else the run was too small to say.",
    ]  # fmt: skip
    if small:
        lines.append(
            f"Fewer than {_FEWEST} prompts with answers of equal length, so not judged: {', '.join(small)}."
        )
    return Section(
        name="E5",
        title="held-out discriminability on pairs of equal length",
        lines=tuple(lines),
        bars=tuple(bars),
        grids=(_accuracies(told), _sizes(made)),
    )


def _not_below(claim: str, told: _Told, name: str) -> Bar:
    point, low, high = told.measured(name, against="lexical")
    met = True if low >= WORSE else False if point < WORSE else None
    return Bar(claim=claim, wanted=f"≥ {WORSE}", got=_said(point, low, high, sign="+"), met=met)


def _said(point: float, low: float, high: float, *, sign: str = "") -> str:
    return f"{point:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _accuracies(told: dict[str, _Told]) -> Grid:
    rows = []
    for name, title in LISTS.items():
        rows.append((title, *(_said(*t.measured(name)) if t.units else "no pairs" for t in told.values())))
    for name in ("features", "report", "features_any"):
        against = "lexical_any" if name == "features_any" else "lexical"
        cells = (
            _said(*t.measured(name, against=against), sign="+") if t.units else "" for t in told.values()
        )
        rows.append((f"{LISTS[name]} minus {LISTS[against]}", *cells))
    return Grid(title="share of held-out pairs told right", head=("from", *told), rows=tuple(rows))


def _sizes(made: dict[str, dict[str, Any]]) -> Grid:
    """How much there was to decide, and how many rows each list had."""
    rows = []
    for key, kept in made.items():
        splits = list(kept["splits"].values())
        asked = sum(len(s["units"]) for s in splits)
        held = sum(s["held_out"] for s in splits)
        used = (np.mean([s["lists"][n]["rows"] for s in splits]) for n in list(LISTS)[:6])
        units = len({u for s in splits for u in s["units"]})
        rows.append(
            (key, str(len(splits)), f"{asked:,} of {held:,}", f"{units:,}", *(f"{u:.1f}" for u in used))
        )
    head = ("pair", "splits", "pairs of equal length, of those held out", "prompts among them")
    return Grid(
        title="what was decided, and rows in each list (mean over splits)",
        head=(*head, *list(LISTS.values())[:6]),
        rows=tuple(rows),
    )
