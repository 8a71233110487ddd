"""Sandboxes on Modal: containers with a GPU, driven over Modal's own channel; no port is opened."""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.errors import SandboxEnded, SandboxError, SandboxFileError
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.contract import (
    FILE_LIMIT,
    OUTPUT_LIMIT,
    Completed,
    FilesHome,
    ModelHandle,
    RepoHandle,
    Snapshot,
)
from whatchanged.lab.environment.endings import enlist, strike
from whatchanged.lab.environment.files import LEFT_BEHIND
from whatchanged.lab.environment.layout import inside_path
from whatchanged.lab.environment.modal_create import Maker, check_config, grant, held
from whatchanged.lab.environment.modal_image import HOME, WORKSPACE, built
from whatchanged.lab.environment.modal_lease import Lease
from whatchanged.lab.environment.modal_process import ModalProcess
from whatchanged.lab.environment.modal_run import Runner
from whatchanged.lab.environment.modal_setup import host_packages, needs_set_up, pack_files
from whatchanged.lab.environment.modal_wire import modal_failures, modal_package

if TYPE_CHECKING:
    import modal

__all__ = ["APP", "ModalBackend"]

APP = "whatchanged"
"""Modal app under which everything runs."""

_SNAPSHOT = "/tmp/whatchanged-snapshot"
_HOUR = 3600
_STDIN_LIMIT = 100 * 2**20
_REFUSED = {2: "does not exist in the sandbox; list its folder first", 21: "is a folder; name a file in it"}


