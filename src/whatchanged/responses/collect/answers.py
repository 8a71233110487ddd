"""From the log of calls to `Responses`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from whatchanged.artifacts import PromptSet, Responses
from whatchanged.errors import (
    AccessDenied,
    BadReply,
    BudgetExhausted,
    ContentRefused,
    LLMError,
    RateLimited,
    Unavailable,
)
from whatchanged.responses.collect.calls import Key, Side, plan_calls
from whatchanged.responses.collect.lines import Line
from whatchanged.responses.columns import Record
from whatchanged.responses.columns import Side as Rows
from whatchanged.responses.join import join
from whatchanged.tables.cells import as_text

__all__ = ["ended", "outcomes", "to_responses"]

_AGAIN = frozenset(
    {RateLimited.kind, Unavailable.kind, BadReply.kind, AccessDenied.kind, BudgetExhausted.kind}
)


def outcomes(lines: Iterable[Line]) -> dict[Key, Line]:
    """The last word on every call: its answer if there is one, else its last failure."""
    last: dict[Key, Line] = {}
    for line in lines:
        if line.event != "sent" and not ((kept := last.get(line.key)) and kept.event == "answer"):
            last[line.key] = line
    return last


def ended(line: Line) -> bool:
    """Whether a call is over for good: answered, or failed in a way that asking again does not mend."""
    if line.event == "answer":
        return True
    return line.event == "failed" and line.error is not None and line.error.kind not in _AGAIN


def to_responses(
    last: Mapping[Key, Line],
    prompts: PromptSet,
    sides: tuple[Side, ...],
    samples: int,
    *,
    stopped: str | None,
    source: str,
) -> Responses:
    """Join the answers of all sides; whatever has none is a counted `Dropped`.

    Failures are ``errored``, refusals by the API ``refused_by_api``, what was not asked (any more)
    before the run stopped ``unasked``; `Dropped.where` says what went wrong.

    Raises:
        LLMError: No prompt has an answer of the first side and of one of the others; the message counts what
            happened instead.
    """
    rows: dict[str, list[Record]] = {side.name: [] for side in sides}
    for call in plan_calls(prompts, sides, samples):
        rows[call.side.name].append(_record(call.key, last.get(call.key), call.prompt.category, stopped))
    usable = [
        {r.prompt_id for r in rows[side.name] if r.dropped is None and (r.text or "").strip()}
        for side in sides
    ]
    if not all(usable[0] & other for other in usable[1:]):
        raise _nothing(rows, stopped)
    joined = join(
        [
            Rows(label=name, names=(name,), records=tuple(records), answer_column="text", sampled=True)
            for name, records in rows.items()
        ],
        list(rows),
        prompts,
    )
    return replace(joined, source=source)


def _record(key: Key, line: Line | None, category: str | None, stopped: str | None) -> Record:
    dropped, where, text = None, "", None
    if line is None or line.event == "attempt":
        dropped, where = "unasked", stopped or "the run was interrupted"
        if line is not None and line.error is not None:
            where += f"; before that {line.error.kind}: {line.error.message}"
    elif line.event == "answer":
        text = as_text(line.text or "")
    else:
        assert line.error is not None, "a failure has an error"
        dropped = "refused_by_api" if line.error.kind == ContentRefused.kind else "errored"
        where = f"{line.error.kind} at attempt {line.attempt}: {line.error.message}"
    return Record(
        prompt_id=key.prompt_id,
        prompt=None,
        text=text,
        category=category,
        sample=key.sample,
        finish_reason=line.finish_reason if line is not None else None,
        errored=False,
        dropped=dropped,
        where=where,
    )


def _nothing(rows: Mapping[str, list[Record]], stopped: str | None) -> LLMError:
    said = []
    for name, records in rows.items():
        count = Counter(r.dropped or ("answered" if (r.text or "").strip() else "empty") for r in records)
        said.append(f"{name}: {', '.join(f'{n} {reason}' for reason, n in sorted(count.items()))}")
    first = next((r.where for records in rows.values() for r in records if r.dropped and r.where), "")
    models = "both models" if len(rows) == 2 else "the baseline and each other model"
    what = f"no prompt has an answer of {models} ({'; '.join(said)})"
    if stopped is not None:
        return BudgetExhausted(f"{what}; the run stopped: {stopped}")
    return Unavailable(f"{what}; the first failure: {first}" if first else what)
