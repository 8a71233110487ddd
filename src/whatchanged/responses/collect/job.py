"""One collection at work: the lock, the sheet, the log, and the senders."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from whatchanged.artifacts import PromptSet
from whatchanged.errors import AccessDenied
from whatchanged.llm.blocking import run_blocking
from whatchanged.llm.prices import Price, read_prices
from whatchanged.llm.protocol import Batching
from whatchanged.responses.collect.answers import ended, outcomes
from whatchanged.responses.collect.batches import run_slices
from whatchanged.responses.collect.budget import Budget, known_price, refuse_unpriced, spent
from whatchanged.responses.collect.calls import Call, Key, Settings, Side, plan_calls, request_for
from whatchanged.responses.collect.engine import Run, send_all
from whatchanged.responses.collect.lines import Line
from whatchanged.responses.collect.log import LOG, CallLog, read_log
from whatchanged.responses.collect.pace import Pace
from whatchanged.responses.collect.progress import CollectProgress, Counts
from whatchanged.responses.collect.retry import RetryPolicy
from whatchanged.responses.collect.sheet import agree, locked
from whatchanged.responses.collect.summary import summarise
from whatchanged.store import cache_folder, update_manifest

__all__ = ["Job"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One collection with everything it needs; see `collect` for what each part means."""

    prompts: PromptSet
    sides: tuple[Side, ...]
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

    @classmethod
    def of(
        cls,
        prompts: PromptSet,
        sides: tuple[Side, ...],
        *,
        out: str | PathLike[str] | None = None,
        samples: int = 1,
        max_tokens: int = 1024,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int = 0,
        stop: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
        concurrency: int = 32,
        cost_limit: float | None = None,
        deadline: float | None = None,
        timeout: float = 120.0,
        prices: str | PathLike[str] | Mapping[str, Price] | None = None,
        retry: RetryPolicy | None = None,
        progress: Callable[[CollectProgress], None] | None = None,
    ) -> Job:
        """Check the arguments of a collection and put them together.

        Raises:
            ValueError: An argument is out of its range.
            InputError: The price file cannot be read.
        """
        if not len(prompts):
            raise ValueError("there are no prompts to ask; give at least one")
        for what, seconds in (("deadline", deadline), ("timeout", timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{what} must be more than 0 seconds; got {seconds}")
        return cls(
            prompts=prompts,
            sides=sides,
            samples=samples,
            settings=Settings(
                max_tokens=max_tokens,
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                stop=tuple(stop),
                extra=dict(extra or {}),
            ),
            folder=Path(out) if out is not None else _new_folder(),
            pace=Pace(concurrency),
            cost_limit=cost_limit,
            deadline=deadline,
            timeout=timeout,
            prices=prices
            if isinstance(prices, Mapping)
            else read_prices(prices)
            if prices is not None
            else {},
            retry=retry or RetryPolicy(),
            progress=progress,
        )

    def run(self) -> tuple[dict[Key, Line], str | None]:
        """Ask for what is missing.

        Returns:
            The last word on every call of the folder, and why the run stopped early, if it did.

        Raises:
            AccessDenied: A key was refused; finished calls are kept.
            BudgetExhausted: Under a cost limit, a price is unknown.
            StoreError: The folder holds calls asked otherwise, is in use, or cannot be written.
        """
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
        return last, stopped

    async def _ask(self) -> tuple[str | None, AccessDenied | None]:
        try:
            return await self._send()
        finally:
            for model in {id(side.model): side.model for side in self.sides}.values():
                await model.close()

    async def _send(self) -> tuple[str | None, AccessDenied | None]:
        with CallLog(self.folder / LOG) as log:
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


def _new_folder() -> Path:
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return cache_folder() / "collected" / f"{now}-{uuid.uuid4().hex[:6]}"
