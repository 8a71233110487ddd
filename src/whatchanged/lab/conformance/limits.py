"""Checks of the limits: a sandbox that takes too much is held or ended, and told."""

from __future__ import annotations

from contextlib import suppress

from whatchanged.errors import ResourceLimit, SandboxEnded
from whatchanged.lab.conformance.suite import Bench, Skipped, check, require
from whatchanged.lab.environment.sandbox import Sandbox

_MEMORY = 400 * 2**20
_DISK = 50 * 2**20
_PROCESSES = 60

_ALLOCATE = """
import os, sys, time
for child in range(4):
    if os.fork() == 0:
        block = bytearray(200 * 2**20)
        for at in range(0, len(block), 4096):
            block[at] = 1
        time.sleep(120)
        os._exit(0)
time.sleep(120)
"""

_FORK = """
import os, time
for child in range(400):
    if os.fork() == 0:
        time.sleep(120)
        os._exit(0)
time.sleep(5)
print("all")
"""


def _ended_by(sandbox: Sandbox, word: str) -> None:
    """Require that a limit ended the sandbox and that the reason names it."""
    ended = sandbox.ended()
    require(isinstance(ended, ResourceLimit), f"it says {ended!r}")
    require(word in str(ended), f"it does not name {word}: {ended}")


@check
def memory_of_one_process_is_limited(bench: Bench) -> None:
    """One process cannot take more than the limit: its allocation fails, or the sandbox is ended and says why."""
    bench.needs("memory")
    with bench.fresh(memory=_MEMORY) as sandbox:
        try:
            done = sandbox.exec([sandbox.python, "-c", f"print(len(bytearray({2 * _MEMORY})))"], timeout=60)
        except SandboxEnded:
            _ended_by(sandbox, "memory")
        else:
            require("MemoryError" in done.stderr and not done.ok, f"it had the memory: {done!r}")
            require(sandbox.exec("echo fine") == "fine\n", "it does not work any more")


@check
def memory_of_all_processes_is_limited(bench: Bench) -> None:
    """Several processes together that take more than the limit end the sandbox, and the reason names memory."""
    bench.needs("memory")
    with bench.fresh(memory=_MEMORY) as sandbox:
        with suppress(SandboxEnded):
            sandbox.exec([sandbox.python, "-c", _ALLOCATE], timeout=60)
        _ended_by(sandbox, "memory")


@check
def disk_is_limited(bench: Bench) -> None:
    """Many files that together pass the limit end the sandbox, and the reason names the disk."""
    bench.needs("disk")
    with bench.fresh(disk=_DISK) as sandbox:
        fill = "for i in $(seq 100); do head -c 2000000 /dev/zero > part$i; done; sleep 60"
        with suppress(SandboxEnded):
            sandbox.exec(fill, timeout=60)
        _ended_by(sandbox, "disk")


@check
def one_file_is_limited(bench: Bench) -> None:
    """One file cannot grow past the limit: writing fails, or the sandbox is ended and says why."""
    bench.needs("disk")
    with bench.fresh(disk=_DISK) as sandbox:
        try:
            done = sandbox.exec(f"head -c {2 * _DISK} /dev/zero > large", timeout=60)
        except SandboxEnded:
            _ended_by(sandbox, "disk")
        else:
            size = sandbox.exec("stat -c %s large")
            require(not done.ok and int(size) <= _DISK, f"it wrote {size} bytes: {done!r}")


@check
def shared_memory_counts(bench: Bench) -> None:
    """What is put into temporary folders and shared memory counts as well."""
    bench.needs("disk")
    with bench.fresh(disk=_DISK, memory=_MEMORY) as sandbox:
        places = sandbox.exec('for d in /dev/shm "$TMPDIR"; do [ -w "$d" ] && echo "$d"; done').split()
        if "files" not in sandbox.backend.guarantees:
            raise Skipped("/dev/shm is the host's")
        fill = f"for d in {' '.join(places)}; do for i in $(seq 30); do head -c 2000000 /dev/zero > $d/p$i; done; done"
        with suppress(SandboxEnded):
            sandbox.exec(f"{fill}; sleep 60", timeout=60)
        require(isinstance(sandbox.ended(), ResourceLimit), f"it says {sandbox.ended()!r}")


@check
def processes_are_limited(bench: Bench) -> None:
    """A fork bomb is refused more processes, or the sandbox is ended and says why; the host goes on either way."""
    bench.needs("fork")
    with bench.fresh(processes=_PROCESSES) as sandbox:
        try:
            done = sandbox.exec([sandbox.python, "-c", _FORK], timeout=60)
        except SandboxEnded:
            _ended_by(sandbox, "processes")
        else:
            require("all" not in done and "BlockingIOError" in done.stderr, f"all were started: {done!r}")


@check
def shell_fork_bomb_ends_with_the_sandbox(bench: Bench) -> None:
    """A bomb that never stops by itself is ended with the sandbox."""
    bench.needs("fork")
    with bench.fresh(processes=_PROCESSES) as sandbox:
        bomb = "b() { b & b & sleep 1; }; b >/dev/null 2>&1 & sleep 3; echo survived"
        try:
            sandbox.exec(["/bin/sh", "-c", bomb], timeout=20)
        except SandboxEnded:
            _ended_by(sandbox, "processes")
    require(sandbox.ended() is not None, "it did not end")
