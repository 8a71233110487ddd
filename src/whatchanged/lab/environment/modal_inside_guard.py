"""Inside a Modal sandbox: the guard of its limits, and the host's lease on it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections.abc import Iterable
from pathlib import Path

from whatchanged.lab.environment.modal_inside import Job, end, give, processes, reap

__all__ = ["JOBS", "Guard"]


_OWN = 64
"""Processes and threads of ours that are not counted: each command has one above it."""


def _passed(limit: str, words: str) -> Job:
    ending = "" if limit == "time" else ", and was ended"
    return {"limit": limit, "message": f"the sandbox {words}{ending}"}


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def lease(job: Job) -> None:
    """Repeat the host's signs of life to the guard, and the guard's verdict to the host."""
    folder = Path(job["folder"])
    begun = None
    told = False
    while not folder.exists():  # the guard starts at the same time
        time.sleep(0.01)
    while True:
        if select.select([0], [], [], 0.1)[0]:
            beats = os.read(0, 4096)
            if not beats:
                return
            if b"begin" in beats:
                begun = time.monotonic()
            fresh = folder / "lease.new"
            fresh.write_text(json.dumps({"pid": os.getpid(), "begun": begun}))
            fresh.rename(folder / "lease")
        verdict = folder / "verdict"
        if not told and verdict.exists():
            give(1, verdict.read_bytes() + b"\n")
            told = True


class Guard:
    """Watches the limits from the sandbox's first process."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.folder = Path(job["folder"])
        self.folder.mkdir(parents=True, mode=0o700)
        self.seen = time.monotonic()
        self.beat: int | None = None
        self.state: Job = {"pid": 0, "begun": None}
        self.measured = 0.0
        self.baseline: int | None = None
        self.page = os.sysconf("SC_PAGE_SIZE")

    def watch(self) -> None:
        """Return when the host has been silent for too long."""
        judged = False
        while time.monotonic() - self.seen < self.job["lease"]:
            self.listen()
            if not judged and (verdict := self.verdict()):
                fresh = self.folder / "verdict.new"
                fresh.write_text(json.dumps(verdict))
                end(self.others)
                fresh.rename(self.folder / "verdict")
                judged = True
            time.sleep(0.1)
            reap()

    def listen(self) -> None:
        """Note a fresh sign of life."""
        with contextlib.suppress(OSError, ValueError):
            beat = (self.folder / "lease").stat().st_mtime_ns
            if beat != self.beat:
                self.beat = beat
                self.seen = time.monotonic()
                self.state = json.loads((self.folder / "lease").read_text())

    def others(self) -> set[int]:
        """Every process but this one, those above it, and the one that speaks to the host."""
        alive = processes()
        spared, one = {self.state["pid"]}, os.getpid()
        while one:
            spared.add(one)
            one = alive.get(one, (0, 0))[0]
        return set(alive) - spared

    def verdict(self) -> Job | None:
        """The limit that was passed, or None."""
        job, begun = self.job, self.state["begun"]
        if begun is not None and time.monotonic() - begun > job["timeout"]:
            return _passed("time", f"passed its time limit of {job['timeout']:g} s, and all in it was ended")
        alive = processes()
        threads = sum(threads for _, threads in alive.values())
        if threads > job["processes"] + _OWN:
            return _passed("processes", f"ran {threads} processes and threads of {job['processes']} allowed")
        if job["memory"] is not None and (taken := self.memory(alive)) > job["memory"]:
            return _passed("memory", f"took {_mebibytes(taken)} of {_mebibytes(job['memory'])} memory")
        if begun is not None and time.monotonic() >= self.measured:
            began = time.monotonic()
            if self.baseline is None:
                self.baseline = self.disk()
            taken = self.disk() - self.baseline
            self.measured = time.monotonic() + max(0.25, 10 * (time.monotonic() - began))
            if taken > job["disk"]:
                return _passed("disk", f"took {_mebibytes(taken)} of {_mebibytes(job['disk'])} disk")
        return None

    def memory(self, alive: Iterable[int]) -> int:
        """Bytes of all processes that stand in memory; what is shared counts for each."""
        taken = 0
        for process in alive:
            with contextlib.suppress(OSError):
                taken += int(Path("/proc", str(process), "statm").read_bytes().split()[1]) * self.page
        return taken

    def disk(self) -> int:
        """Bytes of disk the watched folders take."""
        taken = 0
        for top in self.job["folders"]:
            for folder, _, names in os.walk(top):
                for name in names:
                    with contextlib.suppress(OSError):
                        taken += Path(folder, name).lstat().st_blocks * 512
        return taken


JOBS = {"lease": lease}
