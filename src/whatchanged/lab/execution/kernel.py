"""One kernel behind its driver: cells go in, runs come out, deaths are told and survived."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from whatchanged.errors import KernelError, SandboxEnded, SandboxError
from whatchanged.lab.environment.contract import Process
from whatchanged.lab.execution.cell import CellRun
from whatchanged.lab.execution.events import (
    Beat,
    Clear,
    Dead,
    Done,
    Event,
    Failed,
    Omitted,
    Output,
    Ready,
    Update,
)  # fmt: skip
from whatchanged.lab.execution.link import Link

__all__ = ["Kernel"]

_START = 180.0
_ENDED = 3.0  # seconds in which a sandbox that has ended says why


class Kernel:
    """Cells run one after the other, in the order in which they are submitted.

    When the kernel dies, the runs under way end as ``died`` with an explanation, and the next cell finds a new
    kernel in which the set-up was run again. The same holds if its driver is killed while the sandbox lives on.

    Args:
        open_process: Starts a driver (see `driver_command`).
        folder: Folder the kernel begins in.
        ended: Why the sandbox is over, or ``None``.
        on_over: Called when a run has ended, before anybody who waits for it goes on.
        on_progress: Called about once a second while a run is under way.
        on_update: Called when a rich output of an earlier cell changes.
    """

    def __init__(
        self,
        *,
        open_process: Callable[[], Process],
        folder: str,
        ended: Callable[[], SandboxError | None],
        on_over: Callable[[CellRun], None],
        on_progress: Callable[[CellRun], None],
        on_update: Callable[[Update], None],
    ) -> None:
        self._open_process = open_process
        self._folder = folder
        self._ended = ended
        self._on_over = on_over
        self._on_progress = on_progress
        self._on_update = on_update
        self._lock = threading.RLock()
        self._handles = itertools.count(1)
        self._runs: dict[int, CellRun] = {}
        self._setup: list[str] = []
        self._link: Link | None = None
        self._answered = threading.Event()
        self._problem: str | None = None
        self._gone = False
        self._closed = False
        self.language: dict[str, Any] = {}
        """What the kernel says of its language; empty until it has started."""
        self.restarts = 0
        """How often a new kernel was started."""

    def start(self) -> None:
        """Start the kernel and wait until it answers.

        Raises:
            KernelError: If it does not; holds what the kernel process said.
            SandboxEnded: If the sandbox is over.
        """
        self._open()
        if not self._answered.wait(_START):
            self.close()
            raise KernelError(f"the kernel did not answer within {_START:.0f} seconds")
        if not self.language:
            problem = self._problem or "the kernel's driver ended"
            self.close()
            raise self._ended() or KernelError(problem)

    def submit(self, code: str, cell: dict[str, Any] | None) -> CellRun:
        """Send a cell; it runs when those before it have ended.

        Raises:
            KernelError: If the kernel was closed.
            SandboxEnded: If the sandbox is over.
        """
        with self._lock:
            if self._closed:
                raise KernelError("the kernel was shut down; start a new session")
            over = self._ended()
            if over is not None:
                raise over
            if self._link is None:
                self._open()
                self._run_setup()
            elif self._gone:
                self._link.send("restart")
                self._run_setup()
            return self._send(code, cell)

    def remember(self, code: str) -> None:
        """Run this again whenever a new kernel is started."""
        with self._lock:
            self._setup.append(code)

    def interrupt(self) -> CellRun | None:
        """Interrupt the cell that is running; ``None`` if none is."""
        with self._lock:
            run = next(iter(self._runs.values()), None)
            if run is not None and self._link is not None:
                run.interrupted = True
                self._link.send("interrupt")
            return run

    def restart(self) -> None:
        """Replace the kernel by a new one, with the set-up run again; cells under way end as ``died``."""
        with self._lock:
            if self._closed or self._link is None:
                return
            self._link.send("restart")
            self._run_setup()

    def busy(self) -> tuple[CellRun, ...]:
        """Runs that have not ended, the running one first."""
        with self._lock:
            return tuple(self._runs.values())

    def close(self) -> None:
        """End the kernel and all it started. Idempotent."""
        with self._lock:
            link, self._closed = self._link, True
        if link is not None:
            link.close()

    def _open(self) -> None:
        self._answered.clear()
        link = Link(self._open_process(), on_event=self._hear, on_end=lambda errors: self._end(link, errors))
        with self._lock:
            self._link, self._gone, self._problem = link, False, None
        link.open()
        link.send("start", folder=self._folder)

    def _run_setup(self) -> None:
        self.restarts += 1
        self._gone = False
        for code in self._setup:
            self._send(code, None)

    def _send(self, code: str, cell: dict[str, Any] | None) -> CellRun:
        assert self._link is not None
        run = CellRun(handle=next(self._handles), cell=cell)
        self._runs[run.handle] = run
        self._link.send("execute", id=run.handle, code=code)
        return run

    def _hear(self, event: Event) -> None:
        match event:
            case Ready():
                self.language = event.language.model_dump()
                self._answered.set()
            case Failed():
                self._problem = event.problem
            case Update():
                self._on_update(event)
            case Dead():
                self._bury(event)
            case Output() | Clear() | Omitted() | Beat() | Done():
                with self._lock:
                    run = self._runs.get(event.id)
                    if run is not None and isinstance(event, Done):
                        del self._runs[event.id]
                if run is not None:
                    self._take(run, event)

    def _take(self, run: CellRun, event: Output | Clear | Omitted | Beat | Done) -> None:
        if run.status == "queued":
            run.status = "running"
        match event:
            case Output():
                run.outputs.add(event)
                run.heard = time.monotonic()
            case Clear():
                run.outputs.clear(event)
            case Omitted():
                run.outputs.omit(event)
            case Beat():
                run.seconds, run.memory = event.seconds, event.memory
                self._on_progress(run)
            case Done():
                run.seconds, run.count = event.seconds, event.count
                run.status = "ok" if event.status == "ok" else "interrupted" if run.interrupted else "error"
                self._finish(run)

    def _bury(self, event: Dead) -> None:
        with self._lock:
            if event.why != "restarted":
                self._gone = True
            runs = [run for run in (self._runs.pop(number, None) for number in event.ids) if run is not None]
        for run in runs:
            first = run.handle == event.running
            if event.why == "restarted":
                what = (
                    "the kernel was restarted while this cell ran"
                    if first
                    else "not run: the kernel was restarted"
                )
            elif first:
                hint = " (most often: out of memory)" if "SIGKILL" in event.why else ""
                what = f"the kernel died while this cell ran: {event.why}{hint}"
            else:
                what = f"not run: the kernel died under an earlier cell ({event.why})"
            said = f"\nThe kernel's last words:\n{event.last_words}" if event.last_words and first else ""
            consequence = (
                "Variables are lost; the next cell finds a new kernel in which the set-up was run again."
            )
            self._die(run, "KernelDied", f"{what}. {consequence}{said}")

    def _end(self, link: Link, errors: str) -> None:
        """The driver is gone: because it was told so, by a limit of the sandbox, or by a signal."""
        over = self._ended()
        until = time.monotonic() + _ENDED
        while over is None and not self._closed and self._problem is None and time.monotonic() < until:
            time.sleep(0.1)
            over = self._ended()
        with self._lock:
            if self._link is link:
                self._link = None
            runs, self._runs = list(self._runs.values()), {}
        if isinstance(over, SandboxEnded):
            name, why = type(over).__name__, str(over)
        elif self._closed:
            name, why = "KernelDied", "the session was closed while this cell ran"
        else:
            self._problem = self._problem or f"the kernel's driver ended; {errors or 'it said nothing'}"
            name, why = (
                "KernelDied",
                f"{self._problem}. The next cell starts a new kernel; variables are lost.",
            )
        for run in runs:
            self._die(run, name, why)
        self._answered.set()

    def _die(self, run: CellRun, name: str, why: str) -> None:
        run.status = "died"
        run.seconds = run.seconds or round(time.monotonic() - run.sent, 1)
        run.outputs.fail(name, why)
        self._finish(run)

    def _finish(self, run: CellRun) -> None:
        try:
            self._on_over(run)
        finally:
            run.over.set()
