"""Where a session's processes run: a sandbox, or this machine as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from whatchanged.errors import SandboxError, SandboxFileError
from whatchanged.lab.environment.contract import Completed, FilesHome, ModelHandle, Process, RepoHandle
from whatchanged.llm.redact import Redactor

__all__ = ["Machine", "ThisMachine"]

_GRACE = 5.0


class Machine(Protocol):
    """What a session needs of a `Sandbox`, which says what each of these promises."""

    redactor: Redactor

    @property
    def workspace(self) -> str: ...  # noqa: D102

    @property
    def python(self) -> str: ...  # noqa: D102

    @property
    def outputs(self) -> Path: ...  # noqa: D102

    @property
    def repo_handles(self) -> list[RepoHandle]: ...  # noqa: D102

    @property
    def model_handles(self) -> list[ModelHandle]: ...  # noqa: D102

    def exec(  # noqa: D102
        self, cmd: str | Sequence[str], timeout: float | None = None, *, stdin: bytes = b""
    ) -> Completed: ...

    def open_process(self, cmd: str | Sequence[str]) -> Process: ...  # noqa: D102

    def read_file(self, path: str) -> bytes: ...  # noqa: D102

    def write_file(self, path: str, content: str | bytes) -> None: ...  # noqa: D102

    def files_home(self) -> FilesHome: ...  # noqa: D102

    def ended(self) -> SandboxError | None: ...  # noqa: D102

    def terminate(self) -> object: ...  # noqa: D102


class ThisMachine:
    """The user's own machine and environment, without any isolation.

    Args:
        workspace: Folder the kernel begins in; made if it does not exist, never removed.
        outputs: Folder for the notebook.

    Attributes:
        redactor: Takes out the values of environment variables that are secrets by their names (``...KEY``,
            ``...TOKEN`` and the like).
    """

    python = sys.executable

    def __init__(self, workspace: str | Path, outputs: str | Path) -> None:
        self.redactor = Redactor(_secrets(os.environ))
        self.repo_handles: list[RepoHandle] = []
        self.model_handles: list[ModelHandle] = []
        self.outputs = Path(outputs).absolute()
        self._folder = Path(workspace).resolve()
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> str:
        """The folder."""
        return str(self._folder)

    def exec(
        self, cmd: str | Sequence[str], timeout: float | None = None, *, stdin: bytes = b""
    ) -> Completed:
        """Run a command in the folder."""
        with self._popen(cmd) as process:
            try:
                out, err = process.communicate(stdin, timeout)
                late = False
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                late = True
        return Completed(
            out.decode("utf-8", "replace"),
            err.decode("utf-8", "replace"),
            _code(process.returncode),
            timed_out=late,
        )

    def open_process(self, cmd: str | Sequence[str]) -> Process:
        """Start a command in the folder."""
        return _Started(self._popen(cmd))

    def read_file(self, path: str) -> bytes:
        """Read a file; relative paths begin at the folder."""
        try:
            return (self._folder / path).read_bytes()
        except OSError as error:
            raise SandboxFileError(f"{path} cannot be read: {error.strerror}") from error

    def write_file(self, path: str, content: str | bytes) -> None:
        """Write a file; relative paths begin at the folder."""
        try:
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise SandboxFileError(f"{path} cannot be written: {error.strerror}") from error

    def files_home(self) -> FilesHome:
        """Nothing to bring: the files are at home already."""
        return FilesHome(folder=self._folder, files=(), bytes=0, left_out={})

    def ended(self) -> SandboxError | None:
        """This machine does not end."""
        return None

    def terminate(self) -> None:
        """Nothing of it to end: a session ends what it started."""

    def _popen(self, command: str | Sequence[str]) -> subprocess.Popen[bytes]:
        shell = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        pipe = subprocess.PIPE
        return subprocess.Popen(
            shell, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self._folder, start_new_session=True
        )


class _Started:
    """A process of this machine, with its own session."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr

    def poll(self) -> int | None:
        code = self._process.poll()
        return None if code is None else _code(code)

    def wait(self, timeout: float | None = None) -> int:
        try:
            return _code(self._process.wait(timeout))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"the process still runs after {timeout} seconds") from error

    def kill(self) -> None:
        self._process.terminate()  # a driver takes its kernel's daemons with it when it is asked
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        with suppress(OSError):
            self.stdin.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> _Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _code(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode


def _secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of an environment that are secrets by their names."""
    marks = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
    return {
        name: value
        for name, value in environment.items()
        if len(value) >= 8 and any(mark in name.upper() for mark in marks)
    }
