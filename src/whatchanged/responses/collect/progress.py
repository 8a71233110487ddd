"""How far a collection is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CollectProgress", "Counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectProgress:
    """A collection at one moment.

    Attributes:
        done: Calls that have ended, those of earlier runs included: with an answer or finally without.
        total: Calls in all.
        failed: Calls of this run that ended without an answer.
        retried: Failed attempts of this run that were or will be tried again.
        in_flight: Requests under way.
        cost: US dollars this run has cost, as far as costs are known.
        seconds: Seconds since it began.
        rate: Calls ended per second in this run.
        left: Seconds left at this rate; ``None`` before the first call has ended.
    """

    done: int
    total: int
    failed: int
    retried: int
    in_flight: int
    cost: float
    seconds: float
    rate: float
    left: float | None


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run counts as it goes.

    Attributes:
        total: Calls in all.
        before: Calls that had ended in earlier runs.
        answered, failed, retried: Of this run.
    """

    total: int
    before: int
    answered: int = 0
    failed: int = 0
    retried: int = 0

    def snapshot(self, in_flight: int, cost: float, seconds: float) -> CollectProgress:
        """The counts, with rate and time left."""
        ended = self.answered + self.failed
        rate = ended / seconds if seconds > 0 else 0.0
        left = (self.total - self.before - ended) / rate if rate > 0 else None
        return CollectProgress(
            done=self.before + ended,
            total=self.total,
            failed=self.failed,
            retried=self.retried,
            in_flight=in_flight,
            cost=cost,
            seconds=seconds,
            rate=rate,
            left=left,
        )
