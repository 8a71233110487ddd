"""The sandbox as a script uses it: any backend, secrets found first, files home at the end."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

from whatchanged.errors import SandboxEnded, SandboxError
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.contract import (
    FILE_LIMIT,
    OUTPUT_LIMIT,
    Backend,
    Completed,
    FilesHome,
    ModelHandle,
    Process,
    RepoHandle,
    Snapshot,
)
from whatchanged.lab.environment.endings import enlist, strike
from whatchanged.lab.environment.secrets import find_secrets
from whatchanged.llm.redact import Redactor

__all__ = ["BACKENDS", "Sandbox", "open_backend"]

BACKENDS: Mapping[str, str] = {
    "local": "whatchanged.lab.environment.local:LocalBackend",
    "modal": "whatchanged.lab.environment.modal:ModalBackend",
}
"""Name → module and class; imported when first asked for."""


def open_backend(name: str | None) -> Backend:
    """A backend that is not started: the one named, else that of ``WHATCHANGED_BACKEND``, else the local one.

    Raises:
        ValueError: If there is none of that name.
        MissingExtra: If it needs a package that is not installed.
    """
    chosen = name or os.environ.get("WHATCHANGED_BACKEND", "").strip() or "local"
    if chosen not in BACKENDS:
        raise ValueError(f"there is no backend {chosen!r}; use one of {', '.join(sorted(BACKENDS))}")
    module, _, kind = BACKENDS[chosen].partition(":")
    backend: Backend = getattr(import_module(module), kind)()
    return backend


class Sandbox:
    """A place for an agent's work: files, packages, repositories and limits as configured.

    Use it as a context manager, or call `start` and `terminate`; a script that never calls `terminate` leaves nothing
    behind either. At the end, what was made in the workspace comes home to ``config.outputs``.

    Args:
        config: What it is asked to be.
        backend: A backend that is not started, instead of the configured one.

    Attributes:
        config: What it is asked to be.
        backend: Where it runs.
        redactor: Takes the sandbox's secrets out of texts.
        home: What came home at the end; ``None`` before.
    """

    def __init__(self, config: SandboxConfig, *, backend: Backend | None = None) -> None:
        self.config = config
        self.backend = backend or open_backend(config.backend)
        self.redactor = Redactor({})
        self.home: FilesHome | None = None
        self._name = ""
        self._snapshot: Snapshot | None = None
        self._started = False
        self._terminated = False

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, config: SandboxConfig) -> Self:
        """A started sandbox whose workspace is that of a snapshot.

        Raises:
            SandboxError: As `start`, and if the snapshot is gone.
        """
        sandbox = cls(config, backend=open_backend(snapshot.backend))
        sandbox._snapshot = snapshot
        return sandbox.start()

    def start(self, name: str | None = None) -> Self:
        """Bring it up; returns itself.

        Args:
            name: Name of the run; files come home to ``outputs/<name>``. By default the time and the sandbox's id.

        Raises:
            SecretMissing: If a secret is set nowhere; nothing was started.
            SandboxError: If it cannot be had; nothing is left of it.
        """
        if self._started:
            raise ValueError("this sandbox was started before; make another one")
        if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
            raise ValueError(f"name names a folder: letters, digits, dots, dashes and blanks; got {name!r}")
        names = self.config.secrets
        found = find_secrets(names, held=self.backend.holds_secrets(names) if names else ())
        self.redactor = Redactor(found)
        self._started = True
        self._name = name or f"{datetime.now():%Y-%m-%d-%H%M%S}-{self.backend.sandbox_id[:6]}"
        enlist(self)  # before the backend enlists itself, so that files come home first
        try:
            self.backend.start(self.config, found, name=self._name, restore=self._snapshot)
            # What the backend keeps itself is known only inside, and must be redacted as well.
            kept = [name for name in names if name not in found]
            inside = {name: self.backend.exec(["printenv", name]).removesuffix("\n") for name in kept}
            self.redactor = Redactor(found | inside)
        except BaseException as error:
            self._terminated = True
            self.backend.terminate()
            strike(self)
            if isinstance(error, SandboxError):
                self.redactor.scrub(error)
            raise
        return self

    @property
    def name(self) -> str:
        """Name of the run; empty before the start."""
        return self._name

    @property
    def sandbox_id(self) -> str:
        """Unique id of the sandbox."""
        return self.backend.sandbox_id

    @property
    def workspace(self) -> str:
        """Path of the workspace inside."""
        return self.backend.workspace

    @property
    def python(self) -> str:
        """Path of the interpreter inside."""
        return self.backend.python

    @property
    def outputs(self) -> Path:
        """Folder of the host to which files come home."""
        return self.config.outputs_folder(self._name)

    @property
    def repo_handles(self) -> list[RepoHandle]:
        """The cloned repositories."""
        return list(self.backend.repos)

    @property
    def model_handles(self) -> list[ModelHandle]:
        """The models at hand."""
        return list(self.backend.models)

    @property
    def jupyter_url(self) -> None:
        """Always ``None``: the kernel is spoken to without a port."""
        return None

    @property
    def code_server_url(self) -> None:
        """Always ``None``: no editor is served."""
        return None

    def exec(
        self,
        cmd: str | Sequence[str],
        timeout: float | None = None,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        output_limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        """Run a command; see `Backend.exec`. The output is as the command wrote it: redact it before keeping it."""
        return self.backend.exec(
            cmd, timeout=timeout, cwd=cwd, env=env, stdin=stdin, output_limit=output_limit
        )

    def exec_python(self, code: str, timeout: float | None = None) -> Completed:
        """Run Python code in a fresh interpreter in the workspace, where packages and repositories import."""
        # The script is standard input: its length then has no limit, and errors show their lines' numbers.
        return self.backend.exec([self.python, "-"], timeout=timeout, stdin=code.encode())

    def open_process(
        self, cmd: str | Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a long-lived command; see `Backend.open_process`."""
        return self.backend.open_process(cmd, cwd=cwd, env=env)

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Content of a file in the sandbox; see `Backend.read_file`."""
        return self.backend.read_file(path, limit=limit)

    def write_file(self, path: str, content: str | bytes) -> None:
        """Write a file in the sandbox; a text is written as UTF-8. See `Backend.write_file`."""
        self.backend.write_file(path, content.encode() if isinstance(content, str) else content)

    def ensure_dir(self, path: str) -> None:
        """Make a folder in the sandbox, with those above it.

        Raises:
            SandboxError: If it cannot be made.
        """
        done = self.backend.exec(["mkdir", "-p", "--", path])
        if not done.ok:
            raise SandboxError(f"the folder {path} cannot be made: {done.stderr.strip()}")

    def snapshot(self, description: str = "") -> Snapshot:
        """Keep the workspace as it is; see `Backend.snapshot`."""
        return self.backend.snapshot(description)

    def files_home(self, dest: str | Path | None = None) -> FilesHome:
        """Bring what was made or changed in the workspace home now, by default to `outputs`."""
        return self.backend.files_home(self.outputs if dest is None else Path(dest))

    def ended(self) -> SandboxError | None:
        """Why it is over, or ``None``."""
        return self.backend.ended()

    def terminate(self, save_snapshot: bool = False, snapshot_description: str = "") -> Snapshot | None:
        """Bring the files home, end every process and remove everything. Idempotent.

        Args:
            save_snapshot: Whether to keep the workspace first; without effect if the sandbox is over already.
            snapshot_description: The caller's words for it.

        Returns:
            The snapshot, if one was kept.
        """
        if not self._started or self._terminated:
            return None
        kept = None
        try:
            if save_snapshot and self.backend.ended() is None:
                kept = self.backend.snapshot(snapshot_description)
            self.home = self.backend.files_home(self.outputs)
        except SandboxEnded:
            pass  # nothing is left to bring
        except SandboxError as error:
            warnings.warn(f"{error}", RuntimeWarning, stacklevel=2)
        finally:
            self._terminated = True
            self.backend.terminate()
            strike(self)
        return kept

    def __enter__(self) -> Self:
        return self if self._started else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()