class ModalBackend:
    """A sandbox on Modal.

    With a GPU it is one of Modal's first kind, without one of its second. Clones, installs and downloads happen in a
    sandbox of their own, which has the network and no secrets; its files are the image of the one that is used. There,
    commands run as a user without rights, under a guard that keeps the limits and ends the sandbox when the host falls
    silent.

    Args:
        lease: Seconds of silence of the host after which the sandbox ends itself.
        grace: Seconds for which files can still be brought home after a limit was passed.
    """

    name = "modal"
    workspace = WORKSPACE

    def __init__(self, *, lease: float = 120.0, grace: float = 600.0) -> None:
        self.sandbox_id = uuid.uuid4().hex[:12]
        self.python = "/usr/local/bin/python"
        self.repos: tuple[RepoHandle, ...] = ()
        self.models: tuple[ModelHandle, ...] = ()
        self.guarantees: frozenset[str] = frozenset()
        self._silence = lease
        self._grace = grace
        self._maker: Maker | None = None
        self._sandbox: modal.Sandbox | None = None
        self._runner: Runner | None = None
        self._lease: Lease | None = None
        self._since = 0
        self._over: SandboxEnded | None = SandboxEnded("the sandbox does not run: it was not started")

    def holds_secrets(self, names: Sequence[str]) -> frozenset[str]:
        """Names that are secrets of the Modal account and hold a variable of the same name."""
        return held(names)

    def start(
        self, config: SandboxConfig, secrets: Mapping[str, str], *, name: str, restore: Snapshot | None = None
    ) -> None:
        """Bring the sandbox up; see the contract."""
        modal = modal_package()
        check_config(config, self._grace)
        if restore is not None and restore.backend != self.name:
            raise ValueError(
                f"a snapshot of the backend {restore.backend!r} cannot be restored by {self.name!r}"
            )
        files = pack_files(config)
        self._over = None
        enlist(self)
        try:
            granted = grant(config, secrets)
            with modal_failures("find the app"):
                app = modal.App.lookup(APP, create_if_missing=True)
            self._maker = maker = Maker(
                config=config, app=app, sandbox_id=self.sandbox_id, silence=self._silence, grace=self._grace
            )
            on_host = set(host_packages(config))
            wanted = tuple(package for package in config.python_packages if package not in on_host)
            image = built(APP, tuple(config.system_packages), wanted)
            if needs_set_up(config):
                image, self.repos, self.models = maker.set_up(image, secrets)
            self._sandbox = maker.main(image, granted, name=name)
            self._ready(config, self._sandbox, files, restore)
        except BaseException:
            self._end(SandboxEnded("the sandbox could not be started"))
            if self._maker is not None:
                self._maker.end_all()
            strike(self)
            raise

    def _ready(
        self, config: SandboxConfig, sandbox: modal.Sandbox, files: bytes, restore: Snapshot | None
    ) -> None:
        assert self._maker is not None
        self._lease = Lease(sandbox, self._maker.state(), silence=self._silence, timeout=config.timeout)
        limits = {"RLIMIT_NPROC": config.processes, "RLIMIT_FSIZE": config.disk, "RLIMIT_CORE": 0}
        if config.memory is not None:
            limits["RLIMIT_DATA"] = config.memory
        self._runner = runner = Runner(sandbox=sandbox, why=self._why, rlimits=limits)
        if restore is not None:
            self._restore(sandbox, restore)
        told = runner.job("prepare", stdin=files, folders=[WORKSPACE, HOME]).told
        self._since, self.python = told["moment"], told["python"]
        self.guarantees = _guarantees(config, apart=told["root"])
        self._lease.begin()

    def _restore(self, sandbox: modal.Sandbox, snapshot: Snapshot) -> None:
        import modal

        with modal_failures(f"restore {snapshot.reference}"):
            sandbox.mount_image(_SNAPSHOT, modal.Image.from_id(snapshot.reference))
        as_root = Runner(sandbox=sandbox, why=self._why, user=None)
        done = as_root.run(["cp", "-a", f"{_SNAPSHOT}/.", WORKSPACE], cwd="/")
        if not done.ok:
            raise SandboxError(f"the snapshot {snapshot.reference} cannot be restored: {done.stderr.strip()}")
        with modal_failures(f"restore {snapshot.reference}"):
            sandbox.unmount_image(_SNAPSHOT)

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
        if len(stdin) > _STDIN_LIMIT:
            raise ValueError(
                f"stdin has {len(stdin)} bytes, at most {_STDIN_LIMIT} are taken; write a file instead"
            )
        done = self._running().run(
            command, timeout=timeout, cwd=cwd or ".", env=env, stdin=stdin, limit=output_limit
        )
        if done.returncode and (ended := self.ended()) is not None:
            raise ended
        return done

    def open_process(
        self, command: str | Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> ModalProcess:
        """Start a command; see the contract."""
        return self._running().open(command, cwd=cwd or ".", env=env)

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Content of a file, read inside; see the contract."""
        full = inside_path(WORKSPACE, path)
        answer = self._running().job("read", path=full, limit=limit, dropped=True)
        _check_file(full, answer.told)
        return answer.stdout

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file inside; see the contract."""
        full = inside_path(WORKSPACE, path)
        _check_file(full, self._running().job("write", path=full, stdin=content, dropped=True).told)

    def snapshot(self, description: str = "") -> Snapshot:
        """Keep the workspace as an image of its own, for good; see the contract."""
        created = datetime.now(UTC)
        sandbox = self._running().sandbox
        with modal_failures("keep the workspace"):
            image = sandbox.snapshot_directory(WORKSPACE, timeout=_HOUR, ttl=None)
        return Snapshot(
            backend=self.name, reference=image.object_id, description=description, created=created
        )

    def files_home(self, folder: Path) -> FilesHome:
        """Copy what was made or changed; see the contract."""
        if self._sandbox is None or self._runner is None:
            raise SandboxEnded(
                "the sandbox was not started, or was terminated: there is nothing to bring home"
            )
        files: list[str] = []
        size = 0
        with tempfile.TemporaryFile() as packed:
            answer = self._runner.job(
                "home",
                sink=packed.write,
                folder=WORKSPACE,
                since=self._since,
                skip=sorted(LEFT_BEHIND),
                dropped=True,
            )
            packed.seek(0)
            try:
                with tarfile.open(fileobj=packed) as archive:
                    for entry in archive:
                        archive.extract(entry, folder, filter="data")
                        files.append(entry.name)
                        size += entry.size
            except (OSError, tarfile.TarError) as error:
                raise SandboxError(f"the sandbox's files cannot be brought to {folder}: {error}") from error
        return FilesHome(
            folder=folder, files=tuple(sorted(files)), bytes=size, left_out=answer.told["left_out"]
        )

    def _running(self) -> Runner:
        if (ended := self.ended()) is not None:
            raise ended
        assert self._runner is not None
        return self._runner

    def _why(self) -> SandboxEnded | None:
        """Why a job was cut off: what the guard told, else what Modal knows."""
        if self._over is None and self._lease is not None:
            self._over = self._lease.settle()
        return self._over

    def ended(self) -> SandboxEnded | None:
        """Why it is over, or ``None``."""
        if self._over is None and self._lease is not None:
            self._over = self._lease.verdict
        return self._over

    def _end(self, reason: SandboxEnded) -> None:
        self._over = self.ended() or reason
        if self._lease is not None:
            self._lease.close()
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            with (
                contextlib.suppress(SandboxEnded),
                modal_failures("end the sandbox, which may go on costing money"),
            ):
                sandbox.terminate(wait=True)
                sandbox.detach()

    def terminate(self) -> None:
        """End and remove everything. Idempotent."""
        self._end(SandboxEnded("the sandbox does not run: it was terminated"))
        strike(self)


def _guarantees(config: SandboxConfig, *, apart: bool) -> frozenset[str]:
    """What holds: another machine keeps the host safe, a user without rights the guard, and the guard the limits."""
    kept = {"processes", "survival", "secrets"}
    if apart:
        kept |= {"files", "supervisor", "fork", "disk"}
        kept |= {"memory"} if config.memory is not None else set()
    return frozenset(kept | (set() if config.wants_network else {"network"}))


def _check_file(path: str, told: Mapping[str, Any]) -> None:
    if "error" in told:
        raise SandboxFileError(f"{path} {_REFUSED.get(told['number'], told['error'])}")
