"""Ask two models the same prompts, pay once, lose nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from whatchanged.artifacts import PromptSet, Responses
from whatchanged.llm.names import chat_model, key_names
from whatchanged.llm.prices import Price
from whatchanged.llm.protocol import ChatModel
from whatchanged.responses.collect.answers import to_responses
from whatchanged.responses.collect.calls import Side
from whatchanged.responses.collect.job import Job
from whatchanged.responses.collect.progress import CollectProgress
from whatchanged.responses.collect.retry import RetryPolicy
from whatchanged.responses.folder import save
from whatchanged.responses.truncated import without_truncated

__all__ = ["as_list", "as_model", "collect", "make_sides"]


def collect(
    prompts: PromptSet,
    before: str | ChatModel,
    after: str | ChatModel | Sequence[str | ChatModel],
    *,
    out: str | PathLike[str] | None = None,
    names: Sequence[str] | None = None,
    samples: int = 1,
    max_tokens: int = 1024,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int = 0,
    stop: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
    provider: Mapping[str, Any] | None = None,
    concurrency: int = 32,
    cost_limit: float | None = None,
    deadline: float | None = None,
    timeout: float = 120.0,
    prices: str | PathLike[str] | Mapping[str, Price] | None = None,
    retry: RetryPolicy | None = None,
    exclude_truncated: bool = False,
    progress: Callable[[CollectProgress], None] | None = None,
) -> Responses:
    """Ask two or more models the same prompts.

    Every finished call stands in ``calls.jsonl`` of the folder before anything else happens, so the
    work can be killed at any time: the same call again asks only for what is missing. Further
    prompts or samples may be added to a folder; other models or settings are refused there.

    Requests are sent in an order in which the models take turns. How many are under way grows and
    halves with what the server can take; each kind of failure has its own number of attempts, and
    the server's wish to wait is honoured. A call that fails for good is a `Dropped` with the kind of
    failure; ``manifest.json`` has the summary, also of hosts that changed within the run.

    Args:
        prompts: What to ask.
        before: Baseline: a name (``google/gemini-2.0-flash-001``, ``openai:...``, ``google:...``,
            ``http://host/v1#model``, ``hf:...``, ``gguf:...``, ``scripted:...``) or a chat model.
        after: The model compared with it, or several.
        out: Run folder. ``None`` makes a new one under the cache folder; `Responses.source` names it.
        names: What they are called in the answers; their own names by default.
        samples: Answers per prompt and model, each with another seed.
        max_tokens: Most tokens of an answer.
        temperature: Sampling temperature; ``None`` leaves it to the model.
        top_p: Nucleus of sampling; ``None`` leaves it to the model.
        seed: Seed of the collection. One model compared with itself gets different seeds per side.
        stop: Texts at which an answer ends.
        extra: Further fields of every request as the provider names them.
        provider: OpenRouter's routing for all, such as ``{"order": ["Together"], "allow_fallbacks":
            False, "quantizations": ["bf16"]}``.
        concurrency: Most requests under way at once.
        cost_limit: US dollars the folder may cost in all. Before a request is sent its worst case is
            reserved, and nothing is sent that could pass the limit.
        deadline: Seconds after which nothing more is sent or awaited.
        timeout: Seconds one request may take.
        prices: A price file (`read_prices`) or prices by model name, for providers that list none.
        retry: Attempts and waits.
        exclude_truncated: Leave out prompts with a truncated answer, on all sides.
        progress: Told how far it is, up to four times a second.

    Returns:
        The answers; `dropped` counts what has none. Where a limit stopped the run, what was not asked
        is ``unasked``.

    Raises:
        ValueError: An argument is out of its range, or two models have the same name.
        AccessDenied: A key is missing or refused; finished calls are kept.
        BudgetExhausted: Under a cost limit, a price is unknown; or the limits left no pair of answers.
        Unavailable: No prompt got an answer of the baseline and of one of the others.
        StoreError: The folder holds calls asked otherwise, is in use, or cannot be written.
        InputError: The price file cannot be read.
    """
    job = Job.of(
        prompts,
        make_sides(before, after, names=names, provider=provider, timeout=timeout),
        out=out,
        samples=samples,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=stop,
        extra=extra,
        concurrency=concurrency,
        cost_limit=cost_limit,
        deadline=deadline,
        timeout=timeout,
        prices=prices,
        retry=retry,
        progress=progress,
    )
    last, stopped = job.run()
    responses = to_responses(
        last,
        prompts,
        job.sides,
        samples,
        stopped=stopped,
        source=f"{' and '.join(side.name for side in job.sides)}, collected in {job.folder}",
    )
    if exclude_truncated:
        responses = without_truncated(responses)
    save(responses, job.folder)
    return responses


def as_list(after: str | ChatModel | Sequence[str | ChatModel]) -> list[str | ChatModel]:
    """The models compared with a baseline, be it one or several."""
    return list(after) if isinstance(after, list | tuple) else [after]  # type: ignore[list-item]


def make_sides(
    before: str | ChatModel,
    after: str | ChatModel | Sequence[str | ChatModel],
    *,
    names: Sequence[str] | None = None,
    provider: Mapping[str, Any] | None = None,
    timeout: float = 120.0,
) -> tuple[Side, ...]:
    """The checkpoints, the baseline first, named apart.

    Raises:
        ValueError: There is none to compare, two have the same name, or `names` are not as many.
        AccessDenied: A key is missing.
    """
    models = [as_model(one, provider, timeout) for one in (before, *as_list(after))]
    if len(models) < 2:
        raise ValueError("after is an empty list; name at least one model to compare")
    called = tuple(names) if names else tuple(m.name for m in models)
    if len(called) != len(models):
        raise ValueError(f"names must be {len(models)}, one per model; got {called!r}")
    twice = next((name for i, name in enumerate(called) if name in called[:i]), None)
    if twice is not None:
        apart = [f"{name} ({i})" for i, name in enumerate(called, 1)]
        which = "both models are" if len(called) == 2 else "two models are"
        raise ValueError(
            f"{which} called {twice!r}; tell them apart with names=({', '.join(map(repr, apart))})"
        )
    # One and the same model is asked with other seeds each time it stands on a side.
    identities = [m.identity for m in models]
    return tuple(
        Side(name=name, model=model, salt=identities[:i].count(model.identity))
        for i, (name, model) in enumerate(zip(called, models, strict=True))
    )


def as_model(one: str | ChatModel, provider: Mapping[str, Any] | None, timeout: float) -> ChatModel:
    """A chat model, made if it is given by name; the options go to those that take them."""
    if not isinstance(one, str):
        return one
    if key_names(one) == ("OPENROUTER_API_KEY",):
        return chat_model(one, provider=provider, timeout=timeout)
    return (
        chat_model(one, timeout=timeout)
        if one.startswith(("openai:", "google:", "http"))
        else chat_model(one)
    )
