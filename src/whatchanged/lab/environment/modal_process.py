"""A command in a Modal sandbox, spoken to over Modal's streams; no port is opened."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    import modal

__all__ = ["KILLED", "ModalProcess"]

KILLED = 137
"""Exit code of what was ended by force."""

_GRACE = 2.0


class _Reader(io.RawIOBase):
    """One of the process's output streams."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        from modal import exception

        if not self._rest:
            try:
                self._rest = memoryview(next(self._chunks, b""))
            except exception.Error:  # the sandbox ended under it, which is the end of the stream
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        from modal import exception

        if not self.closed and isinstance(self._chunks, Generator):
            with suppress(ValueError, exception.Error):  # another thread is reading: it ends with the process
                self._chunks.close()
        super().close()


class _Writer(io.RawIOBase):
    """The process's input stream, unbuffered."""

    def __init__(self, process: ModalProcess) -> None:
        self._process = process
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        from modal import exception

        content = bytes(data)
        stdin = self._process.inner.stdin
        with self._lock:
            if self._process.poll() is not None:
                raise BrokenPipeError("the process has ended")
            try:
                for start in range(0, len(content), 1 << 20):
                    stdin.write(content[start : start + (1 << 20)])
                    stdin.drain()
            except (exception.Error, ValueError) as error:
                raise BrokenPipeError(str(error)) from error
        return len(content)

    def close(self) -> None:
        from modal import exception

        if not self.closed:
            stdin = self._process.inner.stdin
            with suppress(exception.Error, ValueError):
                stdin.write_eof()
                stdin.drain()
        super().close()


class ModalProcess:
    """A running command.

    Args:
        inner: Modal's own handle.
        kill: Ends it with all it started.
    """

    def __init__(
        self, inner: modal.container_process.ContainerProcess[bytes], kill: Callable[[], None]
    ) -> None:
        self.inner = inner
        self.stdin: IO[bytes] = _Writer(self)  # type: ignore[assignment]
        self.stdout: IO[bytes] = io.BufferedReader(_Reader(iter(inner.stdout)))
        self.stderr: IO[bytes] = io.BufferedReader(_Reader(iter(inner.stderr)))
        self._kill = kill
        self._code: int | None = None
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="modal-process", daemon=True).start()

    def _watch(self) -> None:
        from modal import exception

        code = KILLED
        try:
            code = self.inner.wait()
        except exception.Error:  # the sandbox ended under it
            code = KILLED
        finally:
            self._code = code
            self._over.set()

    def poll(self) -> int | None:
        """Exit code, or ``None`` while it runs."""
        return self._code if self._over.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        if not self._over.wait(timeout):
            raise TimeoutError(f"the process still runs after {timeout:g} s")
        assert self._code is not None
        return self._code

    def kill(self) -> None:
        """End it and everything it started."""
        if self.poll() is None:
            self._kill()
            self._over.wait(_GRACE)

    def close(self) -> None:
        """Close its input, let it end, else end it, and close the other streams."""
        self.stdin.close()
        if not self._over.wait(_GRACE):
            self.kill()
        for stream in (self.stdout, self.stderr):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
