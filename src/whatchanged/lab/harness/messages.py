"""What happens while an agent works, one value per event; the stream of them is also the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

from whatchanged.lab.harness.stop import Stop

__all__ = ["Asked", "Message", "Said", "Thought", "ToolCalled", "ToolReturned", "as_json"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the agent was told: the task, or a word from the user.

    Attributes:
        text: The words.
        instructions: The standing task, where it is not `text` itself.
    """

    text: str
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the agent.

    Attributes:
        text: The words.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning that the provider shows.

    Attributes:
        text: The words.
    """

    text: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call the agent makes; it is yielded before the tool runs.

    Attributes:
        call: Id of the call, found again in its `ToolReturned`.
        tool: Name of the tool, with its server before it (``notebooks_execute_code``).
        arguments: What it is called with.
    """

    call: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """What came back.

    Attributes:
        call: Id of the call.
        tool: Name of the tool.
        text: Its answer as text.
        pictures: How many pictures the agent was shown beside it.
        failed: Whether the tool said that it failed. An error in a cell is no failure of the tool.
    """

    call: str
    tool: str
    text: str
    _: KW_ONLY
    pictures: int = 0
    failed: bool = False


Message = Asked | Said | Thought | ToolCalled | ToolReturned | Stop
"""What `run_agent` yields. The last one is a `Stop` and says why there is nothing more."""


def as_json(message: Message) -> dict[str, Any]:
    """A message as it stands in the transcript: its kind and its fields."""
    kind = type(message).__name__
    return {"kind": kind, **asdict(message)}
