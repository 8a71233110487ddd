"""Processes, as Linux shows them; elsewhere what is unknown is said to be unknown."""

from __future__ import annotations

import collections
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["KERNEL", "end_descendants", "fate", "guard", "private_folder", "resident"]

KERNEL = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(os.environ["JPY_PARENT_PID"]):
    os._exit(1)
sys.path[:] = [place for place in sys.path if place]
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""
"""The kernel's program: it is killed with its driver, whatever kills the driver."""

_PREFIX = "whatchanged-kernel-"
_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36


def guard() -> None:
    """Become the parent of orphaned daemons, and keep cells from reaching into this process's pipes."""
    if sys.platform == "linux":
        control = ctypes.CDLL(None).prctl
        control(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        control(_SET_DUMPABLE, 0, 0, 0, 0)


def private_folder() -> str:
    """A folder for sockets, whose paths may have 107 characters at most; those of killed drivers are removed."""
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) <= 60 else "/tmp"
    for old in Path(place).glob(f"{_PREFIX}*-*"):
        owner = old.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(PermissionError, ValueError, OverflowError):
            try:
                os.kill(int(owner), 0)
            except ProcessLookupError:
                shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)


def fate(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def end_descendants() -> None:
    """Kill every process below this one, and those that are started meanwhile."""
    for _ in range(200):
        below = _descendants(os.getpid())
        for pid in below:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not below:
            return
        time.sleep(0.01)


def resident(pid: int) -> int | None:
    """Memory of a process in bytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = collections.defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            parent = int(stat.read_bytes().rsplit(b")", 1)[1].split()[1])
            children[parent].append(int(stat.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
