"""The router of commands to workers: it answers for sandboxes that have ended and passes on the rest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from container import copy
from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from grpclib.exceptions import StreamTerminatedError
from grpclib.server import Stream
from modal._utils.grpc_testing import patch_mock_servicer
from modal_proto import task_command_router_grpc
from modal_proto import task_command_router_pb2 as router
from sandboxes import PlaneSandbox

if TYPE_CHECKING:
    from plane import Plane

LOST = (StreamTerminatedError, ConnectionError, OSError)


@patch_mock_servicer
class Routing(task_command_router_grpc.TaskCommandRouterBase):
    """Modal's worker host: it outlives the sandboxes on it."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    def of(self, stream: Stream, task: str) -> PlaneSandbox:
        name = stream._method_name.rsplit("/", 1)[-1]
        self.plane.calls.append(name)
        if name in self.plane.refusals:
            raise self.plane.refusals[name]
        if stream.metadata.get("authorization") != f"Bearer {self.plane.token}":
            raise GRPCError(Status.UNAUTHENTICATED, "no such token")
        for sandbox in self.plane.sandboxes.values():
            if sandbox.task == task and sandbox.result is None:
                return sandbox
        raise GRPCError(Status.NOT_FOUND, f"task {task} is not running")

    async def _pass(self, stream: Stream, name: str) -> None:
        request = await stream.recv_message()
        sandbox = self.of(stream, request.task_id)
        try:
            reply: Any = await getattr(sandbox.stub, name)(request)
        except LOST as error:
            raise GRPCError(Status.NOT_FOUND, f"task {request.task_id} has ended") from error
        await stream.send_message(reply)

    async def TaskExecStart(self, stream: Stream) -> None:
        await self._pass(stream, "TaskExecStart")

    async def TaskExecStdinWrite(self, stream: Stream) -> None:
        await self._pass(stream, "TaskExecStdinWrite")

    async def TaskExecStdinStatus(self, stream: Stream) -> None:
        await self._pass(stream, "TaskExecStdinStatus")

    async def TaskExecPoll(self, stream: Stream) -> None:
        await self._pass(stream, "TaskExecPoll")

    async def TaskExecWait(self, stream: Stream) -> None:
        await self._pass(stream, "TaskExecWait")

    async def TaskExecStdioRead(self, stream: Stream) -> None:
        request = await stream.recv_message()
        sandbox = self.of(stream, request.task_id)
        try:
            async with sandbox.stub.TaskExecStdioRead.open() as inner:
                await inner.send_message(request, end=True)
                async for reply in inner:
                    await stream.send_message(reply)
        except LOST as error:
            raise GRPCError(Status.NOT_FOUND, f"task {request.task_id} has ended") from error

    async def TaskExecStdinWriteStream(self, stream: Stream) -> None:
        first = await stream.recv_message()
        sandbox = self.of(stream, first.start.task_id)
        try:
            async with sandbox.stub.TaskExecStdinWriteStream.open() as inner:
                await inner.send_message(first)
                async for message in stream:
                    await inner.send_message(message, end=message.HasField("end"))
                await stream.send_message(await inner.recv_message())
        except LOST as error:
            raise GRPCError(Status.NOT_FOUND, f"task {first.start.task_id} has ended") from error

    async def TaskSnapshotFilesystem(self, stream: Stream) -> None:
        request = await stream.recv_message()
        image = self.plane.snapshot(self.of(stream, request.task_id))
        await stream.send_message(router.TaskSnapshotFilesystemResponse(image_id=image))

    async def TaskSnapshotDirectory(self, stream: Stream) -> None:
        request = await stream.recv_message()
        image = self.plane.snapshot(self.of(stream, request.task_id), request.path.decode())
        await stream.send_message(router.TaskSnapshotDirectoryResponse(image_id=image))

    async def TaskMountDirectory(self, stream: Stream) -> None:
        request = await stream.recv_message()
        sandbox = self.of(stream, request.task_id)
        kept = self.plane.images[request.image_id].files
        assert kept is not None
        copy(kept, sandbox.container.outside(request.path.decode()))
        await stream.send_message(Empty())

    async def TaskUnmountDirectory(self, stream: Stream) -> None:
        request = await stream.recv_message()
        shutil.rmtree(self.of(stream, request.task_id).container.outside(request.path.decode()))
        await stream.send_message(Empty())
