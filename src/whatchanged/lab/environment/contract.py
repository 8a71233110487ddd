"""What every backend of a sandbox promises. `whatchanged.lab.conformance` checks each sentence over any backend.

Where things are:
    Paths are POSIX paths *inside* the sandbox; relative ones start at the workspace. The workspace is ``/workspace``
    (its real path on the local backend without isolation, told by `Backend.workspace`). ``HOME`` and ``TMPDIR`` are
    private to the sandbox, and nothing of the host's environment is visible.

Who sees an error:
    `SandboxError` and its subclasses are for the person who wrote the script: the sandbox cannot be had, or is over. An
    agent's own mistakes are values it is shown: a command that fails is a `Completed` with its return code, a command
    past its own time limit is a `Completed` with `timed_out`. `SandboxFileError` may be shown to either.

Units: seconds, bytes. Time limits are wall-clock.

Threads: every method may be called from any thread, several at once. None may be called from a signal handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from whatchanged.errors import SandboxError
from whatchanged.lab.environment.config import ModelConfig, RepoConfig, SandboxConfig

__all__ = [
    "FILE_LIMIT",
    "GUARANTEES",
    "OUTPUT_LIMIT",
    "Backend",
    "Completed",
    "FilesHome",
    "ModelHandle",
    "Process",
    "RepoHandle",
    "Snapshot",
]

OUTPUT_LIMIT = 10 * 2**20
"""Bytes of each stream that `Backend.exec` keeps; the rest is read, counted and dropped."""

FILE_LIMIT = 100 * 2**20
"""Bytes that `Backend.read_file` reads at most."""

GUARANTEES: Mapping[str, str] = {
    "files": "the host's files outside the bound folders can neither be read nor written",
    "network": "the network cannot be reached unless it was allowed",
    "processes": "the host's processes can neither be seen nor signalled",
    "supervisor": "what limits the sandbox cannot be ended from inside",
    "fork": "more processes than allowed cannot be started (otherwise they are noticed and the sandbox is ended)",
    "memory": "a sandbox that takes more memory than allowed is ended",
    "disk": "a sandbox that takes more disk than allowed is ended",
    "survival": "no process outlives the sandbox or its host process, daemons and new sessions included",
    "secrets": "another sandbox's or the host's secrets cannot be read",
}
"""What a backend may promise to contain; `Backend.guarantees` names those it does. The rest is told, not hidden."""


class Completed(str):
    """A command that ended. The text itself is its standard output, so that it reads like one.

    Undecodable bytes become U+FFFD.

    Attributes:
        stderr: Standard error.
        returncode: Exit code; a command ended by a signal has 128 + its number.
        timed_out: Whether the command passed its own time limit and was ended with all its children.
        stdout_dropped: Bytes of standard output over the limit, read and left out at the end.
        stderr_dropped: The same of standard error.
        seconds: Wall-clock time it took.
    """

    stderr: str
    returncode: int
    timed_out: bool
    stdout_dropped: int
    stderr_dropped: int
    seconds: float

    def __new__(
        cls,
        stdout: str = "",
        stderr: str = "",
        returncode: int = 0,
        *,
        timed_out: bool = False,
        stdout_dropped: int = 0,
        stderr_dropped: int = 0,
        seconds: float = 0.0,
    ) -> Self:
        """Make one; the arguments are the attributes."""
        completed = super().__new__(cls, stdout)
        completed.stderr = stderr
        completed.returncode = returncode
        completed.timed_out = timed_out
        completed.stdout_dropped = stdout_dropped
        completed.stderr_dropped = stderr_dropped
        completed.seconds = seconds
        return completed

    @property
    def stdout(self) -> str:
        """Standard output as a plain text."""
        return str.__str__(self)

    @property
    def ok(self) -> bool:
        """Whether it ended by itself and well."""
        return self.returncode == 0 and not self.timed_out

    def __repr__(self) -> str:
        end = "timed out" if self.timed_out else f"returncode={self.returncode}"
        return f"Completed({self.stdout!r}, stderr={self.stderr!r}, {end})"


class Process(Protocol):
    """A long-lived process in the sandbox, spoken to over byte streams.

    `stdin` is unbuffered or flushed by `flush()`; writing after the process ended raises `BrokenPipeError`. `stdout` and
    `stderr` support ``readline()``, ``read(n)`` and iteration by lines, block until there is something, and are at their
    end (``b""``) when the process and all who inherited the stream have ended, or the sandbox has. Both must be read, or
    the process stalls when a pipe is full (64 KiB). The streams are independent: each may have its own thread.
    """

    @property
    def stdin(self) -> IO[bytes]:
        """What the process reads."""
        ...

    @property
    def stdout(self) -> IO[bytes]:
        """What the process writes."""
        ...

    @property
    def stderr(self) -> IO[bytes]:
        """What it writes as errors."""
        ...

    def poll(self) -> int | None:
        """Exit code as in `Completed`, or ``None`` while it runs. 137 if the sandbox was ended under it."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            TimeoutError: If it still runs after `timeout` seconds; nothing is killed.
        """
        ...

    def kill(self) -> None:
        """End it and everything it started, daemons included, at once. Does nothing if it has ended."""
        ...

    def close(self) -> None:
        """Close `stdin`, give it 2 seconds to end by itself, `kill` it, and close the other streams. Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoHandle:
    """A cloned repository.

    Attributes:
        config: What was asked for.
        path: Its folder in the sandbox.
        commit: The commit that was checked out, 40 hex digits.
        import_paths: Folders from which its modules are imported, already on the interpreter's path.
    """

    config: RepoConfig
    path: str
    commit: str
    import_paths: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.config.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHandle:
    """A model whose weights are at hand.

    Attributes:
        config: What was asked for.
        path: Folder with the weights in the sandbox.
        base_path: The same of the adapter's base model.
    """

    config: ModelConfig
    path: str
    base_path: str | None = None

    @property
    def var_name(self) -> str:
        """Variable under which a session loads it."""
        return self.config.var_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The workspace as it was once; processes and memory are not part of it.

    Attributes:
        backend: Backend that can restore it.
        reference: Where that backend finds it: the path of a tar archive (local), an image id (Modal).
        description: The caller's words.
        created: When, in UTC.
    """

    backend: str
    reference: str
    description: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesHome:
    """What came home.

    Attributes:
        folder: Where it is now.
        files: Paths relative to it, sorted.
        bytes: Their size together.
        left_out: Path → why it was not brought (a link that leads outside, a socket, unreadable, too large).
    """

    folder: Path
    files: tuple[str, ...]
    bytes: int
    left_out: Mapping[str, str]


class Backend(Protocol):
    """One sandbox on one kind of machine. Made without arguments; used once: start, use, terminate."""

    @property
    def name(self) -> str:
        """Name in `SandboxConfig.backend`."""
        ...

    @property
    def sandbox_id(self) -> str:
        """Unique id, also found in the processes' environment as ``WHATCHANGED_SANDBOX``."""
        ...

    @property
    def workspace(self) -> str:
        """Path of the workspace inside."""
        ...

    @property
    def python(self) -> str:
        """Path of the interpreter inside that imports the packages, the repositories and ``whatchanged``."""
        ...

    @property
    def repos(self) -> tuple[RepoHandle, ...]:
        """The cloned repositories, in the order of the configuration."""
        ...

    @property
    def models(self) -> tuple[ModelHandle, ...]:
        """The models at hand, in the order of the configuration."""
        ...

    @property
    def guarantees(self) -> frozenset[str]:
        """Keys of `GUARANTEES` that hold in this sandbox. Known after `start`."""
        ...

    def holds_secrets(self, names: Sequence[str]) -> frozenset[str]:
        """Which of these secrets the backend itself keeps (Modal's), so that the host need not have them."""
        ...

    def start(
        self, config: SandboxConfig, secrets: Mapping[str, str], *, name: str, restore: Snapshot | None = None
    ) -> None:
        """Bring the sandbox up, with packages, repositories, files and models in place.

        Returns only when `exec` works. On any error, `KeyboardInterrupt` included, everything it made is removed before
        the error goes on. Commands of the set-up (pip, `install`) see no secret; only they may use the network when
        it is not allowed.

        Args:
            config: What is asked for.
            secrets: Names → values found on the host. They become environment variables and are never logged.
            name: Name of the run, for people.
            restore: A snapshot to begin with; packages and repositories are set up before it is put back.

        Raises:
            SandboxError: If it cannot be had. `IsolationUnavailable`, `RepoError` (git's own words), `PackageError`
                (pip's own words) and `SecretMissing` tell more.
            ValueError: If `config` asks for what the backend cannot do by nature.
        """
        ...

    def exec(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        output_limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        """Run a command and wait for its end.

        A text is run by ``/bin/sh -c``, a sequence directly. It ends when the command itself ends: background children
        keep running until the sandbox ends, but what they print later is lost. `PATH` begins with the interpreter's
        folder. A command that does not exist has return code 127, one that is not executable 126.

        Args:
            command: What to run.
            timeout: Seconds after which it is ended with all its children, daemons included; ``None`` leaves it to the
                sandbox's own limit.
            cwd: Folder it starts in; the workspace by default.
            env: Further variables.
            stdin: What it reads; at most 100 MiB.
            output_limit: Bytes kept of each stream.

        Raises:
            SandboxEnded: If the sandbox is over, before or during the command. `TimeLimit` and `ResourceLimit` say
                which limit ended it.
        """
        ...

    def open_process(
        self, command: str | Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a command and speak to it over its streams.

        A command that does not exist is a process that ends with 127.

        Raises:
            SandboxEnded: If the sandbox is over.
        """
        ...

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Content of a file, read with the rights of the sandbox.

        Raises:
            SandboxFileError: If it does not exist, is a folder, may not be read, or is larger than `limit`.
            SandboxEnded: If the sandbox is over.
        """
        ...

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file as a whole with the rights of the sandbox, making folders on the way.

        Raises:
            SandboxFileError: If it may not be written, or `path` is a folder.
            SandboxEnded: If the sandbox is over.
        """
        ...

    def snapshot(self, description: str = "") -> Snapshot:
        """Keep the workspace as it is now. It outlives the sandbox and is the caller's to delete.

        Raises:
            SandboxEnded: If the sandbox is over.
        """
        ...

    def files_home(self, folder: Path) -> FilesHome:
        """Copy what was made or changed in the workspace since the start into a folder of the host.

        Links are never followed out of the workspace. Clones' unchanged files, ``.git``, ``__pycache__`` and
        ``.ipynb_checkpoints`` stay. Works also after the sandbox ended by a limit, until `terminate` has removed it.
        No folder is made if there is nothing to bring.

        Raises:
            SandboxError: If the folder cannot be written, or the sandbox was terminated.
        """
        ...

    def ended(self) -> SandboxError | None:
        """Why it is over (a limit, its own death), or ``None`` while it runs. Cheap; may be polled."""
        ...

    def terminate(self) -> None:
        """End every process, remove every file and mount of it. Idempotent; never raises for what is gone already."""
        ...
