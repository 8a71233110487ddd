"""Sandboxes on Modal: containers with a GPU, driven over Modal's own channel; no port is opened."""

from __future__ import annotations

import contextlib
import math
import tarfile
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.errors import SandboxEnded, SandboxError, SandboxFileError, SecretMissing
from whatchanged.lab.environment import live
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
from whatchanged.lab.environment.modal_image import WORKSPACE, build, image_for
from whatchanged.lab.environment.modal_lease import Lease
from whatchanged.lab.environment.modal_process import KILLED, ModalProcess
from whatchanged.lab.environment.modal_setup import (
    HUB,
    SetUp,
    host_packages,
    needs_set_up,
    pack_files,
    wants_hub,
)
from whatchanged.lab.environment.modal_wire import (
    Answer,
    call,
    guard_command,
    modal_failures,
    modal_package,
    send_job,
)

if TYPE_CHECKING:
    import modal

__all__ = ["APP", "ModalBackend"]

APP = "whatchanged"
"""Modal app under which everything runs."""

_VOLUME = "whatchanged-models"
_TAG = "whatchanged"
_HOUR = 3600.0
_LONGEST = 24 * _HOUR
_MARGIN = 10.0
_STATE = "/tmp/.whatchanged"
_SNAPSHOT = "/tmp/whatchanged-snapshot"
_WORDS = 2000
_STDIN_LIMIT = 100 * 2**20
_REFUSED = {2: "does not exist in the sandbox; list its folder first", 21: "is a folder; name a file in it"}


