"""What a local sandbox takes, measured from outside, and the limits it must keep."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from whatchanged.errors import ResourceLimit, SandboxEnded, TimeLimit
from whatchanged.lab.environment.supervisor import descendants

__all__ = ["Limits", "Watch", "disk_used", "host_memory", "memory_used", "too_many"]

_MEMORY_FLOOR = 0.03
_DISK_FLOOR = 200 * 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one sandbox: seconds after its start, bytes, bytes on top of the set-up's, tasks."""

    timeout: float
    memory: int
    disk: int
    processes: int


def too_many(tasks: int, most: int) -> ResourceLimit:
    """The end of a sandbox that ran more processes and threads than allowed."""
    return ResourceLimit(f"the sandbox ran {tasks} processes and threads of {most} allowed, and was ended")


def host_memory() -> tuple[int, int]:
    """Bytes of memory of the host: all, and what could still be given."""
    facts = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    )
    return tuple(int(facts[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]


def disk_used(folder: Path) -> int:
    """Bytes on disk below a folder; links are not followed, and what vanishes meanwhile is not counted."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        facts = entry.stat(follow_symlinks=False)
                        total += facts.st_blocks * 512 // max(facts.st_nlink if not entry.is_dir() else 1, 1)
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                    except FileNotFoundError:
                        continue
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
    return total


def memory_used(processes: list[int], limit: int) -> int:
    """Bytes of memory of processes together.

    Resident sizes count shared pages once per process; only if their sum is over `limit` are the proportional sizes
    asked for, which are exact and slow.
    """
    resident = sum(_resident(process) for process in processes)
    if resident <= limit:
        return resident
    return sum(_proportional(process) for process in processes)


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _proportional(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        return _resident(process)
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _tasks(processes: list[int]) -> int:
    total = 0
    for process in processes:
        try:
            stat = Path(f"/proc/{process}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(stat[stat.rindex(b")") + 2 :].split()[17])
    return total


class Watch:
    """Looks at a running sandbox and says whether it must end.

    Args:
        root: Folder of the sandbox.
        limits: Its limits; the clock starts now, and what is on the disk now is not counted.
        generations: How many generations below the top are ours: the supervisor, if something isolates it, and
            the keepers.
    """

    interval = 0.25
    """Seconds between two looks."""

    def __init__(self, root: Path, limits: Limits, generations: int) -> None:
        self._generations = generations
        self.root = root
        self.limits = limits
        self.deadline = time.monotonic() + limits.timeout
        self._baseline = disk_used(root)
        self._next_disk = 0.0

    def look(self, top: int) -> SandboxEnded | None:
        """Measure once.

        Args:
            top: Process above all of the sandbox's.

        Returns:
            The limit that is passed, or ``None``.
        """
        limits = self.limits
        if time.monotonic() >= self.deadline:
            return TimeLimit(
                f"the sandbox passed its time limit of {limits.timeout:g} s, and all in it was ended"
            )
        processes = descendants(top, self._generations)
        if (tasks := _tasks(processes)) > limits.processes:
            return too_many(tasks, limits.processes)
        if (memory := memory_used(processes, limits.memory)) > limits.memory:
            return ResourceLimit(
                f"the sandbox took {memory / 2**20:,.0f} MiB of {limits.memory / 2**20:,.0f} MiB memory, and was ended"
            )
        total, available = host_memory()
        if available < _MEMORY_FLOOR * total and memory > available:
            return ResourceLimit(
                f"the host has {available / 2**20:,.0f} MiB memory left, and the sandbox was ended; "
                f"it took {memory / 2**20:,.0f} MiB"
            )
        return self._look_at_disk()

    def _look_at_disk(self) -> SandboxEnded | None:
        now = time.monotonic()
        if now < self._next_disk:
            return None
        used = disk_used(self.root) - self._baseline
        spent = time.monotonic() - now
        self._next_disk = now + max(self.interval, 10 * spent)  # large trees are walked less often
        if used > self.limits.disk:
            return ResourceLimit(
                f"the sandbox took {used / 2**20:,.0f} MiB of {self.limits.disk / 2**20:,.0f} MiB disk, and was ended"
            )
        room = os.statvfs(self.root)
        if (free := room.f_bavail * room.f_frsize) < _DISK_FLOOR and used > free:
            return ResourceLimit(f"the host has {free / 2**20:,.0f} MiB disk left, and the sandbox was ended")
        return None
