"""The control plane's half of Modal's gRPC: apps, images, secrets, volumes, mounts, and sandboxes of both versions."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any

from grpclib import GRPCError, Status
from grpclib.server import Stream
from modal._utils.grpc_testing import patch_mock_servicer
from modal_proto import api_grpc
from modal_proto import api_pb2 as api
from sandboxes import FAILURE, SUCCESS, TERMINATED, PlaneSandbox

if TYPE_CHECKING:
    from plane import Plane

TOKEN = ("ak-loopback", "as-loopback")
"""The only account there is: what the client must present."""
BUILDER = "2025.06"


@patch_mock_servicer
class Control(api_grpc.ModalClientBase):
    """Answers the client from the plane's memory."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    async def take(self, stream: Stream) -> Any:
        """The request, once it is recorded and its sender known."""
        request = await stream.recv_message()
        name = stream._method_name.rsplit("/", 1)[-1]
        self.plane.calls.append(name)
        sender = (stream.metadata.get("x-modal-token-id"), stream.metadata.get("x-modal-token-secret"))
        if sender != TOKEN:
            raise GRPCError(Status.UNAUTHENTICATED, "Token not found")
        if name.endswith("V2") and stream.metadata.get("x-modal-auth-token") != self.plane.token:
            raise GRPCError(Status.UNAUTHENTICATED, "auth token missing")
        if name in self.plane.refusals:
            raise self.plane.refusals[name]
        return request

    def of(self, sandbox: str) -> PlaneSandbox:
        if sandbox not in self.plane.sandboxes:
            raise GRPCError(Status.NOT_FOUND, f"no sandbox {sandbox}")
        return self.plane.sandboxes[sandbox]

    async def ClientHello(self, stream: Stream) -> None:
        await self.take(stream)
        await stream.send_message(api.ClientHelloResponse(image_builder_version=BUILDER))

    async def AuthTokenGet(self, stream: Stream) -> None:
        await self.take(stream)
        await stream.send_message(api.AuthTokenGetResponse(token=self.plane.token))

    async def EnvironmentGetOrCreate(self, stream: Stream) -> None:
        await self.take(stream)
        settings = api.EnvironmentSettings(image_builder_version=BUILDER)
        metadata = api.EnvironmentMetadata(name="main", settings=settings)
        await stream.send_message(
            api.EnvironmentGetOrCreateResponse(environment_id="en-main", metadata=metadata)
        )

    async def AppGetOrCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        app = self.plane.apps.setdefault(request.app_name, f"ap-{len(self.plane.apps):022d}")
        metadata = api.AppHandleMetadata(app_id=app, environment_name="main")
        await stream.send_message(api.AppGetOrCreateResponse(app_id=app, handle_metadata=metadata))

    async def ImageGetOrCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        identity = hashlib.sha256(request.image.SerializeToString(deterministic=True)).hexdigest()
        image = f"im-{identity[:22]}"
        known = image in self.plane.images and self.plane.failed_build(image) is None
        if not known:
            self.plane.record(image, request.image)
        result = api.GenericResult(status=SUCCESS) if known else None
        await stream.send_message(
            api.ImageGetOrCreateResponse(image_id=image, result=result, metadata=self.metadata())
        )

    @staticmethod
    def metadata() -> api.ImageMetadata:
        return api.ImageMetadata(image_builder_version=BUILDER, python_version_info="Python 3.11.9")

    async def ImageJoinStreaming(self, stream: Stream) -> None:
        request = await self.take(stream)
        log = self.plane.failed_build(request.image_id)
        result = api.GenericResult(status=SUCCESS if log is None else FAILURE)
        await stream.send_message(
            api.ImageJoinStreamingResponse(result=result, metadata=self.metadata(), eof=True)
        )

    async def ImageBuildChainGet(self, stream: Stream) -> None:
        request = await self.take(stream)
        step = api.ImageBuildStep(
            image_id=request.image_id, builder_app_id="ap-builder", builder_task_id=request.image_id
        )
        step.started_at.FromSeconds(int(time.time()) - 60)
        step.finished_at.FromSeconds(int(time.time()))
        await stream.send_message(api.ImageBuildChainGetResponse(build_steps=[step]))

    async def AppFetchLogs(self, stream: Stream) -> None:
        request = await self.take(stream)
        log = self.plane.failed_build(request.task_id) or ""
        items = [
            api.TaskLogs(data=line, file_descriptor=api.FILE_DESCRIPTOR_STDERR)
            for line in log.splitlines(True)
        ]
        batch = api.TaskLogsBatch(task_id=request.task_id, items=items[-request.limit :])
        await stream.send_message(api.AppFetchLogsResponse(batches=[batch]))

    async def ImageFromId(self, stream: Stream) -> None:
        request = await self.take(stream)
        if request.image_id not in self.plane.images:
            raise GRPCError(Status.NOT_FOUND, f"no image {request.image_id}")
        await stream.send_message(
            api.ImageFromIdResponse(image_id=request.image_id, metadata=self.metadata())
        )

    async def MountBatchedCheckExistence(self, stream: Stream) -> None:
        await self.take(stream)  # every content counts as stored already: images are not built
        await stream.send_message(api.MountBatchedCheckExistenceResponse())

    async def MountGetOrCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        mount = f"mo-{len(self.plane.mounts):022d}"
        self.plane.mounts[mount] = list(request.files)
        await stream.send_message(api.MountGetOrCreateResponse(mount_id=mount))

    async def SecretGetOrCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        if request.deployment_name:
            if request.deployment_name not in self.plane.secrets:
                raise GRPCError(Status.NOT_FOUND, f"Secret '{request.deployment_name}' not found")
            variables = self.plane.secrets[request.deployment_name]
            if missing := set(request.required_keys) - set(variables):
                raise GRPCError(Status.FAILED_PRECONDITION, f"Secret is missing key(s): {', '.join(missing)}")
        else:
            variables = dict(request.env_dict)
        secret = f"st-{len(self.plane.secret_ids):022d}"
        self.plane.secret_ids[secret] = variables
        metadata = api.SecretMetadata(name=request.deployment_name, keys=list(variables))
        await stream.send_message(api.SecretGetOrCreateResponse(secret_id=secret, metadata=metadata))

    async def VolumeGetOrCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        volume = f"vo-{request.deployment_name}"
        folder = self.plane.volumes.setdefault(
            volume, self.plane.folder / "volumes" / request.deployment_name
        )
        folder.mkdir(parents=True, exist_ok=True)
        metadata = api.VolumeMetadata(name=request.deployment_name, version=api.VOLUME_FS_VERSION_V1)
        await stream.send_message(
            api.VolumeGetOrCreateResponse(
                volume_id=volume, version=api.VOLUME_FS_VERSION_V1, metadata=metadata
            )
        )

    async def SandboxCreate(self, stream: Stream) -> None:
        request = await self.take(stream)
        made = await self.plane.create(request.definition, version=1, given={}, tags=request.tags)
        if "SandboxCreate" in self.plane.lost_replies:
            self.plane.lost_replies.remove("SandboxCreate")
            raise GRPCError(Status.FAILED_PRECONDITION, "the reply was lost")
        await stream.send_message(api.SandboxCreateResponse(sandbox_id=made.id))

    async def SandboxCreateV2(self, stream: Stream) -> None:
        request = await self.take(stream)
        if request.definition.resources.gpu_config.gpu_type:
            raise GRPCError(Status.INVALID_ARGUMENT, "V2 sandboxes have no GPU")
        given: dict[str, str] = {}
        for source in request.secret_sources:
            given |= (
                dict(source.env.contents)
                if source.HasField("env")
                else self.plane.secret_ids[source.secret_id]
            )
        made = await self.plane.create(request.definition, version=2, given=given, tags=request.tags)
        await stream.send_message(
            api.SandboxCreateV2Response(
                sandbox_id=made.id,
                task_id=made.task,
                command_router_access=api.CommandRouterAccess(jwt=self.plane.token, url=self.plane.url),
            )
        )

    async def _task_id(self, stream: Stream) -> None:
        sandbox = self.of((await self.take(stream)).sandbox_id)
        await stream.send_message(
            api.SandboxGetTaskIdResponse(task_result=sandbox.result)
            if sandbox.result is not None
            else api.SandboxGetTaskIdResponse(task_id=sandbox.task)
        )

    async def SandboxGetTaskId(self, stream: Stream) -> None:
        await self._task_id(stream)

    async def SandboxGetTaskIdV2(self, stream: Stream) -> None:
        await self._task_id(stream)

    async def TaskGetCommandRouterAccess(self, stream: Stream) -> None:
        await self.take(stream)
        await stream.send_message(
            api.TaskGetCommandRouterAccessResponse(jwt=self.plane.token, url=self.plane.url)
        )

    async def SandboxGetCommandRouterAccess(self, stream: Stream) -> None:
        request = await self.take(stream)
        if request.sandbox_id and self.of(request.sandbox_id).result is not None:
            raise GRPCError(Status.FAILED_PRECONDITION, "the sandbox has ended")
        await stream.send_message(
            api.SandboxGetCommandRouterAccessResponse(jwt=self.plane.token, url=self.plane.url)
        )

    async def _wait(self, stream: Stream) -> None:
        request = await self.take(stream)
        sandbox = self.of(request.sandbox_id)
        if request.timeout:
            await asyncio.wait([asyncio.ensure_future(sandbox.ended.wait())], timeout=request.timeout)
        await stream.send_message(api.SandboxWaitResponse(result=sandbox.result))

    async def SandboxWait(self, stream: Stream) -> None:
        await self._wait(stream)

    async def SandboxWaitV2(self, stream: Stream) -> None:
        await self._wait(stream)

    async def _terminate(self, stream: Stream) -> None:
        sandbox = self.of((await self.take(stream)).sandbox_id)
        existing = sandbox.result
        await sandbox.end(api.GenericResult(status=TERMINATED))
        await stream.send_message(api.SandboxTerminateResponse(existing_result=existing))

    async def SandboxTerminate(self, stream: Stream) -> None:
        await self._terminate(stream)

    async def SandboxTerminateV2(self, stream: Stream) -> None:
        await self._terminate(stream)

    async def _list(self, stream: Stream) -> None:
        request = await self.take(stream)
        wanted = {(tag.tag_name, tag.tag_value) for tag in request.tags}
        found = [one for one in self.plane.running() if wanted <= set(one.tags.items())]
        infos = [api.SandboxInfo(id=one.id, created_at=1.0, app_id=request.app_id) for one in found]
        await stream.send_message(
            api.SandboxListResponse(sandboxes=[] if request.before_timestamp else infos)
        )

    async def SandboxList(self, stream: Stream) -> None:
        await self._list(stream)

    async def SandboxListV2(self, stream: Stream) -> None:
        await self._list(stream)