class ModalBackend:
    """A sandbox on Modal.

    With a GPU it is one of Modal's first kind, without one of its second. Clones, installs and downloads happen in a
    sandbox of their own, which has the network and no secrets; its files are the image of the one that is used.

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
        self._app: modal.App | None = None
        self._sandbox: modal.Sandbox | None = None
        self._lease: Lease | None = None
        self._since = 0
        self._over: SandboxEnded | None = SandboxEnded("the sandbox was not started")

    def holds_secrets(self, names: Sequence[str]) -> frozenset[str]:
        """Names that are secrets of the Modal account and hold a variable of the same name."""
        modal = modal_package()
        held = set()
        with modal_failures("look up secrets"):
            for name in names:
                with contextlib.suppress(modal.exception.NotFoundError, modal.exception.InvalidError):
                    modal.Secret.from_name(name, required_keys=[name]).hydrate()
                    held.add(name)
        return frozenset(held)

    def start(
        self, config: SandboxConfig, secrets: Mapping[str, str], *, name: str, restore: Snapshot | None = None
    ) -> None:
        """Bring the sandbox up; see the contract."""
        modal = modal_package()
        _check(config, self._grace)
        if restore is not None and restore.backend != self.name:
            raise ValueError(
                f"a snapshot of the backend {restore.backend!r} cannot be restored by {self.name!r}"
            )
        files = pack_files(config)
        self._over = None
        enlist(self)
        try:
            with modal_failures("find the app"):
                self._app = modal.App.lookup(APP, create_if_missing=True)
            granted = self._granted(config, secrets)
            on_host = set(host_packages(config))
            wanted = [package for package in config.python_packages if package not in on_host]
            image = build(image_for(config, wanted), self._app, [*config.system_packages, *wanted])
            if needs_set_up(config):
                image = self._set_up(config, image, secrets)
            environment = {
                live.MARK: self.sandbox_id,
                **({} if config.wants_network else {"HF_HUB_OFFLINE": "1"}),
            }
            self._sandbox = self._create(
                config,
                image,
                name=name,
                env={**environment, **config.env},
                secrets=granted,
                network=config.wants_network,
                gpu=_gpu(config),
            )
            self._unpack(self._sandbox, [files], "/")
            if restore is not None:
                self._restore(restore)
            stamped = self._call(self._sandbox, "stamp", path=f"{WORKSPACE}/.whatchanged-stamp").told
            self._since, self.python = stamped["moment"], stamped["python"]
            self._lease = Lease(self._sandbox, _STATE, silence=self._silence, timeout=config.timeout)
            self._lease.begin()
            self.guarantees = frozenset(
                {"files", "processes", "supervisor", "fork", "disk", "survival", "secrets"}
            )
            self.guarantees |= {"network"} if not config.wants_network else frozenset()
            self.guarantees |= {"memory"} if config.memory is not None else frozenset()
        except BaseException:
            self._abandon()
            raise

    def _granted(self, config: SandboxConfig, secrets: Mapping[str, str]) -> list[modal.Secret]:
        """The named secrets and no others: values found on the host, then Modal's own by name."""
        import modal

        named = [name for name in config.secrets if name not in secrets]
        if missing := sorted(set(named) - self.holds_secrets(named)):
            raise SecretMissing(
                f"neither the environment, nor .env, nor Modal holds {', '.join(missing)}; "
                f"run: modal secret create {missing[0]} {missing[0]}=..."
            )
        given = [modal.Secret.from_dict(dict(secrets))] if secrets else []
        return [*given, *(modal.Secret.from_name(name, required_keys=[name]) for name in named)]

    def _create(
        self,
        config: SandboxConfig,
        image: modal.Image,
        *,
        name: str,
        env: dict[str, str | None],
        secrets: list[modal.Secret],
        network: bool,
        gpu: str | None,
        read_only: bool = True,
    ) -> modal.Sandbox:
        import modal

        volumes: dict[str | PathLike[str], modal.Volume | modal.CloudBucketMount] = {}
        if wants_hub(config):
            volume = modal.Volume.from_name(_VOLUME, create_if_missing=True)
            volumes[HUB] = volume.with_mount_options(read_only=True) if read_only else volume
        memory = None if config.memory is None else math.ceil(config.memory / 2**20)
        guard = guard_command(
            {
                "folder": _STATE,
                "lease": self._silence,
                "timeout": config.timeout,
                "memory": config.memory,
                "disk": config.disk,
                "processes": config.processes,
                "folders": [WORKSPACE, "/tmp", "/root"],
            }
        )
        with modal_failures("start the sandbox"):
            return modal.Sandbox.create(
                *guard,
                app=self._app,
                image=image,
                env=env,
                secrets=secrets,
                timeout=math.ceil(config.timeout + self._grace),
                workdir="/",
                gpu=gpu,
                memory=None if memory is None else (memory, memory),
                block_network=not network,
                volumes=volumes,
                tags={_TAG: self.sandbox_id, "run": name},
            )

    def _set_up(self, config: SandboxConfig, image: modal.Image, secrets: Mapping[str, str]) -> modal.Image:
        """Clone, install and download, with the network and without secrets or GPU; returns what came of it."""
        import modal

        hub = [modal.Secret.from_dict({"HF_TOKEN": secrets["HF_TOKEN"]})] if "HF_TOKEN" in secrets else []
        if not hub and "HF_TOKEN" in config.secrets:
            hub = [modal.Secret.from_name("HF_TOKEN", required_keys=["HF_TOKEN"])]
        sandbox = self._create(
            config,
            image,
            name="set-up",
            env={live.MARK: self.sandbox_id},
            secrets=[],
            network=True,
            gpu=None,
            read_only=False,
        )
        lease = Lease(sandbox, _STATE, silence=self._silence, timeout=config.timeout)
        try:
            steps = SetUp(config, _SetUpSandbox(self, sandbox, hub))
            self.repos = steps.repos()
            self.models = steps.models()
            with modal_failures("keep the set-up"):
                return sandbox.snapshot_filesystem(timeout=int(_HOUR))
        finally:
            lease.close()
            with modal_failures("end the set-up"):
                sandbox.terminate(wait=True)  # also writes its volume back
                sandbox.detach()

    def _abandon(self) -> None:
        """End whatever a failed start may have made, also what Modal made without our learning of it."""
        import modal

        self._end(SandboxEnded("the sandbox could not be started"))
        if self._app is None:
            return
        with contextlib.suppress(modal.exception.Error):
            for left in modal.Sandbox.list(app_id=self._app.app_id, tags={_TAG: self.sandbox_id}):
                left.terminate()

    def _call(self, sandbox: modal.Sandbox, job: str, **what: Any) -> Answer:
        answer = call(sandbox, job, **what)
        if not answer.told:
            words = answer.stderr.decode("utf-8", "replace").strip()[-_WORDS:] or "it was cut off"
            raise self._why() or SandboxError(f"Modal could not {job} in the sandbox: {words}")
        return answer

    def _unpack(self, sandbox: modal.Sandbox, archive: Iterable[bytes], folder: str) -> None:
        told = self._call(sandbox, "unpack", stdin=archive, folder=folder).told
        if "error" in told:
            raise SandboxError(f"files could not be put into the sandbox: {told['path']} {told['error']}")

    def _restore(self, snapshot: Snapshot) -> None:
        import modal

        assert self._sandbox is not None
        with modal_failures(f"restore {snapshot.reference}"):
            self._sandbox.mount_image(_SNAPSHOT, modal.Image.from_id(snapshot.reference))
        done = self._run(self._sandbox, ["cp", "-a", f"{_SNAPSHOT}/.", WORKSPACE], cwd="/")
        if not done.ok:
            raise SandboxError(f"the snapshot {snapshot.reference} cannot be restored: {done.stderr.strip()}")
        with modal_failures(f"restore {snapshot.reference}"):
            self._sandbox.unmount_image(_SNAPSHOT)

    def _run(
        self,
        sandbox: modal.Sandbox,
        command: str | Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: bytes = b"",
        limit: int = OUTPUT_LIMIT,
        granted: Iterable[modal.Secret] = (),
    ) -> Completed:
        began = time.monotonic()
        answer = call(
            sandbox,
            "run",
            stdin=stdin,
            granted=granted,
            backstop=None if timeout is None else timeout + _MARGIN,
            command=_argv(command),
            cwd=inside_path(WORKSPACE, cwd),
            env=dict(env or {}),
            timeout=timeout,
            limit=limit,
        )
        told = answer.told
        if not told and (ended := self._why()) is not None:
            raise ended
        if not told and answer.code is None:
            raise SandboxEnded("the sandbox ended under the command")
        seconds = told.get("seconds", time.monotonic() - began)
        return Completed(
            answer.stdout.decode("utf-8", "replace"),
            answer.stderr.decode("utf-8", "replace"),
            told.get("returncode", KILLED),
            timed_out=told.get("timed_out", timeout is not None and seconds >= timeout),
            stdout_dropped=told.get("dropped", [0, 0])[0],
            stderr_dropped=told.get("dropped", [0, 0])[1],
            seconds=seconds,
        )

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
        sandbox = self._running()
        done = self._run(
            sandbox, command, cwd=cwd or ".", env=env, timeout=timeout, stdin=stdin, limit=output_limit
        )
        if done.returncode and (ended := self.ended()) is not None:
            raise ended
        return done

    def open_process(
        self, command: str | Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> ModalProcess:
        """Start a command; see the contract."""
        sandbox = self._running()
        with modal_failures("start the command"):
            process, mark, _ = send_job(
                sandbox,
                "open",
                command=_argv(command),
                cwd=inside_path(WORKSPACE, cwd or "."),
                env=dict(env or {}),
            )

        def kill() -> None:
            with contextlib.suppress(SandboxEnded):
                call(sandbox, "kill", target=mark)

        return ModalProcess(process, kill)

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """Content of a file, read inside; see the contract."""
        full = inside_path(WORKSPACE, path)
        answer = self._call(self._running(), "read", path=full, limit=limit)
        _check_file(full, answer.told)
        return answer.stdout

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file inside; see the contract."""
        full = inside_path(WORKSPACE, path)
        _check_file(full, self._call(self._running(), "write", path=full, stdin=content).told)

    def snapshot(self, description: str = "") -> Snapshot:
        """Keep the workspace as an image of its own, for good; see the contract."""
        created = datetime.now(UTC)
        with modal_failures("keep the workspace"):
            image = self._running().snapshot_directory(WORKSPACE, timeout=int(_HOUR), ttl=None)
        return Snapshot(
            backend=self.name, reference=image.object_id, description=description, created=created
        )

    def files_home(self, folder: Path) -> FilesHome:
        """Copy what was made or changed; see the contract."""
        if self._sandbox is None:
            raise SandboxError(
                "the sandbox was not started, or was terminated: there is nothing to bring home"
            )
        files: list[str] = []
        size = 0
        with tempfile.TemporaryFile() as packed:
            answer = self._call(
                self._sandbox,
                "home",
                sink=packed.write,
                folder=WORKSPACE,
                since=self._since,
                skip=sorted(LEFT_BEHIND),
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

    def _running(self) -> modal.Sandbox:
        if (ended := self.ended()) is not None:
            raise ended
        assert self._sandbox is not None
        return self._sandbox

    def _why(self) -> SandboxEnded | None:
        """Why a call was cut off: what the guard told, else what Modal knows."""
        if self._over is None and self._lease is not None:
            self._over = self._lease.settle()
        return self._over

    def ended(self) -> SandboxError | None:
        """Why it is over, or ``None``."""
        if self._over is None and self._lease is not None:
            self._over = self._lease.verdict
        return self._over

    def _end(self, reason: SandboxEnded) -> None:
        self._over = self.ended() or reason  # type: ignore[assignment]
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
        self._end(SandboxEnded("the sandbox was terminated"))
        strike(self)


class _SetUpSandbox:
    """The sandbox of the set-up, as `SetUp` sees it."""

    def __init__(self, backend: ModalBackend, sandbox: modal.Sandbox, hub: list[modal.Secret]) -> None:
        self._backend = backend
        self._sandbox = sandbox
        self._hub = hub
        answer = backend._call(sandbox, "stamp", path=f"{WORKSPACE}/.whatchanged-stamp")
        self.python: str = answer.told["python"]

    def run(
        self, command: str | Sequence[str], *, cwd: str, env: Mapping[str, str], hub: bool = False
    ) -> Completed:
        return self._backend._run(self._sandbox, command, cwd=cwd, env=env, granted=self._hub if hub else ())

    def unpack(self, archive: Iterable[bytes], folder: str) -> None:
        self._backend._unpack(self._sandbox, archive, folder)


def _argv(command: str | Sequence[str]) -> list[str]:
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    if not argv:
        raise ValueError("the command is empty; give a text or a list")
    return argv


def _gpu(config: SandboxConfig) -> str | None:
    if config.gpu is None or config.gpu_count == 1:
        return config.gpu
    return f"{config.gpu}:{config.gpu_count}"


def _check(config: SandboxConfig, grace: float) -> None:
    """Refuse what Modal cannot do by nature, and tell what is ignored."""
    if config.isolation is not None:
        raise ValueError(f"Modal isolates sandboxes itself; got isolation={config.isolation!r}; leave it out")
    if config.timeout + grace > _LONGEST:
        raise ValueError(
            f"Modal ends every sandbox after {_LONGEST:g} s; got timeout={config.timeout:g}; "
            f"give at most {_LONGEST - grace:g}"
        )
    for wanted, what in (
        (
            any(repo.dockerfile for repo in config.repos),
            "dockerfile= is not built; list the packages instead",
        ),
        (config.debug, "debug=True serves no editor, since that would open a port"),
    ):
        if wanted:
            warnings.warn(f"on the modal backend {what}", UserWarning, stacklevel=4)


def _check_file(path: str, told: Mapping[str, Any]) -> None:
    if "error" in told:
        raise SandboxFileError(f"{path} {_REFUSED.get(told.get('number'), told['error'])}")  # type: ignore[arg-type]
