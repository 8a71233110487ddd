"""Commands and files in a Modal sandbox, with the rights of its user."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whatchanged.errors import SandboxError
from whatchanged.lab.environment.contract import OUTPUT_LIMIT, Completed
from whatchanged.lab.environment.layout import inside_path
from whatchanged.lab.environment.modal_image import AGENT, HOME, WORKSPACE
from whatchanged.lab.environment.modal_process import KILLED, ModalProcess
from whatchanged.lab.environment.modal_wire import Answer, call, modal_failures, send_job

if TYPE_CHECKING:
    import modal

    from whatchanged.errors import SandboxEnded

__all__ = ["Runner"]

_MARGIN = 10.0
_WORDS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Gives jobs to one sandbox.

    Attributes:
        sandbox: The sandbox.
        why: Why a job was cut off, if the sandbox is over.
        user: Whose rights commands have; ``None`` leaves them those of the container.
        rlimits: Limits of every command.
    """

    sandbox: modal.Sandbox
    why: Callable[[], SandboxEnded | None]
    user: int | None = AGENT
    rlimits: Mapping[str, int] = field(default_factory=dict)

    def _command(
        self, command: str | Sequence[str], cwd: str, env: Mapping[str, str] | None
    ) -> dict[str, Any]:
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        if not argv:
            raise ValueError("the command is empty; give a text or a list")
        own = {} if self.user is None else {"HOME": HOME, "USER": "agent", "LOGNAME": "agent"}
        return {
            "command": argv,
            "cwd": inside_path(WORKSPACE, cwd),
            "env": {**own, **(env or {})},
            "user": self.user,
            "rlimits": dict(self.rlimits),
        }

    def run(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: bytes = b"",
        limit: int = OUTPUT_LIMIT,
        granted: Iterable[modal.Secret] = (),
    ) -> Completed:
        """Run a command to its end; see `Backend.exec`. `granted` are secrets that it alone sees."""
        began = time.monotonic()
        answer = call(
            self.sandbox,
            "run",
            stdin=stdin,
            granted=granted,
            backstop=None if timeout is None else timeout + _MARGIN,
            timeout=timeout,
            limit=limit,
            **self._command(command, cwd, env),
        )
        told = answer.told
        if not told and (ended := self.why()) is not None:
            raise ended
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

    def open(
        self, command: str | Sequence[str], *, cwd: str = ".", env: Mapping[str, str] | None = None
    ) -> ModalProcess:
        """Start a command and speak to it; see `Backend.open_process`."""
        with modal_failures("start the command"):
            process, mark, _ = send_job(self.sandbox, "open", **self._command(command, cwd, env))
        return ModalProcess(process, lambda: self._kill(mark))

    def _kill(self, mark: str) -> None:
        try:
            call(self.sandbox, "kill", target=mark)
        except SandboxError:
            if self.why() is None:
                raise

    def job(self, job: str, **what: Any) -> Answer:
        """Give a job that tells something at its end.

        Raises:
            SandboxError: If it was cut off.
        """
        answer = call(self.sandbox, job, user=self.user, **what)
        if not answer.told:
            words = answer.stderr.decode("utf-8", "replace").strip()[-_WORDS:] or "it was cut off"
            raise self.why() or SandboxError(f"Modal could not {job} in the sandbox: {words}")
        return answer

    def unpack(self, archive: Iterable[bytes], folder: str) -> None:
        """Unpack a tar archive.

        Raises:
            SandboxError: If it could not be.
        """
        told = self.job("unpack", stdin=archive, folder=folder).told
        if "error" in told:
            raise SandboxError(f"files could not be put into the sandbox: {told['path']} {told['error']}")
