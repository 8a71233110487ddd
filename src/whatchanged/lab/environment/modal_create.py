"""How a Modal sandbox comes to be: what is refused, what is granted, and the set-up before it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

from whatchanged.errors import SandboxEnded, SecretMissing
from whatchanged.lab.environment import live
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.contract import Completed, ModelHandle, RepoHandle
from whatchanged.lab.environment.modal_image import HOME, WORKSPACE
from whatchanged.lab.environment.modal_lease import Lease
from whatchanged.lab.environment.modal_run import Runner
from whatchanged.lab.environment.modal_setup import HUB, SetUp, pack_files, wants_hub
from whatchanged.lab.environment.modal_wire import guard_command, modal_failures, modal_package

if TYPE_CHECKING:
    import modal

__all__ = ["TAG", "Maker", "check_config", "grant", "held"]

TAG = "whatchanged"
"""Tag of every sandbox; its value is our own id of it."""

_VOLUME = "whatchanged-models"
_HOUR = 3600
_LONGEST = 24 * _HOUR


def check_config(config: SandboxConfig, grace: float) -> None:
    """Refuse what Modal cannot do by nature, and tell what is ignored.

    Raises:
        ValueError: If it cannot.
    """
    if config.isolation is not None:
        raise ValueError(f"Modal isolates sandboxes itself; got isolation={config.isolation!r}; leave it out")
    if config.timeout + grace > _LONGEST:
        raise ValueError(
            f"Modal ends every sandbox after {_LONGEST} s; got timeout={config.timeout:g}; "
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


def held(names: Sequence[str]) -> frozenset[str]:
    """Names that are secrets of the Modal account and hold a variable of the same name."""
    modal = modal_package()
    found = set()
    with modal_failures("look up secrets"):
        for name in names:
            try:
                modal.Secret.from_name(name, required_keys=[name]).hydrate()
            except (modal.exception.NotFoundError, modal.exception.InvalidError):
                continue
            found.add(name)
    return frozenset(found)


def grant(config: SandboxConfig, secrets: Mapping[str, str]) -> list[modal.Secret]:
    """The named secrets and no others: values found on the host, then Modal's own by name.

    Raises:
        SecretMissing: If one is nowhere.
    """
    import modal

    named = [name for name in config.secrets if name not in secrets]
    if missing := sorted(set(named) - held(named)):
        raise SecretMissing(
            f"neither the environment, nor .env, nor Modal holds {', '.join(missing)}; "
            f"run: modal secret create {missing[0]} {missing[0]}=..."
        )
    given = [modal.Secret.from_dict(dict(secrets))] if secrets else []
    return [*given, *(modal.Secret.from_name(name, required_keys=[name]) for name in named)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes the sandboxes of one backend.

    Attributes:
        config: What is asked for.
        app: The app they belong to.
        sandbox_id: Our own id.
        silence: Seconds of silence of the host after which they end themselves.
        grace: Seconds for which files can still be brought home after a limit.
    """

    config: SandboxConfig
    app: modal.App
    sandbox_id: str
    silence: float
    grace: float

    def state(self, *, set_up: bool = False) -> str:
        """Where the guard and the lease meet, closed to commands; the set-up's is in the image of what follows."""
        return f"/run/whatchanged-{'set-up' if set_up else 'main'}-{self.sandbox_id}"

    def main(self, image: modal.Image, secrets: list[modal.Secret], *, name: str) -> modal.Sandbox:
        """The sandbox that is used."""
        config = self.config
        offline = {} if config.wants_network else {"HF_HUB_OFFLINE": "1"}
        gpu = (
            config.gpu if config.gpu is None or config.gpu_count == 1 else f"{config.gpu}:{config.gpu_count}"
        )
        return self._create(
            image,
            secrets=secrets,
            network=config.wants_network,
            gpu=gpu,
            name=name,
            env={**offline, **config.env},
        )

    def set_up(
        self, image: modal.Image, secrets: Mapping[str, str]
    ) -> tuple[modal.Image, tuple[RepoHandle, ...], tuple[ModelHandle, ...]]:
        """Clone, install and download in a sandbox with the network and without secrets or GPU; keep its files.

        Raises:
            SandboxError: If a step failed; the sandbox is ended in any case.
        """
        sandbox = self._create(
            image, secrets=[], network=True, gpu=None, name="set-up", env={}, download=True
        )
        try:
            lease = Lease(sandbox, self.state(set_up=True), silence=self.silence, timeout=self.config.timeout)
            try:
                runner = Runner(sandbox=sandbox, why=lease.settle, user=None)
                steps = SetUp(self.config, _Inside(runner, self._hub_token(secrets)))
                repos, models = steps.repos(), steps.models()
                with modal_failures("keep the set-up"):
                    return sandbox.snapshot_filesystem(timeout=_HOUR), repos, models
            finally:
                lease.close()
        finally:
            with modal_failures("end the set-up"):
                sandbox.terminate(wait=True)  # also writes its volume back
                sandbox.detach()

    def _hub_token(self, secrets: Mapping[str, str]) -> list[modal.Secret]:
        import modal

        if "HF_TOKEN" in secrets:
            return [modal.Secret.from_dict({"HF_TOKEN": secrets["HF_TOKEN"]})]
        if "HF_TOKEN" in self.config.secrets:
            return [modal.Secret.from_name("HF_TOKEN", required_keys=["HF_TOKEN"])]
        return []

    def _create(
        self,
        image: modal.Image,
        *,
        secrets: list[modal.Secret],
        network: bool,
        gpu: str | None,
        name: str,
        env: Mapping[str, str],
        download: bool = False,
    ) -> modal.Sandbox:
        import modal

        config = self.config
        volumes: dict[str | PathLike[str], modal.Volume | modal.CloudBucketMount] = {}
        if wants_hub(config):
            volume = modal.Volume.from_name(_VOLUME, create_if_missing=True)
            volumes[HUB] = volume if download else volume.with_mount_options(read_only=True)
        memory = None if config.memory is None else math.ceil(config.memory / 2**20)
        guard = guard_command(
            {
                "folder": self.state(set_up=download),
                "lease": self.silence,
                "timeout": config.timeout,
                "memory": config.memory,
                "disk": config.disk,
                "processes": config.processes,
                "folders": [WORKSPACE, HOME, "/tmp", "/var/tmp", "/dev/shm"],
            }
        )
        with modal_failures("start the sandbox"):
            return modal.Sandbox.create(
                *guard,
                app=self.app,
                image=image,
                env={live.MARK: self.sandbox_id, **env},
                secrets=secrets,
                timeout=math.ceil(config.timeout + self.grace),
                workdir="/",
                gpu=gpu,
                memory=None if memory is None or download else (memory, memory),
                block_network=not network,
                volumes=volumes,
                tags={TAG: self.sandbox_id, "run": name},
            )

    def end_all(self) -> None:
        """End what Modal made for us, whether we learned of it or not; failing to is no error here."""
        import modal

        try:
            for left in modal.Sandbox.list(app_id=self.app.app_id, tags={TAG: self.sandbox_id}):
                left.terminate()
        except modal.exception.Error as error:
            warnings.warn(
                f"sandboxes tagged {TAG}={self.sandbox_id} may still run on Modal: {error}",
                RuntimeWarning,
                stacklevel=3,
            )


class _Inside:
    """The sandbox of the set-up, as `SetUp` sees it."""

    def __init__(self, runner: Runner, hub: list[modal.Secret]) -> None:
        self._runner = runner
        self._hub = hub
        self.python: str = runner.job("prepare", stdin=pack_files(SandboxConfig()), folders=[WORKSPACE]).told[
            "python"
        ]

    def run(
        self, command: str | Sequence[str], *, cwd: str, env: Mapping[str, str], hub: bool = False
    ) -> Completed:
        try:
            return self._runner.run(command, cwd=cwd, env=env, granted=self._hub if hub else ())
        except SandboxEnded as ended:
            raise SandboxEnded(f"the set-up was ended: {ended}") from ended

    def unpack(self, archive: Iterable[bytes], folder: str) -> None:
        self._runner.unpack(archive, folder)
