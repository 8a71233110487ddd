"""What the driver says, one JSON object a line. It may be in the hands of the agent's code: everything is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = [
    "Beat",
    "Clear",
    "Dead",
    "Done",
    "Event",
    "Failed",
    "Omitted",
    "Output",
    "Ready",
    "Update",
    "parse_event",
]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stream(_Event):
    """Text of one stream."""

    output_type: Literal["stream"]
    name: Literal["stdout", "stderr"]
    text: str


class Display(_Event):
    """A rich output, or the value of a cell."""

    output_type: Literal["display_data", "execute_result"]
    data: dict[str, Any]
    metadata: dict[str, Any]
    execution_count: int | None = Field(default=None, ge=0)


class Error(_Event):
    """An exception."""

    output_type: Literal["error"]
    ename: str
    evalue: str
    traceback: list[str]


class Language(BaseModel):
    """What a notebook keeps of a kernel's language."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = "python"
    version: str = ""
    mimetype: str = "text/x-python"
    file_extension: str = ".py"
    pygments_lexer: str = "ipython3"


class Ready(_Event):
    """A kernel has started.

    Attributes:
        pid: Its process, as numbered where it runs.
        language: Its language.
        folder: Folder it began in.
        executable: Its interpreter.
    """

    event: Literal["ready"]
    pid: int
    language: Language
    folder: str
    executable: str


class Output(_Event):
    """One output of a cell; ``display`` names it for later updates."""

    event: Literal["output"]
    id: int
    output: Annotated[Stream | Display | Error, Field(discriminator="output_type")]
    display: str | None = None


class Update(_Event):
    """New content for a rich output of this or an earlier cell."""

    event: Literal["update"]
    id: int
    display: str | None
    data: dict[str, Any]
    metadata: dict[str, Any]


class Clear(_Event):
    """The cell clears its outputs: at once, or when the next comes."""

    event: Literal["clear"]
    id: int
    wait: bool


class Omitted(_Event):
    """What the driver left out at this place of a cell's outputs."""

    event: Literal["omitted"]
    id: int
    characters: int
    lines: int
    displays: int


class Done(_Event):
    """A cell has ended; its outputs are complete."""

    event: Literal["done"]
    id: int
    status: Literal["ok", "error", "aborted"]
    count: int | None = Field(ge=0)
    seconds: float


class Beat(_Event):
    """A cell is still running.

    Attributes:
        id: The cell.
        seconds: For how long.
        memory: Resident bytes of the kernel's process.
        waiting: Cells behind it.
    """

    event: Literal["beat"]
    id: int
    seconds: float
    memory: int | None
    waiting: int


class Dead(_Event):
    """The kernel has ended.

    Attributes:
        why: ``restarted``, or how it ended.
        ids: Cells that ended with it.
        running: The one that was running.
        last_words: End of what the process itself printed.
    """

    event: Literal["dead"]
    why: str
    ids: list[int]
    running: int | None
    last_words: str


class Failed(_Event):
    """No kernel could be started."""

    event: Literal["failed"]
    problem: str


Event = Ready | Output | Update | Clear | Omitted | Done | Beat | Dead | Failed

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def parse_event(line: bytes) -> Event | None:
    """The event of a line; ``None`` if it is none."""
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None
