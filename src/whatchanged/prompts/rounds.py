"""Rounds of calls that ask for prompts, until every category has its share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from whatchanged.artifacts import Prompt, PromptSet
from whatchanged.errors import AccessDenied, BudgetExhausted, LLMError, RateLimited, Unavailable
from whatchanged.llm import ChatModel, ChatRequest, Reply, Usage
from whatchanged.prompts.ask import ask_for
from whatchanged.prompts.categories import Brief
from whatchanged.prompts.reply import read_drafts
from whatchanged.prompts.sift import Sieve, Thrown
from whatchanged.prompts.written import Coverage, FailedCall, Written

__all__ = ["Rounds"]

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_AT_ONCE = 4
_FATAL = (AccessDenied, BudgetExhausted)


@dataclass(kw_only=True)
class Rounds:
    """What is wanted, what has come and what was thrown away; asks on until nothing lacks.

    The arguments are those of `write_prompts`, `wanted` the share of each category.
    """

    model: ChatModel
    purpose: str
    briefs: Mapping[str, Brief]
    wanted: Mapping[str, int]
    sieve: Sieve
    seed: int
    per_call: int
    max_calls: int
    max_tokens: int
    temperature: float | None
    kept: dict[str, list[Prompt]] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    thrown: list[Thrown] = field(default_factory=list)
    failed: list[FailedCall] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    stopped: str | None = None

    def lack(self, category: str) -> int:
        """Prompts a category still needs; never negative."""
        return self.wanted[category] - len(self.kept.get(category, ()))

    async def run(self) -> None:
        """Asks round after round; lets go of the model in the end.

        Raises:
            LLMError: Access was denied or the budget exhausted before a single reply came.
        """
        wait = _FIRST_WAIT
        try:
            while self.stopped is None and any(self.lack(c) > 0 for c in self.briefs):
                plan = self._plan()
                if not plan:
                    self.stopped = f"the limit of {self.max_calls} calls was reached"
                    return
                pause = await self._round(plan, wait)
                wait = min(2 * wait, _LONGEST_WAIT) if pause else _FIRST_WAIT
                if pause and len(self.asked) < self.max_calls:
                    await asyncio.sleep(pause)
        finally:
            await self.model.close()

    def _plan(self) -> list[tuple[str, int]]:
        """Calls of the next round: those that lack most first, every category once before any twice."""
        calls = []
        for category in self.briefs:
            lack = self.lack(category)
            for turn, start in enumerate(range(0, lack, self.per_call)):
                calls.append((turn, -lack, category, min(self.per_call, lack - start)))
        order = {category: i for i, category in enumerate(self.briefs)}
        calls.sort(key=lambda call: (call[0], call[1], order[call[2]]))
        return [(category, k) for _, _, category, k in calls[: self.max_calls - len(self.asked)]]

    async def _round(self, plan: Sequence[tuple[str, int]], wait: float) -> float:
        """One round of calls, taken in in the order in which they were planned; seconds to wait after it."""
        first = len(self.asked)
        self.asked += [category for category, _ in plan]
        gate = asyncio.Semaphore(_AT_ONCE)
        requests = [self._request(first + i, category, k) for i, (category, k) in enumerate(plan)]
        outcomes = await asyncio.gather(*(self._answer(request, gate) for request in requests))
        pause = 0.0
        for call, ((category, _), outcome) in enumerate(zip(plan, outcomes, strict=True), start=first):
            if isinstance(outcome, Reply):
                self._take(outcome, category, call)
                continue
            self._fail(call, category, outcome.kind, str(outcome))
            if outcome.usage is not None:
                self.usages.append(_usage(outcome.usage))
            if isinstance(outcome, RateLimited | Unavailable):
                pause = max(pause, wait if outcome.retry_after is None else outcome.retry_after)
        fatal = next((o for o in outcomes if isinstance(o, _FATAL)), None)
        if fatal is not None:
            if len(self.failed) == len(self.asked):
                raise fatal
            if any(self.lack(c) > 0 for c in self.briefs):
                self.stopped = f"{fatal.kind}: {fatal}"
        return min(pause, _LONGEST_WAIT)

    def _request(self, call: int, category: str, k: int) -> ChatRequest:
        return ask_for(
            k,
            category,
            self.briefs[category],
            purpose=self.purpose,
            taken=self.taken.get(category, ()),
            seed=1000 * self.seed + call,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )

    async def _answer(self, request: ChatRequest, gate: asyncio.Semaphore) -> Reply | LLMError:
        async with gate:
            try:
                return await self.model.reply(request)
            except LLMError as error:
                return error

    def _take(self, reply: Reply, category: str, call: int) -> None:
        self.usages.append(reply.usage)
        drafts = read_drafts(reply.text)
        if not drafts:
            said = " ".join(reply.text.split())[:120] or "an empty reply"
            cut = " (cut off by max_tokens)" if reply.finish_reason == "length" else ""
            self._fail(call, category, "malformed", f"no prompts in JSON{cut}: {said}")
        for draft in drafts:
            full = self.lack(category) <= 0
            found = self.sieve.sift(draft, category, self.briefs[category], call=call, full=full)
            if isinstance(found, Thrown):
                self.thrown.append(found)
            else:
                self.kept.setdefault(category, []).append(found)
                self.taken.setdefault(category, []).append(found.text)

    def _fail(self, call: int, category: str, reason: str, detail: str) -> None:
        self.failed.append(FailedCall(call=call, category=category, reason=reason, detail=detail))

    def written(self, source: str) -> Written:
        """Everything so far, counted."""
        return Written(
            prompts=PromptSet(
                prompts=tuple(p for category in self.briefs for p in self.kept.get(category, ())),
                source=source,
            ),
            thrown=tuple(self.thrown),
            failed=tuple(self.failed),
            coverage=tuple(
                Coverage(
                    category=category,
                    wanted=self.wanted[category],
                    written=len(self.kept.get(category, ())),
                    thrown=sum(t.category == category for t in self.thrown),
                    calls=self.asked.count(category),
                    failed=sum(f.category == category for f in self.failed),
                )
                for category in self.briefs
            ),
            calls=len(self.asked),
            usage=_sum(self.usages),
            stopped=self.stopped,
        )


def _usage(told: Mapping[str, float | None]) -> Usage:
    read, wrote = told.get("prompt_tokens"), told.get("completion_tokens")
    return Usage(
        prompt_tokens=None if read is None else int(read),
        completion_tokens=None if wrote is None else int(wrote),
        cost=told.get("cost"),
    )


def _sum(usages: Sequence[Usage]) -> Usage:
    def tokens(counts: Sequence[int | None]) -> int | None:
        told = [count for count in counts if count is not None]
        return sum(told) if told else None

    costs = [usage.cost for usage in usages if usage.cost is not None]
    return Usage(
        prompt_tokens=tokens([u.prompt_tokens for u in usages]),
        completion_tokens=tokens([u.completion_tokens for u in usages]),
        reasoning_tokens=tokens([u.reasoning_tokens for u in usages]),
        cost=sum(costs) if costs else None,
    )
