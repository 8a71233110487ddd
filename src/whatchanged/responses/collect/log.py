"""The append-only log of calls: written at once, synced in groups, healed after a kill."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from whatchanged.errors import StoreError
from whatchanged.responses.collect.lines import Line

__all__ = ["LOG", "CallLog", "read_log"]

LOG = "calls.jsonl"

_GROUP = 0.05
"""Seconds between two syncs: a machine that loses power loses no more than what this took to write."""


class CallLog:
    """Appends lines to a file.

    `append` returns when the operating system has the line, so that a killed process loses none. A
    thread flushes to the disk in groups; `close` returns when everything is there.

    Raises:
        StoreError: The file cannot be opened, or is damaged elsewhere than in its last line.
    """

    def __init__(self, path: Path) -> None:
        _heal(path)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
        self._path = path
        self._dirty, self._closing = threading.Event(), threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._sync, name="whatchanged-log", daemon=True)
        self._thread.start()

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line.

        Raises:
            StoreError: The disk is full or failing.
        """
        left = memoryview((json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written: {error.strerror}; nothing more is asked"
            ) from error
        self._dirty.set()
        self._check()

    def close(self) -> None:
        """Flush everything to the disk and let go of the file.

        Raises:
            StoreError: Flushing failed.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._dirty.set()
        self._thread.join()
        os.close(self._file)
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sync(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(_GROUP)
            self._dirty.clear()
            try:
                os.fsync(self._file)
            except OSError as error:
                self._failed = error
                return

    def _check(self) -> None:
        if self._failed is not None:
            raise StoreError(f"{self._path} cannot be flushed to the disk: {self._failed.strerror}")


def read_log(path: Path) -> Iterator[Line]:
    """The lines of a log; a torn last line is passed over. No file is an empty log.

    Raises:
        StoreError: A line other than the last cannot be read.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                yield Line.model_validate_json(raw)
            except ValidationError as error:
                if _torn(raw) and not file.read(1):
                    return
                what = error.errors(include_input=False, include_url=False)[0]["msg"]
                raise StoreError(
                    f"{path}:{number} is no line of a log of calls ({what}); the answers after it are paid for: "
                    "mend or delete that line, and run again"
                ) from None


def _heal(path: Path) -> None:
    """Cut off what a kill or a power loss left of a last line."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        start = _line_start(file, end)
        file.seek(start)
        last = file.read()
        if _torn(last):
            file.truncate(start)
        elif not last.endswith(b"\n"):
            file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


def _torn(line: bytes) -> bool:
    """Whether a line is not the whole of what was written."""
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _line_start(file: Any, end: int) -> int:
    """Where the last line begins; a line end that closes the file belongs to it."""
    position, block = end - 1, 1 << 16
    while position > 0:
        begin = max(0, position - block)
        file.seek(begin)
        found = file.read(position - begin).rfind(b"\n")
        if found >= 0:
            return begin + int(found) + 1
        position = begin
    return 0
