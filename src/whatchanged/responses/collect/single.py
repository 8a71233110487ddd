"""One model asked many prompts, with the same log, limits and resumption as a collection of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatchanged.artifacts import Prompt, PromptSet
from whatchanged.llm.protocol import ChatModel
from whatchanged.responses.collect.calls import Side, plan_calls
from whatchanged.responses.collect.job import Job
from whatchanged.responses.collect.run import as_model

__all__ = ["Asked", "ask_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of one call.

    Attributes:
        prompt_id: Prompt.
        sample: Number of the sample.
        text: The answer; ``None`` if there is none.
        finish_reason: Why it ended.
        reasoning: Reasoning text, where the provider shows it.
        failure: What went wrong, its kind first; ``None`` if there is an answer.
        cost: US dollars of the last attempt, if known.
    """

    prompt_id: str
    sample: int
    text: str | None
    finish_reason: str | None = None
    reasoning: str | None = None
    failure: str | None = None
    cost: float | None = None


def ask_all(
    prompts: PromptSet | Sequence[str],
    model: str | ChatModel,
    *,
    provider: Mapping[str, Any] | None = None,
    timeout: float = 120.0,
    **options: Any,
) -> tuple[Asked, ...]:
    """Ask one model every prompt.

    Args:
        prompts: What to ask; texts are numbered from ``0``.
        model: A name or a chat model.
        provider: OpenRouter's routing.
        timeout: Seconds one request may take.
        **options: As of `collect`: ``out``, ``samples``, ``max_tokens``, ``temperature``, ``top_p``, ``seed``,
            ``stop``, ``extra``, ``concurrency``, ``cost_limit``, ``deadline``, ``prices``, ``retry``, ``progress``.

    Returns:
        One entry per prompt and sample, in the order of the prompts.

    Raises:
        ValueError: An argument is out of its range.
        AccessDenied: A key is missing or refused; finished calls are kept.
        BudgetExhausted: Under a cost limit, a price is unknown.
        StoreError: The folder holds calls asked otherwise, is in use, or cannot be written.
    """
    if not isinstance(prompts, PromptSet):
        prompts = PromptSet(prompts=tuple(Prompt(id=str(i), text=text) for i, text in enumerate(prompts)))
    asked = as_model(model, provider, timeout)
    job = Job.of(prompts, (Side(name=asked.name, model=asked),), timeout=timeout, **options)
    last, stopped = job.run()
    found = []
    for call in plan_calls(prompts, job.sides, job.samples):
        line = last.get(call.key)
        failure = None
        if line is None or line.event == "attempt":
            failure = f"unasked: {stopped or 'the run was interrupted'}"
        elif line.error is not None:
            failure = f"{line.error.kind}: {line.error.message}"
        found.append(
            Asked(
                prompt_id=call.prompt.id,
                sample=call.sample,
                text=line.text if line is not None and line.event == "answer" else None,
                finish_reason=line.finish_reason if line is not None else None,
                reasoning=line.reasoning if line is not None else None,
                failure=failure,
                cost=line.cost if line is not None else None,
            )
        )
    order = prompts.position
    return tuple(sorted(found, key=lambda one: (order[one.prompt_id], one.sample)))
