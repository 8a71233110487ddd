"""A command in a local sandbox, spoken to over pipes."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from whatchanged.lab.environment.contract import Completed

__all__ = ["KILLED", "LocalProcess", "communicate"]

KILLED = 137
"""Exit code of what was ended by force."""

_GRACE = 2.0
_BLOCK = 1 << 16


class LocalProcess:
    """A running command. Its streams are pipes that lead straight to it.

    Args:
        stdin: Write end of its standard input.
        stdout: Read end of its standard output.
        stderr: Read end of its standard error.
        kill: Ends it with all its descendants.
    """

    def __init__(self, stdin: int, stdout: int, stderr: int, kill: Callable[[], None]) -> None:
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb")
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb")
        self.stderr: IO[bytes] = os.fdopen(stderr, "rb")
        self._kill = kill
        self._code: int | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._wake: int | None = None

    def settle(self, code: int) -> None:
        """Told once by whoever learns how it ended."""
        with self._lock:
            if self._over.is_set():
                return
            self._code = code
            self._over.set()
            if self._wake is not None:
                os.close(self._wake)

    def end_signal(self) -> int:
        """A descriptor that becomes readable at the end of the process; the caller closes it."""
        with self._lock:
            reading, writing = os.pipe()
            if self._over.is_set():
                os.close(writing)
            else:
                self._wake = writing
        return reading

    def poll(self) -> int | None:
        """Exit code, or ``None`` while it runs."""
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `TimeoutError` if it still runs after `timeout` seconds."""
        if not self._over.wait(timeout):
            raise TimeoutError(f"the process still runs after {timeout:g} s")
        assert self._code is not None
        return self._code

    def kill(self) -> None:
        """End it and its descendants."""
        self._kill()

    def close(self) -> None:
        """Close its input, wait shortly, end it and its descendants, close the rest."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        self._over.wait(_GRACE)
        self._kill()  # also what it left behind
        if not self._over.wait(_GRACE):
            self.settle(KILLED)
        self.release()

    def release(self) -> None:
        """Close the streams and leave the process alone."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        for stream in (self.stdout, self.stderr):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def communicate(process: LocalProcess, stdin: bytes, timeout: float | None, limit: int) -> Completed:
    """Feed a command, collect its output up to `limit` bytes of each stream, and wait for its end.

    What its background children still write after its own end is lost.
    """
    began = time.monotonic()
    kept = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    dropped = dict.fromkeys(kept, 0)
    outputs = list(kept)
    waiting = memoryview(stdin)
    timed_out = False
    over = process.end_signal()
    with selectors.DefaultSelector() as selector, os.fdopen(over, "rb"):
        for stream in outputs:
            os.set_blocking(stream, False)
            selector.register(stream, selectors.EVENT_READ)
        selector.register(over, selectors.EVENT_READ)
        if waiting:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin.fileno(), selectors.EVENT_WRITE)
        else:
            process.stdin.close()
        deadline = None if timeout is None else began + timeout
        while process.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                timed_out, deadline = True, None
                process.kill()
                continue
            for key, _ in selector.select(left):
                if key.fd in kept:
                    if not _take(key.fd, kept[key.fd], dropped, limit):
                        selector.unregister(key.fd)
                elif key.fd != over:
                    waiting = _give(key.fd, waiting)
                    if not waiting:
                        selector.unregister(key.fd)
                        process.stdin.close()
        for stream in outputs:
            while _take(stream, kept[stream], dropped, limit, drain=True):
                pass
    out, err = (bytes(kept[stream]).decode("utf-8", "replace") for stream in outputs)
    code = process.poll()
    assert code is not None
    return Completed(
        out,
        err,
        code,
        timed_out=timed_out,
        stdout_dropped=dropped[outputs[0]],
        stderr_dropped=dropped[outputs[1]],
        seconds=time.monotonic() - began,
    )


def _take(stream: int, kept: bytearray, dropped: dict[int, int], limit: int, *, drain: bool = False) -> bool:
    """Read once; ``False`` at the end of the stream, and when draining also once there is nothing more."""
    try:
        block = os.read(stream, _BLOCK)
    except BlockingIOError:
        return not drain
    room = max(limit - len(kept), 0)
    kept += block[:room]
    dropped[stream] += max(len(block) - room, 0)
    return bool(block)


def _give(stream: int, waiting: memoryview) -> memoryview:
    """Write what fits; nothing is left to write when the reader is gone."""
    try:
        return waiting[os.write(stream, waiting[:_BLOCK]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return memoryview(b"")
