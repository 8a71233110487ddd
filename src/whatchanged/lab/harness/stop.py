"""Why an agent stopped: one type per reason."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

__all__ = ["Finished", "Interrupted", "OutOfMoney", "OutOfSteps", "OutOfTime", "OutOfTokens", "Spent", "Stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an agent has used so far.

    Attributes:
        steps: Answers of the model.
        input_tokens: Tokens it read, cached ones included.
        output_tokens: Tokens it wrote.
        cost: US dollars by the provider's list; ``None`` if no price is known.
        seconds: Wall-clock time.
    """

    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """The agent stopped.

    Attributes:
        reason: The same in words.
        spent: What it used.
    """

    reason: str
    _: KW_ONLY
    spent: Spent = field(default_factory=Spent)


class Finished(Stop):
    """It said that it is done; `reason` is its last word."""

    __slots__ = ()


class OutOfSteps(Stop):
    """The limit of steps was reached."""

    __slots__ = ()


class OutOfTokens(Stop):
    """The limit of tokens was reached."""

    __slots__ = ()


class OutOfMoney(Stop):
    """The limit of cost was passed by the last request, or cannot be kept because no price is known."""

    __slots__ = ()


class OutOfTime(Stop):
    """The limit of wall-clock time was reached. What runs in the sandbox is the sandbox's to end."""

    __slots__ = ()


class Interrupted(Stop):
    """The user interrupted it."""

    __slots__ = ()
