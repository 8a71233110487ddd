"""The loop that sends: one window for all requests, failures waiting aside, every outcome logged first."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from whatchanged.errors import AccessDenied, BudgetExhausted, LLMError, RateLimited, Unavailable
from whatchanged.llm.protocol import ChatRequest, Reply
from whatchanged.responses.collect.budget import Budget
from whatchanged.responses.collect.calls import Call, Settings, request_for
from whatchanged.responses.collect.lines import answer_line, failure_line, sent_line
from whatchanged.responses.collect.log import CallLog
from whatchanged.responses.collect.pace import Pace
from whatchanged.responses.collect.progress import CollectProgress, Counts
from whatchanged.responses.collect.retry import RetryPolicy

__all__ = ["Attempt", "Run", "send_all"]

_OVERLOAD = frozenset({503, 529})
_TELL = 0.25
"""Seconds between two reports of progress."""


@dataclass(slots=True)
class Attempt:
    """A call under way or waiting for its next attempt.

    Attributes:
        call: The call.
        request: What is sent.
        number: Number of the present attempt, from 1.
        failures: Failures so far by kind.
        worst: US dollars reserved for the present attempt.
    """

    call: Call
    request: ChatRequest
    number: int = 1
    failures: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0


class Run:
    """What the senders of one run share: log, money, counts, and the reason to stop.

    Attributes:
        stopped: Why nothing more is sent; ``None`` while all is well.
        fatal: Failure that every further request would meet as well.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        log: CallLog,
        budget: Budget,
        retry: RetryPolicy,
        timeout: float,
        deadline: float | None,
        counts: Counts,
        progress: Callable[[CollectProgress], None] | None,
    ) -> None:
        self.settings, self.log, self.budget, self.retry = settings, log, budget, retry
        self.timeout, self.seconds, self.counts = timeout, deadline, counts
        self.draw = random.Random()
        self.stopped: str | None = None
        self.fatal: AccessDenied | None = None
        self._progress, self._told = progress, float("-inf")
        self.began = asyncio.get_running_loop().time()
        self.ends = self.began + deadline if deadline is not None else float("inf")

    def attempt(self, call: Call) -> Attempt:
        """The first attempt at a call."""
        return Attempt(call, request_for(call, self.settings))

    def take(self, attempt: Attempt) -> bool:
        """Reserve an attempt's worst case and say in the log that it goes out; ``False`` if it must not."""
        name = attempt.call.side.name
        attempt.worst = self.budget.worst(name, attempt.request)
        if not self.budget.reserve(attempt.worst):
            return False
        if self.budget.limit is not None:
            self.log.append(sent_line(attempt.call.key, attempt.number, attempt.worst))
        return True

    def answered(self, attempt: Attempt, reply: Reply, latency: float) -> None:
        """Log an answer."""
        bill = self.budget.settle(attempt.call.side.name, attempt.worst, reply.usage)
        self.log.append(
            answer_line(attempt.call.key, attempt.number, attempt.request, reply,
                        cost=bill.cost, charged=bill.charged, latency=latency)
        )  # fmt: skip
        self.counts.answered += 1
        self._after(bill.charged)

    def failed(self, attempt: Attempt, error: LLMError, latency: float) -> bool:
        """Log a failure; whether the call is to be tried again in this run."""
        bill = self.budget.settle(attempt.call.side.name, attempt.worst, error)
        attempt.failures[error.kind] += 1
        stops = isinstance(error, AccessDenied | BudgetExhausted)
        again = not stops and self.retry.again(error, attempt.failures)
        self.log.append(
            failure_line(attempt.call.key, attempt.number, attempt.request, error, final=not (stops or again),
                         cost=bill.cost, charged=bill.charged, latency=latency)
        )  # fmt: skip
        if isinstance(error, AccessDenied):
            self.fatal = self.fatal or error
            self.stop(str(error))
        elif isinstance(error, BudgetExhausted):
            self.stop(str(error))
        elif again:
            self.counts.retried += 1
            if (error.retry_after or 0) > self.retry.patience:
                self.stop(f"{attempt.call.side.name} asks to wait {error.retry_after:.0f} s")
        else:
            self.counts.failed += 1
        self._after(bill.charged)
        attempt.number += 1
        return again

    def stop(self, why: str) -> None:
        """Send nothing more; the first reason counts."""
        self.stopped = self.stopped or why

    def late(self, now: float) -> bool:
        """Whether the deadline of the whole run has passed; if so, the run stops."""
        if now >= self.ends:
            self.stop(f"deadline of {self.seconds:g} s")
        return now >= self.ends

    def tell(self, in_flight: int, *, always: bool = False) -> None:
        """Report progress, not more often than four times a second."""
        now = asyncio.get_running_loop().time()
        if self._progress is not None and (always or now - self._told >= _TELL):
            self._told = now
            self._progress(self.counts.snapshot(in_flight, self.budget.known, now - self.began))

    def _after(self, charged: float | None) -> None:
        if self.budget.overrun and self.budget.limit is not None:
            self.stop(f"a request cost ${charged:g}, more than its price allows; check the prices")


