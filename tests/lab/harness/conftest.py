"""No paid request is possible in these tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pydantic_ai.models
import pytest

from whatchanged.lab.execution.bridge import Bridge

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENROUTER_API_KEY")


@pytest.fixture(autouse=True)
def nothing_is_paid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", False)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


class Tools:
    """Three tools without a kernel, over the real server."""

    instructions = "Tools for tests."

    def __init__(self) -> None:
        self.notes: list[str] = []

    def tools(self) -> Sequence[Callable[..., str]]:
        return (self.note, self.nap, self.fail)

    def progress(self) -> str:
        return "working"

    def note(self, text: str) -> str:
        """Keep a text.

        Args:
            text: What to keep.
        """
        self.notes.append(text)
        return f"note {len(self.notes)}\nremember last: {text}"

    def nap(self, seconds: float) -> str:
        """Sleep."""
        time.sleep(seconds)
        return "rested"

    def fail(self) -> str:
        """Fail."""
        raise ValueError("this tool always fails")


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def served(tools: Tools) -> Iterator[dict[str, Any]]:
    """The tools as a session would give them."""
    bridge = Bridge(tools, name="tools", redact=str)
    bridge.open()
    yield {"tools": bridge.client_config()}
    bridge.close()
