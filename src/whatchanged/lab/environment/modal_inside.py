"""What runs inside a Modal sandbox: one job per process, told over standard input.

This file and those named ``modal_inside_*`` are sent as text (``python -I -S -c``), so they import the standard library
only and cannot be changed by what the sandbox installs. A job is eight hexadecimal digits (the length), then JSON; what
follows on standard input belongs to the job. Jobs other than ``open`` and ``lease`` end their standard error with the
job's own ``nonce`` and a JSON object.

``run``    a command with a time limit, an output limit and an end that reaches its daemons
``open``   a command that speaks over this process's own streams
``kill``   the end of everything an earlier ``run`` or ``open`` started
``read``, ``write``, ``unpack``   one file out, one file in, a tar archive in
``prepare``  a tar archive in, the workspace to its user, and the moment after which changes count
``home``   a tar archive of what has changed in the workspace, out
``lease``  says that the host lives, and tells it when a limit was passed
``guard``  the sandbox's first command: ends everything at a limit, and the sandbox when its host is gone
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "MARK",
    "Job",
    "adopt",
    "below",
    "drop",
    "end",
    "give",
    "main",
    "marked",
    "processes",
    "reap",
    "take",
    "tell",
]

Job = dict[str, Any]

MARK = "WHATCHANGED_EXEC"
"""Variable that names, in every process of a command, the job that started it."""

_NO_NEW_PRIVS, _CHILD_SUBREAPER = 38, 36
_BLOCK = 1 << 20
_ROUNDS = 200


def take(size: int) -> bytes:
    """Exactly ``size`` bytes of standard input, and not one more."""
    parts = []
    while size:
        part = os.read(0, min(size, _BLOCK))
        if not part:
            raise EOFError("the job was cut off")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def give(stream: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


def tell(job: Job, **what: Any) -> None:
    """End the job with its answer."""
    give(2, job["nonce"].encode() + json.dumps({"job": job["job"], **what}).encode())


def adopt() -> None:
    """Become the parent of descendants whose own parent ends."""
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes() -> dict[int, tuple[int, int]]:
    """Process → (parent, threads) of all that live."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] not in {b"Z", b"X"}:
                    found[int(entry.name)] = (int(fields[1]), int(fields[17]))
    return found


def below(roots: Iterable[int]) -> set[int]:
    """Living processes below ``roots``, without them."""
    children: dict[int, list[int]] = {}
    for process, (parent, _) in processes().items():
        children.setdefault(parent, []).append(process)
    found, waiting = set(), list(roots)
    while waiting:
        fresh = [one for one in children.get(waiting.pop(), []) if one not in found]
        found.update(fresh)
        waiting += fresh
    return found


def marked(mark: str) -> set[int]:
    """Processes started by the job with this mark, and those that still carry it in their environment."""
    found = set()
    for process in processes():
        with contextlib.suppress(OSError):
            folder = Path("/proc", str(process))
            words = folder.joinpath("cmdline").read_bytes().split(b"\0")
            carried = folder.joinpath("environ").read_bytes().split(b"\0")
            if mark.encode() in words or f"{MARK}={mark}".encode() in carried:
                found.add(process)
    return found - {os.getpid()}


def end(find: Callable[[], set[int]]) -> None:
    """End what ``find`` finds. All are stopped before any is killed, so that none starts another meanwhile."""
    for _ in range(_ROUNDS):
        stopped: set[int] = set()
        while fresh := find() - stopped:
            for process in fresh:
                _signal(process, signal.SIGSTOP)
            stopped |= fresh
        for process in stopped:
            _signal(process, signal.SIGKILL)
        reap()
        if not stopped:
            return
        time.sleep(0.01)


def _signal(process: int, number: int) -> None:
    """Signal a process that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def reap() -> dict[int, int]:
    """Ended children → how they ended."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            code = os.waitstatus_to_exitcode(status)
            ended[process] = 128 - code if code < 0 else code
    return ended


def drop(user: int | None) -> None:
    """Give up the rights of root for good; without a user, or without rights, nothing is given up."""
    if user is not None and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)


def main(jobs: Mapping[str, Callable[[Job], None]]) -> None:
    """Do the job on standard input."""
    job = json.loads(take(int(take(8), 16)))
    try:
        if job.get("dropped"):
            drop(job["user"])
        jobs[job["job"]](job)
    except OSError as error:
        tell(job, error=error.strerror or str(error), number=error.errno, path=str(error.filename or ""))
