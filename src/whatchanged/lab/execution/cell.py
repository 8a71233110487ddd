"""A cell that was sent to the kernel, and what is known of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from whatchanged.lab.execution.outputs import Outputs, text_of

__all__ = ["CellResult", "CellRun", "Status"]

Status = Literal["queued", "running", "ok", "error", "interrupted", "died"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A cell's outputs, redacted and cut, or how far it has come.

    Attributes:
        handle: Number of the run, for `wait`.
        status: ``queued`` behind another cell, ``running``, or how it ended: ``ok``, ``error`` (it raised),
            ``interrupted``, ``died`` (the kernel or its sandbox ended under it).
        outputs: Outputs so far, in nbformat's form.
        execution_count: The kernel's number of it; ``None`` until it ended.
        cell: Its place among the code cells of the notebook, from 0; ``None`` for a set-up cell.
        seconds: How long it ran, or has been running.
        silent: Seconds since its last output, while it runs.
        memory: Resident bytes of the kernel, while it runs; ``None`` if unknown.
    """

    handle: int
    status: Status
    outputs: tuple[Mapping[str, Any], ...]
    execution_count: int | None
    cell: int | None
    seconds: float
    silent: float = 0.0
    memory: int | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status not in {"queued", "running"}

    @property
    def text(self) -> str:
        """The outputs as plain text."""
        return "".join(_ended(text_of(dict(output))) for output in self.outputs)

    @property
    def error(self) -> str | None:
        """Name and message of the exception it ended with, if any."""
        for output in reversed(self.outputs):
            if output["output_type"] == "error":
                return f"{output['ename']}: {output['evalue']}"
        return None

    def __getitem__(self, name: str) -> Any:
        """An attribute by its name, for scripts that read the result as a mapping."""
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)


@dataclass(slots=True, kw_only=True)
class CellRun:
    """One run of a cell, in the hands of its session.

    Attributes:
        handle: Number of the run.
        cell: Its cell in the notebook; ``None`` for a set-up that is run again after a restart.
        outputs: Its outputs.
        status: How far it is.
        count: The kernel's number of it, when it has ended.
        sent: When it was sent (monotonic).
        seconds: How long it has run.
        memory: Memory of the kernel at the last sign of life.
        heard: When its last output came (monotonic).
        saved: Version of the outputs that is on disk.
        interrupted: Whether an interrupt was sent to it.
        over: Set when it has ended and the notebook holds it.
    """

    handle: int
    cell: dict[str, Any] | None
    outputs: Outputs = field(default_factory=Outputs)
    status: Status = "queued"
    sent: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    count: int | None = None
    memory: int | None = None
    heard: float = field(default_factory=time.monotonic)
    saved: int = 0
    interrupted: bool = False
    over: threading.Event = field(default_factory=threading.Event)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
