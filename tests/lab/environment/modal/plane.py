"""A control plane on loopback that speaks Modal's gRPC, so that the real client starts real processes.

It holds apps, images, secrets, volumes and sandboxes in memory and records what it was asked for. Images are recorded
and not built (their ``ENV`` lines are honoured, their ``COPY`` and ``RUN`` lines are not); what runs "inside" is this
machine's own Python. No account, no token of anyone and no network but 127.0.0.1 takes part.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets as randomness
import shlex
import string
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from container import Container, copy, make_files
from control import Control
from grpclib.server import Server
from modal_proto import api_pb2 as api
from packaging.requirements import Requirement
from routing import Routing
from sandboxes import TERMINATED, PlaneSandbox


def token() -> str:
    """A token that expires in a day, in the form of a JWT."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 86400}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.{randomness.token_hex(8)}"


PACKAGED = {"gcc", "gfortran", "build-essential", "git", "curl"}


def installed(requirement: str) -> bool:
    """Whether this machine's packages satisfy a requirement."""
    wanted = Requirement(requirement)
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


class _Server(Server):
    """A server that knows its connections: the library's own lets them stay open."""

    def __init__(self, handlers: list[Any]) -> None:
        super().__init__(handlers)
        self.transports: list[Any] = []

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        made = protocol.connection_made

        def connected(transport: Any) -> None:
            made(transport)
            self.transports.append(transport)

        protocol.connection_made = connected
        return protocol


@dataclass(slots=True, kw_only=True)
class PlaneImage:
    """A recorded image: one layer of Dockerfile lines over the image it starts from."""

    id: str
    definition: api.Image
    below: PlaneImage | None = None
    files: Path | None = None
    """The writable folders, where the image is a snapshot of a sandbox; one folder, where it is one of a folder."""

    def lines(self) -> list[str]:
        """All Dockerfile lines, from the bottom up."""
        return [*(self.below.lines() if self.below else []), *self.definition.dockerfile_commands]

    def layers(self) -> list[PlaneImage]:
        return [*(self.below.layers() if self.below else []), self]

    def environment(self) -> dict[str, str]:
        """What its ``ENV`` lines set."""
        found = {}
        for line in self.lines():
            if line.startswith("ENV "):
                name, _, value = line[4:].partition("=")
                found[name.strip()] = " ".join(shlex.split(value))
        return found


@dataclass(slots=True)
class Plane:
    """The whole control plane; use it as a context manager."""

    folder: Path
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """Named secrets of the account: name to variables."""
    seen: dict[str, Path] = field(default_factory=dict)
    """Folders of this machine every sandbox may read: path inside to path outside."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables every sandbox finds set, as if its base image held them."""
    apps: dict[str, str] = field(default_factory=dict)
    images: dict[str, PlaneImage] = field(default_factory=dict)
    mounts: dict[str, list[api.MountFile]] = field(default_factory=dict)
    secret_ids: dict[str, dict[str, str]] = field(default_factory=dict)
    volumes: dict[str, Path] = field(default_factory=dict)
    sandboxes: dict[str, PlaneSandbox] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """Names of the RPCs received, in order."""
    refusals: dict[str, Exception] = field(default_factory=dict)
    """RPC names that fail, with what they raise."""
    lost_replies: set[str] = field(default_factory=set)
    """RPC names that are carried out once and whose reply is then lost."""
    token: str = field(default_factory=token)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Plane:
        self._thread = threading.Thread(target=self._loop.run_forever, name="control-plane")
        self._thread.start()
        self.run(self._serve())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the control plane's own thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(self) -> None:
        self._server = _Server([Control(self), Routing(self)])
        await self._server.start("127.0.0.1", 0)
        self.port = self._server._server.sockets[0].getsockname()[1]

    async def end_all(self) -> None:
        """End every sandbox."""
        for sandbox in self.running():
            await sandbox.end(api.GenericResult(status=TERMINATED))

    async def _close(self) -> None:
        await self.end_all()
        assert self._server is not None
        self._server.close()
        for transport in self._server.transports:
            transport.abort()  # the client would hold them for the life of the process
        await self._server.wait_closed()
        await asyncio.sleep(0.1)  # the sockets are closed by the loop

    def running(self) -> list[PlaneSandbox]:
        """Sandboxes that have not ended: what would still be billed."""
        return [sandbox for sandbox in self.sandboxes.values() if sandbox.result is None]

    def image_of(self, sandbox: PlaneSandbox) -> PlaneImage:
        return self.images[sandbox.definition.image_id]

    def fresh(self) -> Path:
        """The files of a container of which nothing was kept."""
        files = self.folder / "fresh"
        if not files.exists():
            make_files(files)
        return files

    def failed_build(self, image: str) -> str | None:
        """The log of a build that fails, or None: pip finds here what is installed on this machine, apt finds git."""
        for line in self.images[image].definition.dockerfile_commands:
            if line.startswith("RUN python -m pip install"):
                wanted, words = line.split()[5:], "ERROR: No matching distribution found for"
                missing = [word for word in shlex.split(" ".join(wanted)) if not installed(word)]
            elif line.startswith("RUN apt-get install -y"):
                missing, words = sorted(set(line.split()[4:]) - PACKAGED), "E: Unable to locate package"
            else:
                continue
            if missing:
                return f"{words} {missing[0]}\n"
        return None

    def record(self, image: str, definition: api.Image) -> None:
        """Keep an image asked for."""
        below = [self.images[base.image_id] for base in definition.base_images]
        self.images[image] = PlaneImage(id=image, definition=definition, below=below[0] if below else None)

    def snapshot(self, sandbox: PlaneSandbox, folder: str | None = None) -> str:
        """Keep a sandbox's files, or one folder, as an image and return its id."""
        image = f"im-snapshot{len(self.images):014d}"
        kept = self.folder / "snapshots" / image
        kept.parent.mkdir(exist_ok=True)
        source = sandbox.container.files if folder is None else sandbox.container.outside(folder)
        copy(source, kept)
        self.images[image] = PlaneImage(
            id=image, definition=api.Image(), below=self.image_of(sandbox), files=kept
        )
        return image

    async def create(
        self, definition: api.Sandbox, *, version: int, given: dict[str, str], tags: Any
    ) -> PlaneSandbox:
        """Start a sandbox as defined; ``given`` are the variables of secrets sent along with the request."""
        ending = "".join(randomness.choice(string.ascii_letters + string.digits) for _ in range(22))
        task = f"ta-{ending}" if version == 1 else f"ta-{ending[:20]}V"
        folder = self.folder / task
        folder.mkdir(parents=True)
        image = self.images[definition.image_id]
        if image.files is not None:
            copy(image.files, folder / "files")
        else:
            copy(self.fresh(), folder / "files")
        container = Container(
            folder=folder,
            volumes={
                mount.mount_path: (self.volumes[mount.volume_id], mount.read_only)
                for mount in definition.volume_mounts
            },
            network=definition.network_access.network_access_type != api.NetworkAccess.BLOCKED,
            seen=self.seen,
        )
        environment = container.environment() | self.environment | image.environment()
        for secret in definition.secret_ids:
            environment |= self.secret_ids[secret]
        sandbox = PlaneSandbox(
            id=f"sb-{ending}" if version == 1 else f"sb-v2-{ending}",
            task=task,
            version=version,
            definition=definition,
            environment=environment | given,
            container=container,
            tags={tag.tag_name: tag.tag_value for tag in tags},
        )
        self.sandboxes[sandbox.id] = sandbox
        await sandbox.start(self.secret_ids)
        return sandbox
