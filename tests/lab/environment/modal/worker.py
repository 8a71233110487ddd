"""The first process of one sandbox: it speaks the worker's half of Modal's gRPC and runs real commands.

Started by the control plane as ``worker.py CONFIGURATION``, it serves ``TaskCommandRouter`` on a Unix socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from google.protobuf.empty_pb2 import Empty  # noqa: F401  registers the type the stubs name
from grpclib import GRPCError, Status
from grpclib.server import Server, Stream
from modal_proto import task_command_router_grpc
from modal_proto import task_command_router_pb2 as router

sys.path.insert(0, str(Path(__file__).parent))
from execs import Exec


class Worker(task_command_router_grpc.TaskCommandRouterBase):
    """Commands of one sandbox, by the id the client gave them."""

    def __init__(self, configuration: dict) -> None:
        self.environment: dict[str, str] = configuration["environment"]
        self.secrets: dict[str, dict[str, str]] = configuration["secrets"]
        self.workdir: str = configuration["workdir"]
        self.execs: dict[str, Exec] = {}

    def of(self, exec_id: str) -> Exec:
        if exec_id not in self.execs:
            raise GRPCError(Status.NOT_FOUND, f"no exec {exec_id}")
        return self.execs[exec_id]

    async def start(
        self, command: list[str], environment: dict[str, str], workdir: str, timeout: int
    ) -> Exec:
        try:
            return await Exec.start(command, environment=environment, folder=workdir, timeout=timeout)
        except OSError as error:
            raise GRPCError(
                Status.INVALID_ARGUMENT, f"cannot run {command[0]!r}: {error.strerror}"
            ) from error

    async def TaskExecStart(self, stream: Stream) -> None:
        request = await stream.recv_message()
        environment = dict(self.environment)
        for source in request.secret_sources:
            environment |= (
                dict(source.env.contents) if source.HasField("env") else self.secrets[source.secret_id]
            )
        if request.exec_id not in self.execs:  # the id is the idempotency key
            self.execs[request.exec_id] = await self.start(
                list(request.command_args), environment, request.workdir or self.workdir, request.timeout_secs
            )
        await stream.send_message(router.TaskExecStartResponse())

    async def TaskExecStdioRead(self, stream: Stream) -> None:
        request = await stream.recv_message()
        running = self.of(request.exec_id)
        first = request.file_descriptor == router.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDOUT
        async for chunk in (running.stdout if first else running.stderr).read(request.offset):
            await stream.send_message(router.TaskExecStdioReadResponse(data=chunk))

    async def TaskExecStdinWrite(self, stream: Stream) -> None:
        request = await stream.recv_message()
        if not await self.of(request.exec_id).write(request.offset, request.data, request.eof):
            raise GRPCError(Status.FAILED_PRECONDITION, "the command no longer reads its input")
        await stream.send_message(router.TaskExecStdinWriteResponse())

    async def TaskExecStdinWriteStream(self, stream: Stream) -> None:
        running, offset = None, 0
        async for message in stream:
            if message.HasField("start"):
                running, offset = self.of(message.start.exec_id), message.start.offset
                continue
            assert running is not None
            if not await running.write(offset, message.data, message.HasField("end")):
                raise GRPCError(Status.FAILED_PRECONDITION, "the command no longer reads its input")
            offset += len(message.data)
        await stream.send_message(router.TaskExecStdinWriteStreamResponse())

    async def TaskExecStdinStatus(self, stream: Stream) -> None:
        running = self.of((await stream.recv_message()).exec_id)
        await stream.send_message(
            router.TaskExecStdinStatusResponse(num_bytes_written=running.written, closed=running.closed)
        )

    async def TaskExecPoll(self, stream: Stream) -> None:
        running = self.of((await stream.recv_message()).exec_id)
        await stream.send_message(
            router.TaskExecPollResponse(**(self.status(running) if running.done.is_set() else {}))
        )

    async def TaskExecWait(self, stream: Stream) -> None:
        running = self.of((await stream.recv_message()).exec_id)
        await running.done.wait()
        await stream.send_message(router.TaskExecWaitResponse(**self.status(running)))

    @staticmethod
    def status(running: Exec) -> dict[str, int]:
        assert running.code is not None
        return {"code": running.code} if running.code >= 0 else {"signal": -running.code}


Worker.__abstractmethods__ = frozenset()  # the client of a backend that needs no others calls no others


async def main(path: Path) -> None:
    configuration = json.loads(path.read_text())
    path.unlink()  # it holds the secrets
    worker = Worker(configuration)
    server = Server([worker])
    await server.start(path=configuration["socket"])
    entrypoint = await worker.start(configuration["command"], worker.environment, worker.workdir, 0)
    await entrypoint.done.wait()
    sys.stderr.buffer.write(entrypoint.stderr.data)
    sys.stderr.flush()
    os._exit(entrypoint.code)  # and bubblewrap ends what is left


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