async def send_all(run: Run, calls: Iterator[Call], pace: Pace) -> None:
    """Send calls one by one until each has ended or the run is stopped.

    Requests under way are awaited when the run stops, except at its deadline.
    """
    await _Sender(run, calls, pace).work()


class _Sender:
    """One window, the calls to come, and those that wait for another attempt."""

    def __init__(self, run: Run, calls: Iterator[Call], pace: Pace) -> None:
        self._run, self._calls, self._pace = run, calls, pace
        self._waiting: list[tuple[float, int, Attempt]] = []
        self._order = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._crash: BaseException | None = None
        self._loop = asyncio.get_running_loop()

    async def work(self) -> None:
        try:
            await self._feed()
            while self._tasks and self._crash is None:
                await self._rest(self._run.ends)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._crash is not None:
            raise self._crash

    async def _feed(self) -> None:
        run, held = self._run, None
        while run.stopped is None and self._crash is None:
            now = self._loop.time()
            if run.late(now):
                return
            held = held or self._next(now)
            if held is None and not self._waiting and not self._tasks:
                return
            if held is None or not self._pace.ready(now):
                due = self._waiting[0][0] if held is None and self._waiting else float("inf")
                paused = self._pace.paused_until
                await self._rest(min(due, paused if paused > now else float("inf"), run.ends))
            elif run.take(held):
                self._send(held)
                held = None
            elif self._tasks:
                await self._rest(run.ends)
            else:
                run.stop(f"cost limit of ${run.budget.limit:g}")

    def _next(self, now: float) -> Attempt | None:
        if self._waiting and self._waiting[0][0] <= now:
            return heapq.heappop(self._waiting)[2]
        call = next(self._calls, None)
        return self._run.attempt(call) if call is not None else None

    async def _rest(self, until: float) -> None:
        """Until a request ends, or until a time."""
        self._woken.clear()
        timer = self._loop.call_at(until, self._woken.set) if until < float("inf") else None
        try:
            await self._woken.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _send(self, attempt: Attempt) -> None:
        self._pace.in_flight += 1
        task = self._loop.create_task(self._one(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (crash := task.exception()) is not None:
            self._crash = self._crash or crash
        self._woken.set()

    async def _one(self, attempt: Attempt) -> None:
        run, pace, sent = self._run, self._pace, self._loop.time()
        outcome: Reply | LLMError
        try:
            async with asyncio.timeout_at(min(sent + run.timeout, run.ends)):
                outcome = await attempt.call.side.model.reply(attempt.request)
        except TimeoutError:
            outcome = Unavailable(f"no answer within {self._loop.time() - sent:.0f} s", status=503)
        except LLMError as error:
            outcome = error
        finally:
            pace.in_flight -= 1
        now = self._loop.time()
        if isinstance(outcome, Reply):
            run.answered(attempt, outcome, now - sent)
            pace.succeeded()
        else:
            self._failed(attempt, outcome, sent, now)
        run.tell(pace.in_flight)

    def _failed(self, attempt: Attempt, error: LLMError, sent: float, now: float) -> None:
        run, pace = self._run, self._pace
        if run.late(now):
            error = BudgetExhausted(f"the deadline of {run.seconds:g} s passed: {error}", free=error.free)
        if isinstance(error, RateLimited) or error.status in _OVERLOAD:
            pace.overloaded(sent, now)
        number = attempt.number
        if run.failed(attempt, error, now - sent):
            wait = run.retry.wait(error, number, run.draw)
            if error.retry_after:
                pace.pause(now + min(error.retry_after, run.retry.patience))
            self._order += 1
            heapq.heappush(self._waiting, (now + wait, self._order, attempt))
