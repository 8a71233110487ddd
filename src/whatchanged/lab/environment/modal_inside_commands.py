"""Jobs inside a Modal sandbox that start commands and end them."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

from whatchanged.lab.environment.modal_inside import (
    MARK,
    Job,
    adopt,
    below,
    drop,
    end,
    give,
    marked,
    reap,
    tell,
)

__all__ = ["JOBS"]

_BLOCK = 1 << 20


def _start(job: Job, streams: list[int]) -> int:
    """Fork the command of a job, with ``streams`` as its standard output and error."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    for target, stream in enumerate(streams, start=1):
        os.dup2(stream, target)
    os.closerange(3, 256)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    command = job["command"]
    environment = dict(os.environ)
    environment.update(job["env"])
    path = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([path, environment.get("PATH", os.defpath)])
    environment[MARK] = job["mark"]
    tried = job["cwd"]
    try:
        for name, most in job["rlimits"].items():
            resource.setrlimit(getattr(resource, name), (most, most))
        os.umask(0o022)
        if job["user"] is not None and os.getuid() == 0:
            for stream in (0, 1, 2):  # so that /dev/stdout and the like can be opened again
                os.fchown(stream, job["user"], job["user"])
        drop(job["user"])
        os.chdir(tried)
        tried = command[0]
        os.execvpe(tried, command, environment)
    except OSError as error:
        give(2, f"{tried}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, (FileNotFoundError, NotADirectoryError)) else 126)


def run(job: Job) -> None:
    """Run a command to its end or its time limit, and pass on what it writes up to its output limit."""
    adopt()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    pipes = [os.pipe(), os.pipe()]
    began = time.monotonic()
    child = _start(job, [writing for _, writing in pipes])
    for _, writing in pipes:
        os.close(writing)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the command alone holds the input
    reading = {pipe: number for number, (pipe, _) in enumerate(pipes)}
    room, dropped = [job["limit"]] * 2, [0, 0]

    def pass_on(pipe: int) -> bool:
        """Whether there was something to pass on."""
        data = os.read(pipe, _BLOCK)
        number = reading[pipe]
        if not data:
            os.close(pipe)
            del reading[pipe]
            return False
        kept = data[: room[number]]
        room[number] -= len(kept)
        dropped[number] += len(data) - len(kept)
        give(number + 1, kept)
        return True

    code, timed_out = None, False
    while code is None:
        left = None if job["timeout"] is None else began + job["timeout"] - time.monotonic()
        if left is not None and left <= 0:
            timed_out = True
            end(lambda: below({os.getpid()}))
            code = 137
            break
        for stream in select.select([woken, *reading], [], [], left)[0]:
            if stream == woken:
                os.read(woken, 512)
            else:
                pass_on(stream)
        code = reap().get(child)
    for pipe in list(reading):  # what was written before the end; who still holds the pipe is not waited for
        os.set_blocking(pipe, False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                if not pass_on(pipe):
                    break
    tell(job, returncode=code, timed_out=timed_out, dropped=dropped, seconds=time.monotonic() - began)
    if reading and os.fork() == 0:  # what stayed in the background may go on writing
        os.setsid()
        for stream in (1, 2):
            os.dup2(0, stream)
        while reading:
            for pipe in select.select(list(reading), [], [])[0]:
                if not os.read(pipe, _BLOCK):
                    del reading[pipe]


def open_job(job: Job) -> None:
    """Run a command on this process's own streams, and end as it ends."""
    adopt()
    child = _start(job, [1, 2])
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    while True:
        process, status = os.wait()
        if process == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(128 - code if code < 0 else code)


def kill(job: Job) -> None:
    """End everything a job started."""

    def family() -> set[int]:
        roots = marked(job["target"])
        return roots | below(roots)

    end(family)
    tell(job)


JOBS = {"run": run, "open": open_job, "kill": kill}
