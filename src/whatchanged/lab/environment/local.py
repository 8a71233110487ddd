"""Sandboxes on this machine: bubblewrap around a supervisor, limits watched from outside."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from whatchanged.errors import IsolationUnavailable, SandboxEnded, SandboxError, SandboxFileError
from whatchanged.lab.environment import live
from whatchanged.lab.environment.bubblewrap import bubblewrap_command, require_bubblewrap
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.contract import (
    FILE_LIMIT,
    GUARANTEES,
    OUTPUT_LIMIT,
    Completed,
    FilesHome,
    ModelHandle,
    RepoHandle,
    Snapshot,
)
from whatchanged.lab.environment.endings import enlist, strike
from whatchanged.lab.environment.files import bring_home, inventory
from whatchanged.lab.environment.interpreter import host_folders
from whatchanged.lab.environment.jail import Jail, interpreter_works
from whatchanged.lab.environment.layout import Layout, free_uid, inside_path
from whatchanged.lab.environment.limits import Limits, Watch, host_memory
from whatchanged.lab.environment.packages import (
    network_settings,
    paths_in,
    pip_settings,
    require_system_packages,
)
from whatchanged.lab.environment.prepare import Prepared, install, place, wants_install
from whatchanged.lab.environment.process import LocalProcess, communicate
from whatchanged.store import write_json

__all__ = ["UNISOLATED", "LocalBackend"]

UNISOLATED = frozenset({"fork", "memory", "disk"})
"""What the local backend still contains without bubblewrap: runaway commands, not hostile ones."""

_SETUP_DISK = 50 * 2**30
_READ = """[ -e "$1" ] || exit 44; [ -d "$1" ] && exit 45; [ -r "$1" ] || exit 46
[ -f "$1" ] && [ "$(stat -L -c %s -- "$1")" -gt "$2" ] && exit 47; exec head -c "$(($2 + 1))" -- "$1" """
_WRITE = """[ -d "$1" ] && exit 45
mkdir -p -- "$(dirname -- "$1")" && cat > "$1.part-$2" && mv -f -- "$1.part-$2" "$1" """
_REFUSED = {
    44: "does not exist in the sandbox; list its folder first",
    45: "is a folder; name a file in it",
    46: "may not be read by the sandbox",
    47: "is larger than the limit of {limit} bytes; read it in parts with a command",
}


class LocalBackend:
    """A sandbox on this machine.

    Under bubblewrap its processes have their own process, network, IPC and mount namespaces, a uid of their own where the
    host is root, and of the host's files only the operating system, the interpreter and its packages, read-only.
    Without (``isolation="none"``) only the limits hold: see `UNISOLATED`.
    """

    name = "local"

    def __init__(self) -> None:
        self.sandbox_id = uuid.uuid4().hex[:12]
        self.repos: tuple[RepoHandle, ...] = ()
        self.models: tuple[ModelHandle, ...] = ()
        self.guarantees: frozenset[str] = frozenset()
        self._layout: Layout | None = None
        self._lock = -1
        self._jail: Jail | None = None
        self._known: dict[str, tuple[int, int]] = {}
        self._environment: dict[str, str] = {}
        self._uid: int | None = None
        self._program: str | None = None

    @property
    def workspace(self) -> str:
        """Path of the workspace inside."""
        return self._at.inside(self._at.workspace)

    @property
    def python(self) -> str:
        """Path of the interpreter inside."""
        return f"{self._at.inside(self._at.environment)}/bin/python"

    @property
    def supervisor_pid(self) -> int | None:
        """Process on the host above all of the sandbox's, or ``None`` when it does not run."""
        return None if self._jail is None else self._jail.pid

    @property
    def _at(self) -> Layout:
        if self._layout is None:
            raise SandboxEnded("the sandbox does not run: it was not started, or was terminated")
        return self._layout

    def holds_secrets(self, names: Sequence[str]) -> frozenset[str]:
        """None: the local backend keeps no secrets."""
        return frozenset()

    def start(
        self, config: SandboxConfig, secrets: Mapping[str, str], *, name: str, restore: Snapshot | None = None
    ) -> None:
        """Bring the sandbox up; see the contract."""
        isolated = self._check(config)
        live.sweep()
        root, self._lock = live.claim(self.sandbox_id)
        self._layout = layout = Layout(root=root, isolated=isolated)
        enlist(self)
        try:
            layout.make()
            prepared = place(config, layout)
            self.repos, self.models = prepared.repos, prepared.models
            self._choose_uid(isolated)
            layout.hand_to(self._uid)
            if wants_install(config):
                self._install(config, prepared)
            network = config.wants_network
            self._environment = {
                **self._base_environment(),
                **(network_settings() if network else {"HF_HUB_OFFLINE": "1"}),
                **config.env,
                **secrets,
            }
            self._open(
                config, prepared, network=network, disk=config.disk, readable=paths_in(network_settings())
            )
            if restore is not None:
                self._restore(restore)
            self._known = inventory(layout.workspace)
            write_json(root / live.STATE, {"known": self._known, "outputs": str(config.outputs_folder(name))})
            self.guarantees = frozenset(GUARANTEES) - {"network"} if isolated else UNISOLATED
            if isolated and not network:
                self.guarantees |= {"network"}
        except BaseException:
            self.terminate()
            raise

    def _check(self, config: SandboxConfig) -> bool:
        """Refuse what cannot be had before anything is made; returns whether the sandbox is isolated."""
        if not sys.platform.startswith("linux"):
            raise IsolationUnavailable(
                f"the local backend needs Linux; this is {sys.platform}; use backend='modal'"
            )
        isolated = config.isolation != "none"
        if not isolated and config.network is False:
            raise ValueError(
                "without isolation the network cannot be switched off; leave network out or isolate"
            )
        require_system_packages(config.system_packages)
        self._program = require_bubblewrap() if isolated else None
        for wanted, what in (
            (config.gpu is not None, f"gpu={config.gpu!r} is only recorded; use backend='modal' for a GPU"),
            (
                any(repo.dockerfile for repo in config.repos),
                "dockerfile= is not built; list the packages instead",
            ),
            (config.debug, "debug=True serves no editor, since that would open a port"),
        ):
            if wanted:
                warnings.warn(f"on the local backend {what}", UserWarning, stacklevel=4)
        return isolated

    def _choose_uid(self, isolated: bool) -> None:
        if os.getuid():
            return
        uid = free_uid()
        if isolated:
            self._uid = uid
        elif interpreter_works(uid):
            self._uid = uid
            self._at.root.chmod(0o711)
        else:
            warnings.warn(
                "without isolation and with an interpreter only root can reach, the sandbox's commands run as root; "
                "use bubblewrap, or an interpreter outside root's home",
                UserWarning,
                stacklevel=4,
            )

    def _base_environment(self) -> dict[str, str]:
        at = self._at
        environment = at.inside(at.environment)
        return {
            "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": at.inside(at.home),
            "TMPDIR": at.inside(at.temporary),
            "USER": "agent",
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": environment,
            live.MARK: self.sandbox_id,
        }

    def _open(
        self, config: SandboxConfig, prepared: Prepared, *, network: bool, disk: int, readable: Sequence[Path]
    ) -> None:
        limits = Limits(
            timeout=config.timeout,
            memory=config.memory or host_memory()[0] * 3 // 4,
            disk=disk,
            processes=config.processes,
        )
        prefix: list[str] = []
        if self._program is not None:
            folders = [*host_folders(), *(readable if network else ())]
            prefix = bubblewrap_command(
                self._program, self._at, network=network, readable=folders, bound=prepared.bound
            )
        watch = Watch(self._at.root, limits, generations=2 if prefix else 1)
        self._jail = Jail(
            prefix,
            environment={"PATH": "/usr/bin:/bin", live.MARK: self.sandbox_id},
            uid=self._uid,
            rlimits={
                "RLIMIT_NPROC": limits.processes,
                "RLIMIT_DATA": limits.memory,
                "RLIMIT_FSIZE": limits.disk,
                "RLIMIT_CORE": 0,
            },
            look=watch.look,
            interval=watch.interval,
        )
        self._jail.start()

    def _install(self, config: SandboxConfig, prepared: Prepared) -> None:
        """Run pip and install commands in namespaces of their own, with the network and without secrets."""
        settings = network_settings() | pip_settings()
        self._environment = self._base_environment() | settings
        self._open(
            config, prepared, network=True, disk=max(config.disk, _SETUP_DISK), readable=paths_in(settings)
        )
        install(config, prepared.repos, self.python, lambda command, folder: self.exec(command, cwd=folder))
        self._close()

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
        """Run a command; see the contract."""
        process = self.open_process(command, cwd=cwd, env=env)
        try:
            completed = communicate(process, stdin, timeout, output_limit)
        except BaseException:
            process.kill()
            raise
        finally:
            process.release()
        if completed.returncode and (ended := self.ended()) is not None:
            raise ended
        return completed

    def open_process(
        self, command: str | Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> LocalProcess:
        """Start a command; see the contract."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        if not argv:
            raise ValueError("the command is empty; give a text or a list")
        folder = inside_path(self.workspace, cwd or ".")
        if self._jail is None:
            raise SandboxEnded("the sandbox does not run: it was not started, or was terminated")
        return self._jail.spawn(argv, env=self._environment | dict(env or {}), cwd=folder)

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Content of a file, read inside; see the contract."""
        full = inside_path(self.workspace, path)
        process = self.open_process(["/bin/sh", "-c", _READ, "sh", full, str(limit)], cwd="/")
        with process:
            content = process.stdout.read()
            words = process.stderr.read().decode("utf-8", "replace").strip()
            code = process.wait()
        self._check_file(code, full, words, limit)
        if len(content) > limit:
            self._check_file(47, full, words, limit)
        return content

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file inside; see the contract."""
        full = inside_path(self.workspace, path)
        done = self.exec(["/bin/sh", "-c", _WRITE, "sh", full, uuid.uuid4().hex[:8]], cwd="/", stdin=content)
        self._check_file(done.returncode, full, done.stderr.strip(), len(content))

    def _check_file(self, code: int, path: str, words: str, limit: int) -> None:
        if code == 0:
            return
        if (ended := self.ended()) is not None:
            raise ended
        raise SandboxFileError(f"{path} {_REFUSED.get(code, f'is refused: {words}').format(limit=limit)}")

    def snapshot(self, description: str = "") -> Snapshot:
        """Keep the workspace in a tar archive, packed inside; see the contract."""
        created = datetime.now(UTC)
        folder = Path.home() / ".local" / "share" / "whatchanged" / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / f"{created:%Y%m%dT%H%M%S}-{self.sandbox_id}-{uuid.uuid4().hex[:6]}.tar.gz"
        with self.open_process(["tar", "-cz", "--warning=no-file-changed", "."]) as process:
            process.stdin.close()
            with archive.open("wb") as target:
                shutil.copyfileobj(process.stdout, target)
            words = process.stderr.read().decode("utf-8", "replace").strip()
            code = process.wait()
        if code > 1:  # 1: a file changed while it was read
            archive.unlink()
            raise self.ended() or SandboxError(f"the workspace cannot be kept: {words}")
        return Snapshot(backend=self.name, reference=str(archive), description=description, created=created)

    def _restore(self, snapshot: Snapshot) -> None:
        if snapshot.backend != self.name:
            raise ValueError(
                f"a snapshot of the backend {snapshot.backend!r} cannot be restored by {self.name!r}"
            )
        try:
            content = Path(snapshot.reference).open("rb")  # noqa: SIM115
        except OSError as error:
            raise SandboxError(f"the snapshot cannot be restored: {error}") from error
        with content, self.open_process(["tar", "-xz"]) as process:
            try:
                shutil.copyfileobj(content, process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass
            words = process.stderr.read().decode("utf-8", "replace").strip()
            code = process.wait()
        if code:
            raise SandboxError(f"the snapshot {snapshot.reference} cannot be restored: {words}")

    def files_home(self, folder: Path) -> FilesHome:
        """Copy what was made or changed; see the contract."""
        return bring_home(self._at.workspace, self._known, folder)

    def ended(self) -> SandboxError | None:
        """Why it is over, or ``None``."""
        if self._jail is None:
            return SandboxEnded("the sandbox does not run: it was not started, or was terminated")
        return self._jail.ended()

    def _close(self) -> None:
        if self._jail is not None:
            self._jail.close()
            if not self.guarantees >= {"survival"}:
                live.end_marked(self.sandbox_id)

    def terminate(self) -> None:
        """End and remove everything. Idempotent."""
        self._close()
        if self._layout is not None:
            live.release(self._layout.root, self._lock)
            self._layout = None
        strike(self)
