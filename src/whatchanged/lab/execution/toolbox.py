"""What an agent can call: plain functions that answer with text and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Answer", "Picture", "Toolbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image.

    Attributes:
        mime: Its kind (``image/png``).
        data: Its bytes in base64.
    """

    mime: str
    data: str


Answer = str | Sequence[str | Picture]
"""What a tool gives back, free of secrets."""


class Toolbox(Protocol):
    """Functions for an agent. Their names, signatures and docstrings are what the agent is told of them.

    They run in threads, several at once. A `ValueError` or an error of the lab is told to the agent as the tool's
    failure; its message holds no secret.
    """

    instructions: str

    def tools(self) -> Sequence[Callable[..., Answer]]:
        """The functions."""
        ...

    def progress(self) -> str:
        """One line that says what is going on, for clients that show it while they wait."""
        ...
