"""Ask two models the same prompts, pay once, lose nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from whatchanged.artifacts import PromptSet, Responses
from whatchanged.errors import AccessDenied
from whatchanged.llm.blocking import run_blocking
from whatchanged.llm.names import chat_model, key_names
from whatchanged.llm.prices import Price, read_prices
from whatchanged.llm.protocol import Batching, ChatModel
from whatchanged.responses.collect.answers import ended, outcomes, to_responses
from whatchanged.responses.collect.batches import run_slices
from whatchanged.responses.collect.budget import Budget, known_price, refuse_unpriced, spent
from whatchanged.responses.collect.calls import Call, Key, Settings, Side, plan_calls, request_for
from whatchanged.responses.collect.engine import Run, send_all
from whatchanged.responses.collect.log import LOG, CallLog, read_log
from whatchanged.responses.collect.pace import Pace
from whatchanged.responses.collect.progress import CollectProgress, Counts
from whatchanged.responses.collect.retry import RetryPolicy
from whatchanged.responses.collect.sheet import agree, locked
from whatchanged.responses.collect.summary import summarise
from whatchanged.responses.folder import save
from whatchanged.responses.truncated import without_truncated
from whatchanged.store import cache_folder, update_manifest

__all__ = ["collect", "make_sides"]


def collect(
    prompts: PromptSet,
    before: str | ChatModel,
    after: str | ChatModel,
    *,
    out: str | PathLike[str] | None = None,
    names: tuple[str, str] | None = None,
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
    """Ask two models the same prompts.

    Every finished call stands in ``calls.jsonl`` of the folder before anything else happens, so the
    work can be killed at any time: the same call again asks only for what is missing. Further
    prompts or samples may be added to a folder; other models or settings are refused there.

    Requests are sent in an order in which both models take turns. How many are under way grows and
    halves with what the server can take; each kind of failure has its own number of attempts, and
    the server's wish to wait is honoured. A call that fails for good is a `Dropped` with the kind of
    failure; ``manifest.json`` has the summary, also of hosts that changed within the run.

    Args:
        prompts: What to ask.
        before: Baseline: a name (``google/gemini-2.0-flash-001``, ``openai:...``, ``google:...``,
            ``http://host/v1#model``, ``hf:...``, ``gguf:...``, ``scripted:...``) or a chat model.
        after: The model compared with it.
        out: Run folder. ``None`` makes a new one under the cache folder; `Responses.source` names it.
        names: What the two are called in the answers; their own names by default.
        samples: Answers per prompt and model, each with another seed.
        max_tokens: Most tokens of an answer.
        temperature: Sampling temperature; ``None`` leaves it to the model.
        top_p: Nucleus of sampling; ``None`` leaves it to the model.
        seed: Seed of the collection. One model compared with itself gets different seeds per side.
        stop: Texts at which an answer ends.
        extra: Further fields of every request as the provider names them.
        provider: OpenRouter's routing for both, such as ``{"order": ["Together"], "allow_fallbacks":
            False, "quantizations": ["bf16"]}``.
        concurrency: Most requests under way at once.
        cost_limit: US dollars the folder may cost in all. Before a request is sent its worst case is
            reserved, and nothing is sent that could pass the limit.
        deadline: Seconds after which nothing more is sent or awaited.
        timeout: Seconds one request may take.
        prices: A price file (`read_prices`) or prices by model name, for providers that list none.
        retry: Attempts and waits.
        exclude_truncated: Leave out prompts with a truncated answer, on both sides.
        progress: Told how far it is, up to four times a second.

    Returns:
        The answers; `dropped` counts what has none. Where a limit stopped the run, what was not asked
        is ``unasked``.

    Raises:
        ValueError: An argument is out of its range, or both models have the same name.
        AccessDenied: A key is missing or refused; finished calls are kept.
        BudgetExhausted: Under a cost limit, a price is unknown; or the limits left no pair of answers.
        Unavailable: No prompt got an answer of both models.
        StoreError: The folder holds calls asked otherwise, is in use, or cannot be written.
        InputError: The price file cannot be read.
    """
    if not len(prompts):
        raise ValueError("there are no prompts to ask; give at least one")
    for what, seconds in (("deadline", deadline), ("timeout", timeout)):
        if seconds is not None and not seconds > 0:
            raise ValueError(f"{what} must be more than 0 seconds; got {seconds}")
    settings = Settings(
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=tuple(stop),
        extra=dict(extra or {}),
    )
    table = prices if isinstance(prices, Mapping) else read_prices(prices) if prices is not None else {}
    job = _Job(
        prompts=prompts,
        sides=make_sides(before, after, names=names, provider=provider, timeout=timeout),
        samples=samples,
        settings=settings,
        folder=Path(out) if out is not None else _new_folder(),
        pace=Pace(concurrency),
        cost_limit=cost_limit,
        deadline=deadline,
        timeout=timeout,
        prices=table,
        retry=retry or RetryPolicy(),
        progress=progress,
    )
    responses = job.run()
    if exclude_truncated:
        responses = without_truncated(responses)
    save(responses, job.folder)
    return responses


def make_sides(
    before: str | ChatModel,
    after: str | ChatModel,
    *,
    names: tuple[str, str] | None = None,
    provider: Mapping[str, Any] | None = None,
    timeout: float = 120.0,
) -> tuple[Side, Side]:
    """The two checkpoints, named apart.

    Raises:
        ValueError: Both have the same name.
        AccessDenied: A key is missing.
    """
    models = [_model(one, provider, timeout) for one in (before, after)]
    called = names or (models[0].name, models[1].name)
    if called[0] == called[1]:
        raise ValueError(
            f"both models are called {called[0]!r}; tell them apart with names=({called[0] + ' (1)'!r}, "
            f"{called[0] + ' (2)'!r})"
        )
    same = models[0].identity == models[1].identity
    return (
        Side(name=called[0], model=models[0]),
        Side(name=called[1], model=models[1], salt=1 if same else 0),
    )


def _model(one: str | ChatModel, provider: Mapping[str, Any] | None, timeout: float) -> ChatModel:
    if not isinstance(one, str):
        return one
    if key_names(one) == ("OPENROUTER_API_KEY",):
        return chat_model(one, provider=provider, timeout=timeout)
    return (
        chat_model(one, timeout=timeout)
        if one.startswith(("openai:", "google:", "http"))
        else chat_model(one)
    )


def _new_folder() -> Path:
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return cache_folder() / "collected" / f"{now}-{uuid.uuid4().hex[:6]}"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One collection with everything it needs."""

    prompts: PromptSet
    sides: tuple[Side, Side]
    samples: int
    settings: Settings
    folder: Path
    pace: Pace
    cost_limit: float | None
    deadline: float | None
    timeout: float
    prices: Mapping[str, Price]
    retry: RetryPolicy
    progress: Callable[[CollectProgress], None] | None

    def run(self) -> Responses:
        names = [side.name for side in self.sides]
        with locked(self.folder):
            agree(self.folder, self.prompts, self.sides, self.settings)
            stopped, fatal = run_blocking(self._ask)
            summary = summarise(read_log(self.folder / LOG), names, stopped=stopped)
            last = outcomes(read_log(self.folder / LOG))
            update_manifest(self.folder, {"collect": summary.plain()})
        if fatal is not None:
            answered = sum(line.event == "answer" for line in last.values())
            raise AccessDenied(
                f"{fatal}; {answered} finished calls are kept in {self.folder}: mend it and run again",
                status=fatal.status,
            )
        return to_responses(
            last,
            self.prompts,
            self.sides,
            self.samples,
            stopped=stopped,
            source=f"{names[0]} and {names[1]}, collected in {self.folder}",
        )

    async def _ask(self) -> tuple[str | None, AccessDenied | None]:
        try:
            return await self._send()
        finally:
            for model in {id(side.model): side.model for side in self.sides}.values():
                await model.close()

    async def _send(self) -> tuple[str | None, AccessDenied | None]:
        with ExitStack() as stack:
            log = stack.enter_context(CallLog(self.folder / LOG))
            over = {key for key, line in outcomes(read_log(self.folder / LOG)).items() if ended(line)}
            total = len(self.prompts) * len(self.sides) * self.samples
            planned = sum(call.key in over for call in plan_calls(self.prompts, self.sides, self.samples))
            if planned == total:
                return None, None
            run = Run(
                settings=self.settings,
                log=log,
                budget=await self._budget(),
                retry=self.retry,
                timeout=self.timeout,
                deadline=self.deadline,
                counts=Counts(total=total, before=planned),
                progress=self.progress,
            )
            await self._both_ways(run, over)
            run.tell(0, always=True)
        return run.stopped, run.fatal

    async def _both_ways(self, run: Run, over: set[Key]) -> None:
        """Single requests through the window, batches of local models beside them."""

        def calls(batching: bool) -> Iterator[Call]:
            plan = plan_calls(self.prompts, self.sides, self.samples)
            return (c for c in plan if isinstance(c.side.model, Batching) is batching)

        single = (call for call in calls(False) if call.key not in over)
        ways = asyncio.gather(send_all(run, single, self.pace), run_slices(run, calls(True), over))
        try:
            await ways
        except BaseException:
            ways.cancel()
            raise

    async def _budget(self) -> Budget:
        if self.cost_limit is None:
            found = {s.name: self.prices.get(s.name) or self.prices.get(s.model.name) for s in self.sides}
            return Budget(None, 0.0, {name: price for name, price in found.items() if price is not None})
        found = {side.name: await known_price(side.name, side.model, self.prices) for side in self.sides}
        refuse_unpriced((name for name, price in found.items() if price is None), self.cost_limit)
        prices = {name: price for name, price in found.items() if price is not None}
        worst = {
            side.name: max(
                prices[side.name].worst(request_for(Call(side=side, prompt=p, sample=0), self.settings))
                for p in self.prompts
            )
            for side in self.sides
        }
        return Budget(self.cost_limit, spent(read_log(self.folder / LOG), prices, worst), prices)
