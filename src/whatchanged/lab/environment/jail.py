"""The host's end of a local sandbox: starts its first process, hands it commands, watches its limits."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from whatchanged.errors import SandboxEnded, SandboxError
from whatchanged.lab.environment import supervisor
from whatchanged.lab.environment.interpreter import base_interpreter
from whatchanged.lab.environment.limits import too_many
from whatchanged.lab.environment.process import KILLED, LocalProcess

__all__ = ["Jail", "interpreter_works"]

_READY = 60.0
_END = 10.0


class Jail:
    """A supervisor, inside namespaces or not, with everything it started.

    The thread that starts the supervisor lives as long as it: the kernel ends the supervisor when that thread ends,
    with the host's process or before.

    Args:
        prefix: Arguments that isolate what follows them; empty without isolation.
        environment: Variables of the supervisor itself; no secrets.
        uid: Uid of commands, ``None`` to keep the host's.
        rlimits: Names of ``resource.RLIMIT_*`` → most, for each command.
        look: Asked every `interval` seconds with the supervisor's process; what it returns ends the jail.
        interval: Seconds between two looks.
    """

    def __init__(
        self,
        prefix: Sequence[str],
        *,
        environment: Mapping[str, str],
        uid: int | None,
        rlimits: Mapping[str, int],
        look: Callable[[int], SandboxEnded | None],
        interval: float,
    ) -> None:
        self._prefix = list(prefix)
        self._environment = dict(environment)
        self._settings: dict[str, Any] = {"uid": uid, "rlimits": dict(rlimits)}
        self._look = look
        self._interval = interval
        self._control, self._theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._running: dict[str, LocalProcess] = {}
        self._ended: SandboxEnded | None = None
        self._words = b""
        self._ready = threading.Event()
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve, name="whatchanged-sandbox", daemon=True)

    def start(self) -> None:
        """Start the supervisor.

        Raises:
            SandboxError: If it does not come up; with the words of what failed.
        """
        self._thread.start()
        self._ready.wait(_READY)
        if self._ended is not None or not self._ready.is_set():
            self.close()
            words = self._words.decode("utf-8", "replace").strip()
            raise SandboxError(f"the sandbox's first process did not start ({words or 'it said nothing'})")

    @property
    def pid(self) -> int | None:
        """Process on the host above all others of the jail."""
        return None if self._process is None else self._process.pid

    def ended(self) -> SandboxEnded | None:
        """Why it is over, or ``None``."""
        return None if self._ended is None else type(self._ended)(*self._ended.args)

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str) -> LocalProcess:
        """Start a command.

        Raises:
            SandboxEnded: If the jail is over.
        """
        command = uuid.uuid4().hex
        message = {"op": "spawn", "id": command, "argv": list(argv), "env": dict(env), "cwd": cwd}
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        if (uid := self._settings["uid"]) is not None:
            for stream in theirs:  # so that commands may open /dev/stdout and /dev/stderr
                os.fchown(stream, uid, uid)
        process = LocalProcess(pipes[0][1], pipes[1][0], pipes[2][0], partial(self._kill, command))
        try:
            with self._lock:
                if self._ended is None:
                    self._running[command] = process
                    self._send(message, theirs)
        except (BrokenPipeError, ConnectionResetError):
            self._over.wait(_END)  # the thread learns why
        finally:
            for stream in theirs:
                os.close(stream)
        if (ended := self.ended()) is not None:
            process.settle(KILLED)
            process.close()
            raise ended
        return process

    def _kill(self, command: str) -> None:
        with suppress(BrokenPipeError, ConnectionResetError, OSError), self._lock:
            if self._ended is None:
                self._send({"op": "kill", "id": command}, [])

    def _send(self, message: dict[str, Any], streams: list[int]) -> None:
        body = json.dumps(message).encode()
        header = struct.pack("<q", len(body))
        if streams:
            socket.send_fds(self._control, [header], streams)
        else:
            self._control.sendall(header)
        self._control.sendall(body)

    def close(self, reason: SandboxEnded | None = None) -> None:
        """End everything and wait until it is gone. Idempotent."""
        with self._lock:
            if self._ended is None:
                self._ended = reason or SandboxEnded("the sandbox was terminated")
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._over.wait(_END)
            self._thread.join(_END)

    def _serve(self) -> None:
        """Start the supervisor, hear it and look after it until it is over; runs in the jail's thread."""
        host = os.pidfd_open(os.getpid()) if hasattr(os, "pidfd_open") else None
        settings = self._settings | {"control": self._theirs.fileno(), "host": host}
        inherited = [self._theirs.fileno(), *([host] if host is not None else [])]
        try:
            self._process = subprocess.Popen(
                [
                    *self._prefix,
                    str(base_interpreter()),
                    "-I",
                    "-S",
                    supervisor.__file__,
                    json.dumps(settings),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environment,
                pass_fds=inherited,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            self._words = str(error).encode()
        finally:
            self._theirs.close()
            if host is not None:
                os.close(host)
        if self._process is not None:
            self._listen(self._process)
        self._finish()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        heard = b""
        self._control.settimeout(self._interval)
        next_look = 0.0
        while self._ended is None:
            try:
                block = self._control.recv(1 << 16)
            except TimeoutError:
                block = None
            except OSError:
                block = b""
            if block == b"":
                break
            *lines, heard = (heard + (block or b"")).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
            if not self._ready.is_set() or time.monotonic() < next_look:
                continue
            limit = _stopped(process.pid) or self._look(process.pid)
            next_look = time.monotonic() + self._interval
            if limit is not None:
                with self._lock:
                    self._ended = self._ended or limit

    def _hear(self, message: dict[str, Any]) -> None:
        if message["id"] == "ready":
            self._ready.set()
            return
        if message["id"] == "processes":
            with self._lock:
                self._ended = self._ended or too_many(
                    message["code"], self._settings["rlimits"]["RLIMIT_NPROC"]
                )
            return
        with self._lock:
            process = self._running.pop(message["id"], None)
        if process is not None:
            process.settle(message["code"])

    def _finish(self) -> None:
        """End what is left: the supervisor first, which takes all with it, then by force."""
        with self._lock:
            if self._ended is None:
                self._ended = SandboxEnded("the sandbox's first process died, and everything in it with it")
            running, self._running = list(self._running.values()), {}
        self._control.close()
        if self._process is not None:
            try:
                self._process.wait(0 if _stopped(self._process.pid) else _END)
            except subprocess.TimeoutExpired:
                supervisor.end_all(self._process.pid)
                self._process.kill()
                self._process.wait()
            assert self._process.stderr is not None
            with self._process.stderr as words:
                os.set_blocking(words.fileno(), False)
                self._words += words.read() or b""
        for process in running:
            process.settle(KILLED)
        self._over.set()
        self._ready.set()


def _stopped(supervisor_pid: int) -> SandboxEnded | None:
    """The end of a sandbox whose supervisor does not run any more: without isolation, commands can do that."""
    try:
        stat = Path(f"/proc/{supervisor_pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] not in {b"T", b"t"}:
        return None
    return SandboxEnded("the sandbox's first process was stopped from inside, and everything in it was ended")


def interpreter_works(uid: int) -> bool:
    """Whether a uid can run the host's interpreter and read this package; a folder closed to others forbids it."""
    command = [
        str(base_interpreter()),
        "-I",
        "-S",
        "-c",
        "open(__import__('sys').argv[1]).close()",
        supervisor.__file__,
    ]
    try:
        tried = subprocess.run(
            command, user=uid, group=uid, extra_groups=[], capture_output=True, check=False, cwd="/"
        )
    except PermissionError:
        return False
    return tried.returncode == 0
