"""The outputs of one cell, as they grow: joined, cleared, updated, redacted and cut."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import math
import threading
from collections.abc import Callable
from typing import Any

from whatchanged.lab.execution.cut import Omission, cut_outputs
from whatchanged.lab.execution.events import Clear, Error, Omitted, Output, Stream, Update
from whatchanged.llm.redact import Redactor
from whatchanged.llm.scattered import redact_scattered

__all__ = ["Outputs", "text_of"]

_RICHEST = 400_000  # characters of one text of a rich output other than its plain text
_IMAGE = 4_000_000  # characters of one image in base64
_IMAGES = 24  # images of one cell


class Outputs:
    """Outputs of one cell, in nbformat's form.

    What is given out by `finished` is safe to be written and shown: overwritten progress lines are gone, secrets
    are replaced, also where they come in pieces, long text is cut in its middle with counts, and images beyond the
    limits are named instead of kept.
    """

    def __init__(self) -> None:
        self._outputs: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._clear_next = False
        self._lock = threading.Lock()
        self.version = 0
        """Grows with every change."""

    def add(self, event: Output) -> None:
        """One more output."""
        output = event.output
        with self._lock:
            self._begin()
            last = self._outputs[-1] if self._outputs else {}
            if isinstance(output, Stream) and last.get("name") == output.name:
                last["parts"].append(output.text)
            elif isinstance(output, Stream):
                self._outputs.append({"output_type": "stream", "name": output.name, "parts": [output.text]})
            elif isinstance(output, Error):
                self._outputs.append(output.model_dump())
            else:
                fields = output.model_dump()
                if output.output_type == "display_data":
                    del fields["execution_count"]
                self._outputs.append(fields)
                if event.display:
                    self._displays.setdefault(event.display, []).append(fields)

    def omit(self, event: Omitted) -> None:
        """The driver left something out here."""
        omission = Omission(event.characters, event.lines, event.displays)
        with self._lock:
            self._begin()
            self._outputs.append({"output_type": "omitted", "omission": omission})

    def clear(self, event: Clear) -> None:
        """Forget what there is, at once or when the next output comes."""
        with self._lock:
            self._clear_next = True
            if not event.wait:
                self._begin()

    def update(self, event: Update) -> bool:
        """New content for a rich output; whether there is one of this name."""
        with self._lock:
            shown = self._displays.get(event.display or "", [])
            for output in shown:
                output["data"], output["metadata"] = event.data, event.metadata
                self.version += 1
            return bool(shown)

    def fail(self, name: str, value: str) -> None:
        """Add an error that is not the cell's own: the kernel's death, the end of the sandbox."""
        error = {"output_type": "error", "ename": name, "evalue": value, "traceback": [f"{name}: {value}"]}
        with self._lock:
            self.version += 1
            self._outputs.append(error)

    def finished(self, redactor: Redactor, *, limit: int) -> list[dict[str, Any]]:
        """The outputs as they may be written and shown, with at most about `limit` characters of text."""
        with self._lock:
            outputs = [_plain(output) for output in self._outputs]
        return cut_outputs(_redacted(outputs, redactor), limit=limit)

    def _begin(self) -> None:
        self.version += 1
        if self._clear_next:
            self._outputs, self._displays, self._clear_next = [], {}, False


def text_of(output: dict[str, Any]) -> str:
    """What a reader of plain text sees of an output."""
    kind = output["output_type"]
    if kind == "stream":
        return str(output["text"])
    if kind == "error":
        return "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"
    data = output.get("data", {})
    plain = data.get("text/plain") or data.get("text/markdown") or data.get("text/html") or ""
    return plain if isinstance(plain, str) else json.dumps(plain)


def _plain(output: dict[str, Any]) -> dict[str, Any]:
    """A copy without what was overwritten; streams get their text."""
    if output["output_type"] != "stream":
        return copy.deepcopy(output)
    text = "".join(output["parts"])
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return {"output_type": "stream", "name": output["name"], "text": text}


def _redacted(outputs: list[dict[str, Any]], redactor: Redactor) -> list[dict[str, Any]]:
    """Take secrets out of every text: all read in order, then each stream and each kind of rich text alone."""
    slots: list[tuple[str, Callable[[], str], Callable[[str], None]]] = []
    images = 0
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            slots.append((output["name"], *_slot(output, "text")))
        elif kind == "error":
            slots.append(("error", *_slot(output, "ename")))
            slots.append(("error", *_slot(output, "evalue")))
            slots += [("error", *_slot(output["traceback"], n)) for n in range(len(output["traceback"]))]
        elif kind != "omitted":
            images = _fit(output["data"], redactor, images)
            output["metadata"] = _deep(output["metadata"], redactor)
            for mime, value in list(output["data"].items()):
                if isinstance(value, list) and all(isinstance(part, str) for part in value):
                    output["data"][mime] = "".join(value)
                elif not isinstance(value, str):
                    clean = _deep(value, redactor)
                    output["data"][mime] = clean if mime.endswith("json") else json.dumps(clean)
            slots += [
                (mime, *_slot(output["data"], mime))
                for mime, value in output["data"].items()
                if isinstance(value, str) and not _is_image(mime)
            ]
    readable = {"stdout", "stderr", "error", "text/plain"}
    tracks = [[slot for slot in slots if slot[0] in readable]]
    tracks += [
        [slot for slot in slots if slot[0] == name] for name in dict.fromkeys(slot[0] for slot in slots)
    ]
    for track in tracks:
        told = redact_scattered(redactor, [get() for _, get, _ in track])
        for (_, _, put), text in zip(track, told, strict=True):
            put(text)
    return outputs


def _slot(holder: Any, key: Any) -> tuple[Callable[[], str], Callable[[str], None]]:
    def put(text: str) -> None:
        holder[key] = text

    return lambda: str(holder[key]), put


def _deep(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redact_scattered(redactor, [value])[0]
    if isinstance(value, list):
        return [_deep(item, redactor) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, dict):
        return {redactor(str(key)): _deep(item, redactor) for key, item in value.items()}
    return value


def _is_image(mime: str) -> bool:
    return mime.startswith("image/") and mime != "image/svg+xml"


def _fit(data: dict[str, Any], redactor: Redactor, images: int) -> int:
    """Name instead of keeping what is too large, or an image that carries a secret; how many images there are now."""
    notes = []
    for mime, value in list(data.items()):
        size = len(value) if isinstance(value, str) else 0
        reason = None
        if _is_image(mime):
            if images >= _IMAGES:
                reason = f"one of more than {_IMAGES} images of this cell"
            elif size > _IMAGE:
                reason = f"{size * 3 // 4 - str(value).count('='):,} bytes"
            elif _carries(value, redactor):
                reason = "no readable image, or it carries a secret"
            else:
                images += 1
        elif mime != "text/plain" and size > _RICHEST:
            reason = f"{size:,} characters"
        if reason:
            del data[mime]
            notes.append(f"[{mime} left out: {reason}]")
    if notes:
        data["text/plain"] = "\n".join([*([str(data["text/plain"])] if "text/plain" in data else []), *notes])
    return images


def _carries(value: Any, redactor: Redactor) -> bool:
    """Whether an image's bytes hold a secret (in its comments), or are no base64."""
    try:
        content = base64.b64decode("".join(value) if isinstance(value, list) else value, validate=False)
    except (binascii.Error, TypeError, ValueError):
        return True
    return redactor.inside(content.decode("latin-1"))
