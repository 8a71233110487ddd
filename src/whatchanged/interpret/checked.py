"""Hypotheses as a run folder keeps them, and what they say of its findings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatchanged.artifacts import Hypotheses, Hypothesis
from whatchanged.errors import StoreError
from whatchanged.interpret.statement import level, points

__all__ = ["hypotheses_json", "read_hypotheses", "remarks"]

_FLOATS = ("delta", "lo", "hi", "p", "q")


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    behaviour: str
    direction: Literal[-1, 1]
    findings: tuple[str, ...]
    method: str
    verdict: Literal["verified", "consistent", "unconfirmed", "contradicted", "not_judged"]
    n: int = Field(ge=0)
    n_after: int = Field(ge=0)
    n_before: int = Field(ge=0)
    missing: int = Field(ge=0)
    delta: float | None
    lo: float | None
    hi: float | None
    p: float | None
    q: float | None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Literal[1] = Field(alias="schema")
    before: str
    after: str
    summary: dict[str, Any]
    hypotheses: tuple[_Line, ...]


def hypotheses_json(made: Hypotheses, *, before: str, after: str) -> dict[str, Any]:
    """Hypotheses as JSON, for ``hypotheses.json``; NaN becomes null."""
    return {
        "schema": 1,
        "before": _plain(before),
        "after": _plain(after),
        "summary": _plain(dict(made.summary)),
        "hypotheses": [_plain(asdict(h)) for h in made],
    }


def read_hypotheses(content: Any, *, where: str) -> Hypotheses:
    """Hypotheses from the JSON of ``hypotheses.json``.

    Raises:
        StoreError: It has another form.
    """
    try:
        read = _File.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        at = ".".join(map(str, problem["loc"]))
        raise StoreError(f"{where} is damaged (at {at}: {problem['msg']}); make them again") from None
    items = []
    for line in read.hypotheses:
        values = line.model_dump()
        values |= {name: math.nan if values[name] is None else values[name] for name in _FLOATS}
        items.append(Hypothesis(**values))
    return Hypotheses(
        items=tuple(items), summary={**read.summary, "before": read.before, "after": read.after}
    )


def remarks(made: Hypotheses, *, before: str, after: str) -> Mapping[str, tuple[str, ...]]:
    """A line for each finding a hypothesis was made from, by the finding's id."""
    lines: dict[str, tuple[str, ...]] = {}
    for one in made:
        for finding in one.findings:
            lines[finding] = (*lines.get(finding, ()), _remark(one, before, after))
    return lines


def _remark(one: Hypothesis, before: str, after: str) -> str:
    said = f"Hypothesis {one.id}: “{one.behaviour}”, more in {after if one.direction > 0 else before}: "
    if one.verdict == "not_judged":
        return f"{said}not judged on any pair."
    where = "prompts that discovery had seen" if one.verdict == "consistent" else "held-out prompts"
    missing = f", {one.missing} undecided" if one.missing else ""
    return (
        f"{said}{one.verdict} on {one.n} {where} (net {points(one.delta)} points, 95 % CI {points(one.lo)} to "
        f"{points(one.hi)}, {level(one.q)}{missing}; {one.method})."
    )


def _plain(value: Any) -> Any:
    """A value JSON can hold: what is not finite as null, a lone surrogate as its escape."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return None if isinstance(value, float) and not math.isfinite(value) else value
