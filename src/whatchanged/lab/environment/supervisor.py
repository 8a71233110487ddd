"""The first process of a local sandbox: starts commands when the host asks, and ends with it.

Run as a script by a bare interpreter (``python -I -S supervisor.py '{"control": fd, ...}'``), so it imports the standard
library only. Under bubblewrap it is process 1 of its own process namespace: when it ends, the kernel ends everything
in there. Without, it is the subreaper of its descendants and ends them itself.

The host speaks over one stream socket: an 8-byte length with three file descriptors attached (standard input, output and
error), then JSON: ``{"op": "spawn", "id", "argv", "env", "cwd"}`` or, without descriptors, ``{"op": "kill", "id"}``.
Answers are JSON lines ``{"id", "code"}``. The end of the socket, or of the host's process, ends the sandbox.

Each command has a *keeper*: a fork of the supervisor that adopts the command's orphans, so that killing one command
finds its daemons too. Keepers run with the supervisor's rights, commands without.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

__all__ = ["descendants", "end_all", "parents"]

_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_ROUNDS = 200


def parents() -> dict[int, int]:
    """Parent of every process that can be seen; zombies are left out."""
    found: dict[int, int] = {}
    with os.scandir("/proc") as entries:
        names = [entry.name for entry in entries if entry.name.isdigit()]
    for name in names:
        try:
            stream = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:  # it has ended
            continue
        try:
            stat = os.read(stream, 1024)
        except ProcessLookupError:
            continue
        finally:
            os.close(stream)
        state, parent = stat[stat.rindex(b")") + 2 :].split(maxsplit=2)[:2]
        if state not in {b"Z", b"X"}:
            found[int(name)] = int(parent)
    return found


def descendants(root: int, skipped: int = 0) -> list[int]:
    """Living processes below `root`, parents before children, without those of the first `skipped` generations."""
    children: dict[int, list[int]] = {}
    for process, parent in parents().items():
        children.setdefault(parent, []).append(process)
    waiting = [root]
    for _ in range(skipped):
        waiting = [child for process in waiting for child in children.get(process, [])]
    found: list[int] = []
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_all(root: int, *, spare: frozenset[int] = frozenset()) -> bool:
    """End every process below `root`. They are stopped first, so that none can start another meanwhile.

    Returns:
        Whether none is left.
    """
    for _ in range(_ROUNDS):
        stopped: set[int] = set()
        while fresh := [one for one in descendants(root) if one not in stopped and one not in spare]:
            for process in fresh:
                _signal(process, signal.SIGSTOP)
            stopped.update(fresh)
        for process in stopped:
            _signal(process, signal.SIGKILL)
        reap()
        if not stopped:
            return True
        select.select([], [], [], 0.01)
    return False


def reap() -> None:
    """Collect children of this process that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _become(command: dict[str, Any], settings: dict[str, Any], streams: list[int]) -> None:
    """Turn this fork into the command; returns only if that failed."""
    os.setsid()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.closerange(3, 4096)
    os.umask(0o022)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    try:
        for name, most in settings["rlimits"].items():
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
        if settings["uid"] is not None:
            os.setgroups([])
            os.setresgid(*[settings["uid"]] * 3)
            os.setresuid(*[settings["uid"]] * 3)
        _prctl(_SET_NO_NEW_PRIVS, 1)
        os.chdir(command["cwd"])
        os.execvpe(command["argv"][0], command["argv"], command["env"])
    except OSError as error:
        what = command["cwd"] if error.filename == command["cwd"] else command["argv"][0]
        os.write(2, f"{what}: {error.strerror}\n".encode())
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        os._exit(127 if missing else 126)


def _keep(command: dict[str, Any], settings: dict[str, Any], streams: list[int], report: int) -> None:
    """Start the command, tell its exit code, and stay while anything of it lives."""
    _prctl(_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        _become(command, settings, streams)
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    code = None
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            os._exit(0)
        if ended == child and code is None:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            with suppress(BrokenPipeError):
                os.write(report, struct.pack("<i", code))
            os.close(report)


class _Supervisor:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.control = socket.socket(fileno=settings["control"])
        self.host = settings["host"]
        self.keepers: dict[str, int] = {}
        self.reports: dict[int, str] = {}

    def run(self) -> None:
        """Serve until the host hangs up or dies, or until there are too many processes."""
        # The kernel does not count root's processes, and a fork bomb leaves the host no time to: so it is done here.
        most = self.settings["rlimits"]["RLIMIT_NPROC"] if self._unlimited() else None
        while True:
            watched = [self.control.fileno(), *self.reports, *([self.host] if self.host is not None else [])]
            ready, _, _ = select.select(watched, [], [], 1.0 if most is None else 0.1)
            reap()
            if most is not None and (found := len(descendants(os.getpid(), 1))) > most:
                self.say({"id": "processes", "code": found})
                return
            if self.host in ready:
                return
            for report in [one for one in ready if one in self.reports]:
                self.tell(report)
            if self.control.fileno() in ready and not self.obey():
                return

    def _unlimited(self) -> bool:
        """Whether commands run as root; then this process is also given precedence over theirs."""
        if os.getuid() or self.settings["uid"] is not None:
            return False
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        return True

    def tell(self, report: int) -> None:
        """Pass on how a command ended; a keeper that was itself killed counts as killed."""
        content = os.read(report, 4)
        os.close(report)
        code = struct.unpack("<i", content)[0] if len(content) == 4 else 137
        self.say({"id": self.reports.pop(report), "code": code})

    def say(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.control.sendall(json.dumps(message).encode() + b"\n")

    def obey(self) -> bool:
        """Carry out one message; ``False`` when the host has hung up."""
        try:
            header, streams, _, _ = socket.recv_fds(self.control, 8, 3)
            while header and len(header) < 8:
                header += self.control.recv(8 - len(header))
            body = b""
            while header and len(body) < (size := struct.unpack("<q", header)[0]):
                more = self.control.recv(min(size - len(body), 1 << 20))
                if not more:
                    return False
                body += more
        except ConnectionResetError:
            return False
        if not header:
            return False
        message = json.loads(body)
        if message["op"] == "spawn":
            self.spawn(message, streams)
        else:
            self.kill(message["id"])
        return True

    def kill(self, command: str) -> None:
        """End a command and its descendants; its keeper then ends by itself."""
        keeper = self.keepers.get(command)
        if keeper is not None and parents().get(keeper) == os.getpid():
            end_all(keeper)

    def spawn(self, message: dict[str, Any], streams: list[int]) -> None:
        """Start a command under a keeper of its own."""
        reading, writing = os.pipe()
        try:
            keeper = os.fork()
        except OSError as error:
            os.write(streams[2], f"{message['argv'][0]}: {error.strerror}\n".encode())
            os.close(reading)
            os.close(writing)
            self.say({"id": message["id"], "code": 126})
            keeper = None
        if keeper == 0:
            self.control.close()
            os.close(reading)
            for other in self.reports:
                os.close(other)
            if self.host is not None:
                os.close(self.host)
            _keep(message, self.settings, streams, writing)
        for stream in streams:
            os.close(stream)
        if keeper is not None:
            os.close(writing)
            self.keepers[message["id"]] = keeper
            self.reports[reading] = message["id"]


def _main() -> None:
    settings = json.loads(sys.argv[1])
    _prctl(_SET_DUMPABLE, 0)
    _prctl(_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    supervisor = _Supervisor(settings)
    supervisor.say({"id": "ready", "code": os.getpid()})
    try:
        supervisor.run()
    finally:
        if os.getpid() != 1:
            end_all(os.getpid())


if __name__ == "__main__":
    _main()
