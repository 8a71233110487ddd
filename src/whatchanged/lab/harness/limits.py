"""How much an agent may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from whatchanged.lab.harness.stop import OutOfMoney, OutOfSteps, OutOfTime, OutOfTokens, Spent, Stop

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an agent may use, over all turns of a conversation. ``None`` sets no limit.

    Steps and time are never passed. Tokens and cost are known only when an answer is there, so the request that passes
    them is the last one.

    Attributes:
        steps: Answers of the model.
        tokens: Tokens read and written together, cached ones included.
        cost: US dollars.
        seconds: Wall-clock time.
    """

    steps: int | None = 300
    tokens: int | None = 30_000_000
    cost: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "tokens", "cost", "seconds"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} is a positive number, or None for no limit; got {value}")

    def reached(self, spent: Spent, *, model: str) -> Stop | None:
        """The reason to stop before another request, if there is one.

        Args:
            spent: What was used so far.
            model: Whose prices `spent` is told by.
        """
        if self.seconds is not None and spent.seconds >= self.seconds:
            return self.out_of_time(spent)
        if self.steps is not None and spent.steps >= self.steps:
            return OutOfSteps(f"the limit of {self.steps} steps is reached", spent=spent)
        tokens = spent.input_tokens + spent.output_tokens
        if self.tokens is not None and tokens >= self.tokens:
            return OutOfTokens(f"the limit of {self.tokens:,} tokens is reached with {tokens:,}", spent=spent)
        if self.cost is None or not spent.steps:
            return None
        if spent.cost is None:
            return OutOfMoney(
                f"no price of {model} is known, so the limit of ${self.cost:g} cannot be kept; set a limit of tokens "
                "instead",
                spent=spent,
            )
        if spent.cost >= self.cost:
            return OutOfMoney(f"the limit of ${self.cost:g} is reached with ${spent.cost:.4f}", spent=spent)
        return None

    def out_of_time(self, spent: Spent) -> OutOfTime:
        """The stop that ends a call under way."""
        return OutOfTime(f"the limit of {self.seconds:g} seconds is reached", spent=spent)
