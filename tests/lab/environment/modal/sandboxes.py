"""One sandbox of the control plane: what was asked for, the process that is its container, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from container import HERE, Container
from grpclib.client import Channel
from modal_proto import api_pb2 as api
from modal_proto import task_command_router_grpc

SUCCESS = api.GenericResult.GENERIC_STATUS_SUCCESS
FAILURE = api.GenericResult.GENERIC_STATUS_FAILURE
TIMEOUT = api.GenericResult.GENERIC_STATUS_TIMEOUT
TERMINATED = api.GenericResult.GENERIC_STATUS_TERMINATED


@dataclass(slots=True, kw_only=True)
class PlaneSandbox:
    """A sandbox as the control plane keeps it."""

    id: str
    task: str
    version: int
    """1 or 2: which of Modal's two ways it was created."""
    definition: api.Sandbox
    environment: dict[str, str]
    """What its processes see, secrets included."""
    container: Container
    tags: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    channel: Channel | None = None
    result: api.GenericResult | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    watch: asyncio.Task[None] | None = None
    log: str = ""
    """What the container's first process wrote, once it has ended."""

    @property
    def workspace(self) -> Path:
        """The folder outside that is ``/workspace`` inside."""
        return self.container.files / "workspace"

    @property
    def gpu(self) -> str:
        """The GPU asked for, or an empty string."""
        return self.definition.resources.gpu_config.gpu_type

    @property
    def stub(self) -> task_command_router_grpc.TaskCommandRouterStub:
        assert self.channel is not None
        return task_command_router_grpc.TaskCommandRouterStub(self.channel)

    async def start(self, secrets: dict[str, dict[str, str]]) -> None:
        """Start the container and wait until its worker answers."""
        folder = self.container.folder / "worker"
        folder.mkdir()
        socket, configuration = folder / "worker.sock", folder / "worker.json"
        configuration.write_text(
            json.dumps(
                {
                    "socket": str(socket),
                    "environment": self.environment,
                    "secrets": secrets,
                    "workdir": self.definition.workdir or "/root",
                    "command": list(self.definition.entrypoint_args),
                }
            )
        )
        log = (folder / "worker.log").open("wb")
        self.process = await asyncio.create_subprocess_exec(
            *self.container.command(HERE / "worker.py", configuration),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        log.close()
        self.watch = asyncio.create_task(self._follow())
        while not socket.exists():
            if self.process.returncode is not None:
                await self.ended.wait()
                raise RuntimeError(f"the container did not start: {self.log}")
            await asyncio.sleep(0.01)
        self.channel = Channel(path=str(socket))

    async def _follow(self) -> None:
        assert self.process is not None
        try:
            code = await asyncio.wait_for(self.process.wait(), self.definition.timeout_secs)
            ending = api.GenericResult(status=SUCCESS if code == 0 else FAILURE, exitcode=code)
        except TimeoutError:
            ending = api.GenericResult(status=TIMEOUT)
        await self.end(ending)

    async def terminate(self) -> None:
        """End it as a client's request does."""
        await self.end(api.GenericResult(status=TERMINATED))

    async def end(self, result: api.GenericResult) -> None:
        """Kill everything inside; the first result stands."""
        if self.result is None:
            self.result = result
        assert self.process is not None
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()  # and all its processes die with bubblewrap
            await self.process.wait()
        if self.channel is not None:
            self.channel.close()
        if not self.ended.is_set():
            self.log = (self.container.folder / "worker" / "worker.log").read_text()
            shutil.rmtree(self.container.folder)
        self.ended.set()
