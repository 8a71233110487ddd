"""The host's lease on a Modal sandbox: signs of life one way, the guard's verdict the other."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING

from whatchanged.errors import ResourceLimit, SandboxEnded, TimeLimit
from whatchanged.lab.environment.modal_wire import modal_failures, send_job

if TYPE_CHECKING:
    import modal

__all__ = ["Lease"]

_SETTLE = 5.0
_LATE = 15.0


class Lease:
    """Renewed until it is closed. If this process is killed, it runs out and the sandbox ends itself.

    Args:
        sandbox: The sandbox.
        folder: Where the guard looks.
        silence: Seconds after which it runs out.
        timeout: Seconds the sandbox has from `begin` on.
    """

    def __init__(self, sandbox: modal.Sandbox, folder: str, *, silence: float, timeout: float) -> None:
        self._sandbox = sandbox
        self._timeout = timeout
        self._begun: float | None = None
        self._closed = threading.Event()
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self.verdict: SandboxEnded | None = None
        """Why the sandbox is over, once that is known."""
        with modal_failures("watch the sandbox"):
            self._process, _, _ = send_job(sandbox, "lease", folder=folder)
            self._write(b"beat\n")
        self._interval = silence / 4
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name="modal-lease", daemon=True).start()

    def begin(self) -> None:
        """Let the time limit run from now on."""
        self._begun = time.monotonic()
        with modal_failures("start the clock"):
            self._write(b"begin\n")

    def _write(self, sign: bytes) -> None:
        with self._lock:
            self._process.stdin.write(sign)
            self._process.stdin.drain()

    def _beat(self) -> None:
        from modal import exception

        while not self._closed.wait(self._interval):
            with contextlib.suppress(exception.Error, ValueError):  # the next one may get through
                self._write(b"beat\n")
            if self._begun is not None and time.monotonic() - self._begun > self._timeout + _LATE:
                # The guard should have spoken; somebody may have stopped it.
                self._judge(TimeLimit(f"the sandbox passed its time limit of {self._timeout:g} s"))
                with contextlib.suppress(exception.Error):
                    self._sandbox.terminate()
                return

    def _listen(self) -> None:
        from modal import exception

        with contextlib.suppress(exception.Error):
            if told := self._told():
                kind = TimeLimit if told["limit"] == "time" else ResourceLimit
                self._judge(kind(told["message"]))
                return
        if not self._closed.is_set():
            self._judge(self._post_mortem())

    def _told(self) -> dict[str, str]:
        line = b""
        for chunk in self._process.stdout:
            line += chunk
            if line.endswith(b"\n"):
                told: dict[str, str] = json.loads(line)
                return told
        return {}

    def _post_mortem(self) -> SandboxEnded:
        from modal import exception

        code = None
        with contextlib.suppress(exception.Error):
            code = self._sandbox.poll()
        if code == 124:
            return TimeLimit(f"the sandbox passed its time limit of {self._timeout:g} s, and Modal ended it")
        how = "its watch inside was ended" if code is None else f"exit code {code}"
        return SandboxEnded(f"the sandbox died ({how})")

    def _judge(self, verdict: SandboxEnded) -> None:
        if self.verdict is None:
            self.verdict = verdict
        self._settled.set()

    def settle(self) -> SandboxEnded | None:
        """The verdict, waiting a moment for it."""
        self._settled.wait(_SETTLE)
        return self.verdict

    def close(self) -> None:
        """Stop renewing; the sandbox is about to be ended."""
        self._closed.set()
        self._settled.set()
