"""A notebook that is being worked in: its kernel, its file, the order of its cells."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from whatchanged.errors import CellError, LabError, SandboxEnded, SandboxError
from whatchanged.lab.execution.bridge import Bridge
from whatchanged.lab.execution.cell import CellResult, CellRun
from whatchanged.lab.execution.events import Update
from whatchanged.lab.execution.kernel import Kernel
from whatchanged.lab.execution.link import driver_command
from whatchanged.lab.execution.machine import Machine
from whatchanged.lab.execution.notebook import SKIPPED, TOLERATED, Notebook, is_hidden, tag
from whatchanged.llm.scattered import redact_scattered

__all__ = ["NOTEBOOK_TEXT", "NotebookSession"]

NOTEBOOK_TEXT = 100_000
"""Characters of text that a cell keeps in the notebook; the middle of longer text is left out with counts."""

_SAVE_EVERY = 5.0
_TAGS = {"ok": None, "error": TOLERATED, "interrupted": SKIPPED, "died": SKIPPED}
_log = logging.getLogger(__name__)


class NotebookSession:
    """One notebook, its kernel in a sandbox (or on this machine), and its file on this machine.

    The file is written, as a whole or not at all, when a cell is sent, every few seconds while it prints, before its
    result is given to anybody, and after every markdown. What is written, returned or raised holds no secret of
    the sandbox.

    Methods may be called from several threads; cells run in the order of the calls.

    Attributes:
        session_id: Name of the session.
        sandbox: Where the kernel runs.
        notebook_path: The notebook's file.
        model_info_text: What an agent is told of models, repositories and skills, for its prompt.
        library_docs: What it is told of the libraries, also for its prompt.
    """

    def __init__(self, machine: Machine, *, name: str, folder: Path) -> None:
        self.session_id = name
        self.sandbox = machine
        self.model_info_text = ""
        self.library_docs = ""
        self._notebook = Notebook(folder / f"{name}.ipynb", title=name)
        self.notebook_path = self._notebook.path
        self._runs: dict[int, CellRun] = {}
        self._latest: dict[str, CellRun] = {}
        self._setup: dict[int, str] = {}
        self._lock = threading.RLock()
        self._saved = 0.0
        self._bridge: Bridge | None = None
        self._closed = False
        self._kernel = Kernel(
            open_process=lambda: machine.open_process(driver_command(machine.python)),
            folder=machine.workspace,
            ended=machine.ended,
            on_over=self._cell_over,
            on_progress=self._cell_progress,
            on_update=self._display_updated,
        )

    def start(self) -> Self:
        """Start the kernel and write the empty notebook.

        Raises:
            KernelError: If the kernel does not start.
            SandboxEnded: If the sandbox is over.
        """
        self._notebook.save()
        self._kernel.start()
        self._notebook.describe_language(self._kernel.language)
        return self

    # cells

    def exec(
        self, code: str, hidden: bool = False, *, timeout: float | None = None, check: bool = True
    ) -> CellResult:
        """Run a cell and give its outputs.

        Args:
            code: Its source.
            hidden: Whether it is set-up: collapsed in the notebook, and run again whenever a new kernel is started.
            timeout: Seconds to wait. A cell that takes longer runs on, and its result has the status ``running`` (or
                ``queued``); `wait` for its handle. ``None`` waits for its end.
            check: Whether a cell that ends with an error raises.

        Raises:
            CellError: If the cell raised, was interrupted or ended with its kernel, and `check` is set.
            KernelError: If the session was shut down.
            SandboxEnded: If the sandbox is over.
        """
        result = self.wait(self.submit(code, hidden=hidden), timeout=timeout)
        if check and result.done and result.status != "ok":
            raise CellError(result.error or f"the cell ended as {result.status}", result=result)
        return result

    def exec_file(self, file_path: str | Path, **options: Any) -> CellResult:
        """Run a Python file of this machine as a cell; options and errors as in `exec`."""
        return self.exec(Path(file_path).read_text(encoding="utf-8"), **options)

    def submit(self, code: str, *, hidden: bool = False) -> int:
        """Send a cell and give its handle at once; errors as in `exec`."""
        code = _writable(code)
        with self._lock:
            cell = self._notebook.add_code(self._clean(code), hidden=hidden)
            try:
                return self._send(code, cell).handle
            except LabError:
                self._notebook.remove(cell)
                raise

    def edit_cell(
        self, code: str, cell_index: int = -1, *, timeout: float | None = None, check: bool = False
    ) -> CellResult:
        """Replace the source of a code cell and run it; its outputs are replaced.

        Args:
            code: The new source.
            cell_index: Which code cell, from 0, or from the end if negative; set-up cells do not count.
            timeout: As in `exec`.
            check: As in `exec`.

        Raises:
            ValueError: If there is no such cell, or it is still running.
        """
        code = _writable(code)
        with self._lock:
            cells = self._notebook.code_cells()
            if not -len(cells) <= cell_index < len(cells):
                raise ValueError(f"there are {len(cells)} code cells, from 0; got cell_index={cell_index}")
            cell = cells[cell_index]
            if not self._result(self._latest[cell["id"]]).done:
                raise ValueError(f"cell {cell_index} is still running; wait for it or interrupt it")
            before = dict(cell, metadata=dict(cell["metadata"]))
            cell |= {"source": self._clean(code), "outputs": [], "execution_count": None}
            try:
                handle = self._send(code, cell).handle
            except LabError:
                cell |= before
                raise
        result = self.wait(handle, timeout=timeout)
        if check and result.done and result.status != "ok":
            raise CellError(result.error or f"the cell ended as {result.status}", result=result)
        return result

    def wait(self, handle: int | None = None, *, timeout: float | None = None) -> CellResult:
        """Wait for a cell that was sent, the latest by default, and give its outputs or how far it is.

        Raises:
            ValueError: If there is no such cell.
        """
        with self._lock:
            known = self._runs.get(max(self._runs, default=0) if handle is None else handle)
        if known is None:
            raise ValueError(
                f"no cell has the handle {handle}; the latest is {max(self._runs, default=None)}"
            )
        known.over.wait(timeout)
        return self._result(known)

    def interrupt(self, *, patience: float = 10.0) -> CellResult | None:
        """Interrupt the cell that is running, and give its outputs; ``None`` if none is.

        Its status is still ``running`` if it did not react within `patience` seconds: only `restart` ends it then.
        """
        run = self._kernel.interrupt()
        if run is None:
            return None
        run.over.wait(patience)
        return self._result(run)

    def restart(self) -> None:
        """Replace the kernel by a new one, with the set-up run again; a cell under way ends as ``died``."""
        self._kernel.restart()

    def running(self) -> tuple[CellResult, ...]:
        """The cells that have not ended, the running one first."""
        return tuple(self._result(run) for run in self._kernel.busy())

    def add_markdown(self, text: str) -> int:
        """Add text to the notebook; gives its place among all cells."""
        with self._lock:
            cell = self._notebook.add_markdown(self._clean(text))
            self._save()
            return self._notebook.index(cell)

    # connections

    @property
    def mcp_config(self) -> dict[str, dict[str, Any]]:
        """Servers for any MCP client: a command whose stdin and stdout lead to this session, without a port.

        Raises:
            MissingExtra: If the package ``mcp`` is not installed.
        """
        with self._lock:
            if self._closed:
                raise LabError("the session is closed; create another one")
            if self._bridge is None:
                from whatchanged.lab.execution.notebook_tools import NotebookTools

                self._bridge = Bridge(NotebookTools(self), name="notebooks", redact=self._clean)
                self._bridge.open()
            return {"notebooks": self._bridge.client_config()}

    @property
    def jupyter_url(self) -> str:
        """The notebook's file as an address. No Jupyter server runs, so there is none to open."""
        return self.notebook_path.absolute().as_uri()

    # the end

    def shutdown(self) -> None:
        """End the kernel and save the notebook; what was connected stays so, and is told that it is over."""
        self._kernel.close()
        with self._lock:
            self._save()

    def close(self) -> None:
        """End the kernel and the connections, save the notebook, and bring the agent's files home. Idempotent.

        The sandbox goes on, unless it has ended; its own `terminate` brings the files home again.
        """
        with self._lock:
            if self._closed:
                self._save()  # a file of the same name may have come home from the sandbox meanwhile
                return
            self._closed = True
        self._kernel.close()
        if self._bridge is not None:
            self._bridge.close()
        try:
            self.sandbox.files_home()
        except SandboxEnded:
            pass  # its files came home when it was terminated
        except SandboxError as error:
            _log.warning("%s", self._clean(str(error)))
        with self._lock:
            self._save()

    def terminate(self) -> None:
        """Close the session and end its sandbox."""
        self.close()
        self.sandbox.terminate()
        self.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # what the kernel tells

    def _send(self, code: str, cell: dict[str, Any]) -> CellRun:
        tag(cell, SKIPPED)  # until it has ended
        run = self._kernel.submit(code, cell)
        self._save()
        self._runs[run.handle] = self._latest[cell["id"]] = run
        if is_hidden(cell):
            self._setup[run.handle] = code
        return run

    def _cell_over(self, run: CellRun) -> None:
        with self._lock:
            if run.cell is None:
                if run.status != "ok":
                    _log.warning("the set-up failed in the new kernel: %s", self._result(run).error)
                return
            self._write(run)
            run.cell["execution_count"] = run.count
            tag(run.cell, _TAGS[run.status])
            if run.status == "ok" and (code := self._setup.pop(run.handle, None)):
                self._kernel.remember(code)
            self._save()

    def _cell_progress(self, run: CellRun) -> None:
        if (
            run.cell is None
            or run.outputs.version == run.saved
            or time.monotonic() - self._saved < _SAVE_EVERY
        ):
            return
        with self._lock:
            self._write(run)
            self._save()

    def _display_updated(self, event: Update) -> None:
        with self._lock:
            for run in self._latest.values():
                if run.outputs.update(event) and run.over.is_set():
                    self._write(run)

    def _write(self, run: CellRun) -> None:
        assert run.cell is not None
        run.saved = run.outputs.version
        run.cell["outputs"] = run.outputs.finished(self.sandbox.redactor, limit=NOTEBOOK_TEXT)

    def _save(self) -> None:
        self._saved = time.monotonic()
        self._notebook.save()

    def _clean(self, text: str) -> str:
        return redact_scattered(self.sandbox.redactor, [_writable(text)])[0]

    def _result(self, run: CellRun) -> CellResult:
        with self._lock:
            if run.cell is not None and run.over.is_set():
                outputs = run.cell["outputs"] if self._latest.get(run.cell["id"]) is run else []
            else:
                outputs = run.outputs.finished(self.sandbox.redactor, limit=NOTEBOOK_TEXT)
            place = None
            if run.cell is not None and not is_hidden(run.cell):
                place = next(n for n, cell in enumerate(self._notebook.code_cells()) if cell is run.cell)
        alive = run.status in {"queued", "running"}
        now = time.monotonic()
        return CellResult(
            handle=run.handle,
            status=run.status,
            outputs=tuple(outputs),
            execution_count=run.count,
            cell=place,
            seconds=run.seconds,
            silent=round(now - max(run.heard, run.sent), 1) if alive else 0.0,
            memory=run.memory if alive else None,
        )


def _writable(text: str) -> str:
    """The text without lone surrogates, which neither a file nor the kernel takes."""
    return text.encode("utf-8", "replace").decode()
