"""The kernel's driver: speaks JSON lines on stdin and stdout, and the kernel's protocol over Unix sockets.

It starts one ``ipykernel`` whose sockets lie in a private folder, so there is no port and no token. When its
input ends, however that came about, it ends the kernel and everything the kernel started.

In:  ``{"do": "start", "folder": PATH}`` · ``{"do": "execute", "id": N, "code": TEXT}`` · ``{"do": "interrupt"}`` ·
``{"do": "restart"}`` · ``{"do": "stop"}``. Out: objects with the field ``event``, described in ``events.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from whatchanged.lab.execution.inside.processes import (
    KERNEL,
    end_descendants,
    fate,
    guard,
    private_folder,
    resident,
)
from whatchanged.lab.execution.inside.request import Request

__all__ = ["Driver", "main"]

BEAT = 1.0  # seconds between signs of life
READY = 120.0  # seconds a kernel may take to start
LATE = 10.0  # seconds the last output may come after the reply
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")


class Driver:
    """One kernel and its requests, in the order of their arrival.

    Args:
        inlet: File descriptor of the requests.
        outlet: File descriptor of the events.
    """

    def __init__(self, inlet: int, outlet: int) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._partial = b""
        self._requests: dict[str, Request] = {}
        self._folder: str | None = None
        self._home = private_folder()
        self._kernel: subprocess.Popen[bytes] | None = None
        self._kernels = 0
        self._sockets: dict[str, Any] = {}
        self._context: Any = None
        self._session: Any = None
        self._errors = -1
        self._last_words = b""
        self._beat = 0.0

    def run(self) -> None:
        """Serve until the input ends or a request says so."""
        import zmq

        waiting: deque[dict[str, Any]] = deque()
        while True:
            poller = zmq.Poller()
            poller.register(self._inlet, zmq.POLLIN)
            if self._errors >= 0:
                poller.register(self._errors, zmq.POLLIN)
            for name in {"iopub", "shell"} & set(self._sockets):
                poller.register(self._sockets[name], zmq.POLLIN)
            ready = dict(poller.poll(250))
            self._read_errors()
            self._take_messages(0)
            if self._inlet in ready and not self._read_requests(waiting):
                return
            while waiting:
                if not self._obey(waiting.popleft()):
                    return
            if self._sockets:
                self._settle()
                assert self._kernel is not None
                if self._kernel.poll() is not None:
                    self._take_messages(200)
                    self._read_errors()
                    self._bury(fate(self._kernel.returncode), patience=0.0)

    def say(self, event: str, **fields: Any) -> None:
        """One line out."""
        data = json.dumps({"event": event, **fields}).encode() + b"\n"
        while data:
            data = data[os.write(self._outlet, data) :]

    def close(self) -> None:
        """Leave nothing behind."""
        self._end_kernel(patience=1.0)
        shutil.rmtree(self._home, ignore_errors=True)

    # what the host asks for

    def _read_requests(self, waiting: deque[dict[str, Any]]) -> bool:
        """Take what has arrived; ``False`` at the end of the input."""
        data = os.read(self._inlet, 1 << 20)
        *lines, self._partial = (self._partial + data).split(b"\n")
        waiting += [json.loads(line) for line in lines if line.strip()]
        return bool(data)

    def _obey(self, request: dict[str, Any]) -> bool:
        """Carry out one request; ``False`` ends the driver."""
        what = request["do"]
        if what == "start":
            self._folder = request.get("folder")
            return self._start()
        if what == "restart":
            self._bury("restarted", patience=1.0 if self._sockets else 0.0)
            return self._start()
        if what == "execute" and not self._sockets:
            self.say("dead", why="it had ended before", ids=[request["id"]], running=None, last_words="")
        elif what == "execute":
            content = {
                "code": request["code"],
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            }
            sent = self._session.send(self._sockets["shell"], "execute_request", content)
            self._requests[sent["header"]["msg_id"]] = Request(request["id"], self.say)
        elif what == "interrupt" and self._requests and self._kernel:
            with suppress(ProcessLookupError):
                os.killpg(self._kernel.pid, signal.SIGINT)
        return bool(what != "stop")

    # the kernel's life

    def _start(self) -> bool:
        """Start a kernel and wait until it answers; whether it did."""
        import zmq
        from jupyter_client.connect import write_connection_file
        from jupyter_client.session import Session

        self._kernels += 1
        address = f"{self._home}/k{self._kernels}"
        key = os.urandom(32).hex().encode()
        ports: dict[str, Any] = {f"{name}_port": number for number, name in enumerate(CHANNELS, 1)}
        path, _ = write_connection_file(f"{address}.json", ip=address, transport="ipc", key=key, **ports)
        self._errors, writing = os.pipe()
        os.set_blocking(self._errors, False)
        self._last_words = b""
        own = {
            "JPY_PARENT_PID": str(os.getpid()),
            "IPYTHONDIR": f"{self._home}/ipython",
            "JUPYTER_RUNTIME_DIR": self._home,
        }
        try:
            self._kernel = subprocess.Popen(
                [sys.executable, "-c", KERNEL, "-f", path, "--HistoryManager.enabled=False"],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=self._folder,
                env={**os.environ, **own},
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._context = self._context or zmq.Context()
        self._session = Session(key=key, signature_scheme="hmac-sha256", check_pid=False)
        for name, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("iopub", zmq.SUB)):
            socket = self._sockets[name] = self._context.socket(kind)
            socket.linger, socket.rcvhwm = 0, 0
            if kind == zmq.SUB:
                socket.subscribe(b"")
            socket.connect(f"ipc://{address}-{ports[f'{name}_port']}")
        return self._await_kernel()

    def _await_kernel(self) -> bool:
        """Ask until both channels have answered."""
        assert self._kernel is not None
        end, asked, heard, info = time.monotonic() + READY, 0.0, False, None
        while time.monotonic() < end:
            self._read_errors()
            if self._kernel.poll() is not None:
                how = fate(self._kernel.returncode)
                self.say("failed", problem=f"the kernel ended while it started ({how}): {self._words()}")
                return False
            if time.monotonic() - asked > 1.0:
                self._session.send(self._sockets["shell"], "kernel_info_request")
                asked = time.monotonic()
            if self._sockets["iopub"].poll(20):
                heard = self._receive("iopub") is not None or heard
            if self._sockets["shell"].poll(20):
                message = self._receive("shell")
                if message and message["header"]["msg_type"] == "kernel_info_reply":
                    info = message["content"]
            if heard and info:
                language = info.get("language_info", {})
                where = self._folder or str(Path.cwd())
                self.say(
                    "ready", pid=self._kernel.pid, language=language, folder=where, executable=sys.executable
                )
                return True
        self.say("failed", problem=f"the kernel did not answer within {READY:.0f} s: {self._words()}")
        return False

    def _bury(self, why: str, *, patience: float) -> None:
        """End the kernel; requests under way end with it."""
        for request in self._requests.values():
            request.flush()
        running = [request.number for request in self._requests.values()]
        self._requests = {}
        self._end_kernel(patience=patience)
        first = running[0] if running else None
        self.say("dead", why=why, ids=running, running=first, last_words=self._words())

    def _end_kernel(self, *, patience: float) -> None:
        """End the kernel and everything it started, at first politely."""
        if self._kernel is None:
            return
        if self._kernel.poll() is None and patience and self._sockets:
            self._session.send(self._sockets["control"], "shutdown_request", {"restart": False})
            with suppress(subprocess.TimeoutExpired):
                self._kernel.wait(patience)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._kernel.pid, signal.SIGKILL)
        self._kernel.wait()
        end_descendants()
        for socket in self._sockets.values():
            socket.close()
        self._sockets = {}
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1

    def _read_errors(self) -> None:
        """Keep the last words of the kernel's process itself: crashes are told there."""
        with suppress(BlockingIOError):
            while self._errors >= 0:
                said = os.read(self._errors, 65_536)
                if not said:
                    os.close(self._errors)
                    self._errors = -1
                self._last_words = (self._last_words + said)[-8_000:]

    def _words(self) -> str:
        return self._last_words.decode("utf-8", "replace")[-2_000:].strip()

    # what the kernel says

    def _take_messages(self, patience: int) -> None:
        """Take what has come, at most 500 of each kind; `patience` in milliseconds is for a kernel's last ones."""
        for name in {"iopub", "shell"} & set(self._sockets):
            for _ in range(100_000 if patience else 500):
                if not self._sockets[name].poll(patience if name == "iopub" else 0):
                    break
                message = self._receive(name)
                request = self._requests.get(message["parent_header"].get("msg_id")) if message else None
                if message and request:
                    self._pass_on(request, message)

    def _receive(self, channel: str) -> Any:
        import zmq

        try:
            return self._session.recv(self._sockets[channel], mode=zmq.NOBLOCK)[1]
        except (ValueError, TypeError, UnicodeDecodeError):  # forged or broken
            return None

    def _pass_on(self, request: Request, message: dict[str, Any]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "status":
            request.started = request.started or time.monotonic()
            request.idle = content.get("execution_state") == "idle"
        elif kind == "stream":
            request.text(content["name"], content["text"])
        elif kind in {"display_data", "execute_result", "update_display_data"}:
            request.display(kind, content)
        elif kind == "error":
            request.error(content)
        elif kind == "clear_output":
            request.clear(bool(content.get("wait")))
        elif kind == "execute_reply":
            request.reply, request.replied = content, time.monotonic()

    def _settle(self) -> None:
        """Finish requests whose reply and last output have come; give a sign of life for the others."""
        now = time.monotonic()
        for key, request in list(self._requests.items()):
            if request.replied and (request.idle or now - request.replied > LATE):
                del self._requests[key]
                request.flush()
                self.say(
                    "done",
                    id=request.number,
                    status=request.reply.get("status", "error"),
                    count=request.reply.get("execution_count"),
                    seconds=round(request.replied - (request.started or request.replied), 3),
                )
        if self._requests and now - self._beat >= BEAT:
            assert self._kernel is not None
            self._beat = now
            request = next(iter(self._requests.values()))
            seconds = round(now - request.started, 1) if request.started else 0.0
            memory = resident(self._kernel.pid)
            self.say(
                "beat", id=request.number, seconds=seconds, memory=memory, waiting=len(self._requests) - 1
            )


def main() -> None:
    """Take standard output for the protocol alone, then serve."""
    outlet = os.dup(1)
    os.dup2(2, 1)
    guard()
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    driver = Driver(0, outlet)
    try:
        driver.run()
    except BrokenPipeError:
        pass
    except ImportError as error:
        driver.say("failed", problem=f"{error}; a kernel needs the packages ipykernel and jupyter_client")
    except OSError as error:
        driver.say("failed", problem=f"the kernel cannot be run: {error}")
    finally:
        driver.close()
