"""What a log of calls comes to, model by model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from whatchanged.artifacts import Answer
from whatchanged.errors import ContentRefused, StoreError
from whatchanged.responses.collect.answers import outcomes
from whatchanged.responses.collect.lines import Line
from whatchanged.responses.collect.log import LOG, read_log

__all__ = ["ModelSummary", "Summary", "read_summary", "summarise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model's calls.

    Attributes:
        model: Name of the checkpoint.
        answers: Calls with an answer.
        empty, truncated: Among them.
        refused: Calls the API refused to answer.
        failed: Calls that ended without an answer otherwise, by kind of failure.
        unfinished: Calls that were tried and have not ended: the run stopped.
        retries: Failed attempts that were tried again, by kind of failure.
        served: Answers by the model that gave them, as the provider said.
        providers: Answers by the host that gave them, as OpenRouter says.
        prompt_tokens, completion_tokens, reasoning_tokens: Counted tokens.
        cost: US dollars, as far as known.
        cost_unknown: Requests whose cost is not known.
        latency: Seconds of an answered request: ``p50``, ``p90``, ``p99``; empty without answers.
    """

    model: str
    answers: int
    empty: int
    truncated: int
    refused: int
    failed: Mapping[str, int]
    unfinished: int
    retries: Mapping[str, int]
    served: Mapping[str, int]
    providers: Mapping[str, int]
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: float
    cost_unknown: int
    latency: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A collection at a glance.

    Attributes:
        models: One summary per model.
        stopped: Why the run stopped early, if it did.
        warnings: Sentences about what could pass for a change of behaviour: a model served by several
            hosts or under several names, failures, a side refused more often.
    """

    models: tuple[ModelSummary, ...]
    stopped: str | None
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As it stands in ``manifest.json``."""
        return asdict(self)


def read_summary(folder: str | PathLike[str]) -> Summary:
    """The summary of a folder's log.

    Raises:
        StoreError: There is no log, or it is damaged.
    """
    path = Path(folder) / LOG
    if not path.exists():
        raise StoreError(f"{folder} has no {LOG}; nothing was collected there")
    return summarise(list(read_log(path)))


def summarise(lines: Iterable[Line], names: Iterable[str] = (), *, stopped: str | None = None) -> Summary:
    """Sum up a log.

    Args:
        lines: The log.
        names: Order of the models; others follow as they come.
        stopped: Why the run stopped early.
    """
    sorted_out: dict[str, list[Line]] = {name: [] for name in names}
    for line in lines:
        if line.event != "sent":
            sorted_out.setdefault(line.model, []).append(line)
    models = tuple(_model(name, of) for name, of in sorted_out.items())
    return Summary(models=models, stopped=stopped, warnings=_warnings(models, stopped))


def _model(name: str, lines: list[Line]) -> ModelSummary:
    last = outcomes(lines)
    answers = [line for line in last.values() if line.event == "answer"]
    failed = Counter(line.error.kind for line in last.values() if line.event == "failed" and line.error)
    refused = failed.pop(ContentRefused.kind, 0)
    waits = [line.latency for line in answers if line.latency is not None]
    shares = {"p50": 50, "p90": 90, "p99": 99}
    return ModelSummary(
        model=name,
        answers=len(answers),
        empty=sum(not (line.text or "").strip() for line in answers),
        truncated=sum(_truncated(line) for line in answers),
        refused=refused,
        failed=dict(sorted(failed.items())),
        unfinished=sum(line.event == "attempt" for line in last.values()),
        retries=dict(sorted(Counter(_kind(line) for line in lines if line.event == "attempt").items())),
        served=dict(Counter(line.served_model for line in answers if line.served_model).most_common()),
        providers=dict(Counter(line.provider for line in answers if line.provider).most_common()),
        prompt_tokens=sum(line.tokens.prompt_tokens or 0 for line in lines),
        completion_tokens=sum(line.tokens.completion_tokens or 0 for line in lines),
        reasoning_tokens=sum(line.tokens.reasoning_tokens or 0 for line in lines),
        cost=sum(line.cost or 0.0 for line in lines),
        cost_unknown=sum(line.cost is None for line in lines),
        latency={k: round(float(np.percentile(waits, q)), 4) for k, q in shares.items()} if waits else {},
    )


def _kind(line: Line) -> str:
    return line.error.kind if line.error else "failed"


def _truncated(line: Line) -> bool:
    return Answer(
        prompt_id=line.prompt_id, model=line.model, text=line.text or "", finish_reason=line.finish_reason
    ).truncated


def _warnings(models: tuple[ModelSummary, ...], stopped: str | None) -> tuple[str, ...]:
    found = [f"the run stopped early: {stopped}"] if stopped else []
    for m in models:
        for what, counts in (("hosts", m.providers), ("models", m.served)):
            if len(counts) > 1:
                parts = ", ".join(f"{name} {n}" for name, n in counts.items())
                found.append(
                    f"{m.model} was served by several {what} ({parts}): differences between them can pass for a "
                    "change; pin one with provider="
                )
        if m.failed:
            kinds = ", ".join(f"{n} {kind}" for kind, n in m.failed.items())
            found.append(f"{m.model}: calls without an answer: {kinds}; run again to ask for them")
    refused = {m.refused for m in models}
    if len(refused) > 1:
        found.append("refused by the API: " + ", ".join(f"{m.refused} of {m.model}" for m in models))
    return tuple(found)
