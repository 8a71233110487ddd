"""On which prompts a finding changed, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whatchanged.artifacts import Diff
from whatchanged.report.view import Condition

__all__ = ["conditions_of"]

SHOWN = 4  # conditions of one card; conditions.parquet of the run folder holds all of them
_HALF = 0.5


def conditions_of(diff: Diff, row: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of one row of the diff, the surest first."""
    table = diff.conditions
    # as Python's strings: a name may hold a lone surrogate, which other kinds of columns refuse to compare
    mine = np.ones(len(table), dtype=np.bool_)
    for name in ("after", "kind", "feature"):
        mine &= table[name].to_numpy(dtype=object) == str(row[name])
    found: list[dict[Any, Any]] = table[mine].head(SHOWN).to_dict("records")
    return tuple(
        Condition(
            words=f"{_how(c, float(row['delta']))} {_what(str(c['attribute']), str(c['value']))}",
            n_in=int(c["n_in"]),
            delta_in=float(c["delta_in"]),
            lo_in=float(c["lo_in"]),
            hi_in=float(c["hi_in"]),
            n_out=int(c["n_out"]),
            delta_out=float(c["delta_out"]),
            q=float(c["q"]),
        )
        for c in found
    )


def _how(condition: Mapping[Any, Any], delta: float) -> str:
    """How the change on prompts with the attribute relates to the change elsewhere."""
    toward = 1 if delta > 0 else -1
    inside, outside = toward * float(condition["delta_in"]), toward * float(condition["delta_out"])
    # The end of the interval that is nearest to the finding's own direction.
    best = max(toward * float(condition["lo_in"]), toward * float(condition["hi_in"]))
    if best < 0:
        return "The other way on"
    if inside < outside:
        return "Less on"
    net = inside * int(condition["n_in"])
    whole = net + outside * int(condition["n_out"])
    return "Mostly on" if whole > 0 and net >= _HALF * whole else "More on"


def _what(attribute: str, value: str) -> str:
    if attribute == "length":
        return f"the {'shortest' if value == 'short' else 'longest'} third of the prompts"
    if attribute == "category":
        return f"prompts of the category \u201c{value}\u201d"
    return f"prompts with the word \u201c{value}\u201d"
