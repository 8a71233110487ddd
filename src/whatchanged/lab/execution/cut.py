"""Long output, cut in its middle, with counts of what is not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Omission", "cut_outputs", "cut_text"]


class Omission(NamedTuple):
    """How much was left out.

    Attributes:
        characters: Characters of text.
        lines: Line ends among them.
        displays: Rich outputs.
    """

    characters: int = 0
    lines: int = 0
    displays: int = 0

    def __add__(self, other: object) -> Omission:
        """Both together."""
        assert isinstance(other, Omission)
        return Omission(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def __str__(self) -> str:
        parts = [f"{self.characters:,} characters"] if self.characters else []
        parts += [f"{self.lines:,} lines"] if self.lines else []
        parts += [f"{self.displays:,} rich outputs"] if self.displays else []
        return f"[... {', '.join(parts)} left out here ...]"


_NOTHING = Omission()


def cut_text(text: str, limit: int) -> str:
    """The text's beginning and end, with a line between them that counts what is missing.

    The cut ends keep whole lines where that costs less than half of them.
    """
    if len(text) <= limit:
        return text
    head, tail = _ends(text, limit)
    missing = text[len(head) : len(text) - len(tail)]
    return f"{head}\n{Omission(len(missing), missing.count(chr(10)))}\n{tail}"


def cut_outputs(outputs: Iterable[dict[str, Any]], *, limit: int) -> list[dict[str, Any]]:
    """Outputs of a cell with at most about `limit` characters of readable text, the middle left out.

    Images stay where they are. Markers of the driver (``omitted``) become part of the note.
    """
    pieces = [_Piece.of(output) for output in outputs]
    total = sum(len(piece.text) for piece in pieces)
    if total <= limit:
        return [piece.output for piece in pieces if piece.show()]
    before, room = 0, limit // 2
    last = total - room
    noted = False
    kept: list[dict[str, Any]] = []
    left_out = Omission()
    note: dict[str, Any] = {}
    for piece in pieces:
        start, stop = before, before + len(piece.text)
        before = stop
        if stop <= room or start >= last:
            left_out += piece.omission
            if piece.show(combined=noted):
                kept.append(piece.output)
            continue
        head, tail = piece.text[: max(0, room - start)], piece.text[max(0, last - start) :]
        missing = piece.text[len(head) : len(piece.text) - len(tail)]
        left_out += Omission(len(missing), missing.count("\n")) + piece.omission
        if head:
            kept.append(piece.with_text(head))
        if not noted:
            note = {"output_type": "stream", "name": "stderr", "text": ""}
            kept.append(note)
            noted = True
        if tail:
            kept.append(piece.with_text(tail))
        elif not head and piece.has_image:
            kept.append(piece.with_text(""))
        elif not head and piece.rich:
            left_out += Omission(displays=1)
    note["text"] = f"\n{left_out}\n"
    return kept


def _ends(text: str, limit: int) -> tuple[str, str]:
    half = max(1, limit // 2)
    head, tail = text[:half], text[-half:]
    line = head.rfind("\n") + 1
    if line > half // 2:
        head = head[:line]
    line = tail.find("\n") + 1
    if 0 < line < half // 2:
        tail = tail[line:]
    return head, tail


@dataclass(slots=True)
class _Piece:
    """An output and its readable text."""

    output: dict[str, Any]
    text: str
    omission: Omission = _NOTHING

    @classmethod
    def of(cls, output: dict[str, Any]) -> _Piece:
        kind = output["output_type"]
        if kind == "omitted":
            omission = output["omission"]
            note = {"output_type": "stream", "name": "stderr", "text": f"\n{omission}\n"}
            return cls(note, "", omission)
        if kind == "stream":
            return cls(output, output["text"])
        if kind == "error":
            return cls(output, "\n".join(output["traceback"]))
        return cls(output, str(output["data"].get("text/plain", "")))

    @property
    def rich(self) -> bool:
        return "data" in self.output

    @property
    def has_image(self) -> bool:
        return any(mime.startswith("image/") for mime in self.output.get("data", {}))

    def show(self, *, combined: bool = False) -> bool:
        """Whether it stands for itself: a marker does, unless a note counts it already."""
        return not (self.omission != _NOTHING and combined)

    def with_text(self, text: str) -> dict[str, Any]:
        output = dict(self.output)
        if output["output_type"] == "stream":
            output["text"] = text
        elif output["output_type"] == "error":
            output["traceback"] = text.split("\n")
        else:
            images = {mime: value for mime, value in output["data"].items() if mime.startswith("image/")}
            output["data"] = images | ({"text/plain": text} if text else {})
        return output
