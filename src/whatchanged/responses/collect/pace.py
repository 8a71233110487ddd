"""How many requests may be under way: additive increase, multiplicative decrease, and pauses."""

from __future__ import annotations

__all__ = ["Pace"]

_START = 8
_LEAST = 1.0


class Pace:
    """A window of requests in flight.

    It opens by one with every success until the server is first overloaded, then by one per window
    of successes; it halves when the server is overloaded, once for all requests that were already
    under way at that moment.

    Args:
        limit: Most requests in flight.

    Raises:
        ValueError: A limit below 1.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"concurrency must be at least 1; got {limit}")
        self._limit = limit
        self.window = float(min(limit, _START))
        self.in_flight = 0
        self.paused_until = 0.0
        self._slow = False
        self._halved_at = float("-inf")

    def ready(self, now: float) -> bool:
        """Whether one more may be sent."""
        return self.in_flight < int(self.window) and now >= self.paused_until

    def succeeded(self) -> None:
        """An answer came."""
        step = 1 / self.window if self._slow else 1.0
        self.window = min(float(self._limit), self.window + step)

    def overloaded(self, sent_at: float, now: float) -> None:
        """The server could not take a request that was sent at `sent_at`."""
        self._slow = True
        if sent_at >= self._halved_at:
            self.window = max(_LEAST, self.window / 2)
            self._halved_at = now

    def pause(self, until: float) -> None:
        """Send nothing before this time: the server asked for it."""
        self.paused_until = max(self.paused_until, until)
