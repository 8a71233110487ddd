"""When a failed request is tried again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from whatchanged.errors import LLMError

__all__ = ["RetryPolicy"]

_ATTEMPTS = {"rate_limited": 10, "unavailable": 6, "bad_reply": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Attempts by kind of failure, and the waits between them.

    Attributes:
        attempts: Most attempts that may end with each kind of failure; kinds not named are not retried.
        first: Seconds before the second attempt; doubled for each further one. The wait is drawn
            between half of it and all of it.
        longest: Most seconds of such a wait.
        patience: Most seconds a server may ask us to wait; if it asks for more, the run stops.
    """

    attempts: Mapping[str, int] = field(default_factory=lambda: dict(_ATTEMPTS))
    first: float = 1.0
    longest: float = 60.0
    patience: float = 600.0

    def again(self, error: LLMError, failed: Mapping[str, int]) -> bool:
        """Whether to try again after failures so often of each kind, this one included."""
        return error.retryable and failed.get(error.kind, 0) < self.attempts.get(error.kind, 1)

    def wait(self, error: LLMError, attempt: int, draw: random.Random) -> float:
        """Seconds to wait after this attempt (from 1); never less than the server asked for."""
        backoff = min(self.longest, self.first * 2.0 ** min(attempt - 1, 30))
        return (error.retry_after or 0.0) + backoff * draw.uniform(0.5, 1.0)
