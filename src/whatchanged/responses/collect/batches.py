"""Checkpoints of this machine: slices of calls in a fixed order, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from whatchanged.errors import LLMError
from whatchanged.llm.protocol import Batching, Reply
from whatchanged.responses.collect.calls import Call, Key
from whatchanged.responses.collect.engine import Attempt, Run

__all__ = ["run_slices", "slices"]


def slices(calls: Iterable[Call], size: int) -> Iterator[list[Call]]:
    """Calls in slices of a size; the last may be shorter."""
    rest = iter(calls)
    while part := list(islice(rest, size)):
        yield part


async def run_slices(run: Run, planned: Iterable[Call], ended: Collection[Key]) -> None:
    """Hand the calls of batching models over, slice by slice, the sides in turn.

    The slices are those of the whole plan, whatever has been answered before, so that an interrupted
    run batches as an uninterrupted one does.
    """
    sides: dict[str, list[Call]] = {}
    for call in planned:
        sides.setdefault(call.side.name, []).append(call)
    waiting = []
    for calls in sides.values():
        model = calls[0].side.model
        assert isinstance(model, Batching), "only batching models come here"
        if model.batch_size < 1:
            raise ValueError(f"batch_size of {model.name} must be at least 1; got {model.batch_size}")
        waiting.append(slices(calls, model.batch_size))
    while waiting:
        for source in list(waiting):
            part = next(source, None)
            if part is None:
                waiting.remove(source)
            elif left := [call for call in part if call.key not in ended]:
                await _run_slice(run, [run.attempt(call) for call in left])
            if run.stopped is not None:
                return


async def _run_slice(run: Run, attempts: list[Attempt]) -> None:
    loop = asyncio.get_running_loop()
    model = attempts[0].call.side.model
    assert isinstance(model, Batching), "only batching models come here"
    while attempts and run.stopped is None and not run.late(loop.time()):
        taken = [attempt for attempt in attempts if run.take(attempt)]
        if len(taken) < len(attempts):
            run.stop(f"cost limit of ${run.budget.limit:g}")
        if not taken:
            return
        began = loop.time()
        outcomes = await model.reply_batch([attempt.request for attempt in taken])
        if len(outcomes) != len(taken):
            raise ValueError(f"{model.name} gave {len(outcomes)} replies to {len(taken)} requests")
        latency = loop.time() - began
        attempts = [a for a, o in zip(taken, outcomes, strict=True) if not _settle(run, a, o, latency)]
        run.tell(0)
        if attempts:
            await asyncio.sleep(run.retry.first * run.draw.uniform(0.5, 1.0))


def _settle(run: Run, attempt: Attempt, outcome: Reply | LLMError, latency: float) -> bool:
    """Log an outcome; whether the call has ended."""
    if isinstance(outcome, Reply):
        run.answered(attempt, outcome, latency)
        return True
    return not run.failed(attempt, outcome, latency)
