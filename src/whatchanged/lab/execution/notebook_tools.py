"""The tools of a notebook session, under the names that interpretability agents know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from whatchanged.lab.execution.render import ANSWER_TEXT, render
from whatchanged.lab.execution.sandbox_files import list_folder, read_text
from whatchanged.lab.execution.session import NotebookSession
from whatchanged.lab.execution.toolbox import Answer

__all__ = ["NotebookTools"]

WAIT = 60.0
_MOST = 600.0


class NotebookTools:
    """Tools over one session. A client may leave `session_id` out: there is one session.

    Args:
        session: The session.
    """

    instructions = (
        "One Jupyter notebook with a persistent kernel. Variables live from cell to cell. Every cell and every "
        "markdown is saved. A cell that takes long returns a handle: wait for it, or interrupt it."
    )

    def __init__(self, session: NotebookSession) -> None:
        self._session = session

    def tools(self) -> Sequence[Callable[..., Answer]]:
        """The functions."""
        return (
            self.start_new_session,
            self.execute_code,
            self.wait,
            self.interrupt,
            self.add_markdown,
            self.edit_cell,
            self.list_files,
            self.read_file,
            self.restart_kernel,
            self.shutdown_session,
        )

    def progress(self) -> str:
        """What the kernel is doing."""
        running = self._session.running()
        return f"running for {running[0].seconds:.0f} s" if running else "the kernel is idle"

    def start_new_session(self, experiment_name: str = "") -> str:
        """Get the notebook session. It was prepared for you: libraries, models and files are in place.

        Args:
            experiment_name: Not needed; the session has a name already.
        """
        session = self._session
        place = (
            f"session_id: {session.session_id}\nnotebook: {session.notebook_path.name}\n"
            f"working folder: {session.sandbox.workspace}"
        )
        return "\n\n".join(part for part in (place, session.model_info_text, session.library_docs) if part)

    def execute_code(self, code: str, session_id: str = "", wait_seconds: float = WAIT) -> Answer:
        """Run Python code as a new cell at the end of the notebook and return its outputs.

        If it takes longer than wait_seconds it keeps running, and you get a handle to wait for.

        Args:
            code: Source of the cell. Lines that begin with % or ! work as in Jupyter.
            session_id: Not needed.
            wait_seconds: How long to wait for the cell to end, at most 600.
        """
        self._check(session_id)
        return render(self._session.exec(code, timeout=_bounded(wait_seconds), check=False))

    def wait(self, handle: int = 0, session_id: str = "", wait_seconds: float = WAIT) -> Answer:
        """Wait for a cell that is still running and return its outputs, or how far it is.

        Args:
            handle: The handle you were given; 0 for the latest cell.
            session_id: Not needed.
            wait_seconds: How long to wait, at most 600.
        """
        self._check(session_id)
        return render(self._session.wait(handle or None, timeout=_bounded(wait_seconds)))

    def interrupt(self, session_id: str = "") -> Answer:
        """Interrupt the running cell (KeyboardInterrupt); variables are kept.

        Args:
            session_id: Not needed.
        """
        self._check(session_id)
        result = self._session.interrupt()
        if result is None:
            return "no cell is running"
        if not result.done:
            return [
                *render(result),
                "It did not react to the interrupt; restart_kernel() ends it, and loses variables.",
            ]
        return render(result)

    def add_markdown(self, content: str, session_id: str = "") -> str:
        """Add a markdown cell at the end of the notebook: what you are about to test, and what you found.

        Args:
            content: Markdown text.
            session_id: Not needed.
        """
        self._check(session_id)
        return f"markdown added as cell {self._session.add_markdown(content)} of the notebook"

    def edit_cell(
        self, code: str, cell_index: int = -1, session_id: str = "", wait_seconds: float = WAIT
    ) -> Answer:
        """Replace the code of an existing code cell and run it again, for example to correct an error.

        Args:
            code: The new code.
            cell_index: Which code cell, counted from 0, or from the end with -1, -2, ...
            session_id: Not needed.
            wait_seconds: How long to wait for the cell to end, at most 600.
        """
        self._check(session_id)
        return render(self._session.edit_cell(code, cell_index, timeout=_bounded(wait_seconds)))

    def list_files(self, path: str = ".") -> str:
        """List the files below a folder, with their sizes in bytes.

        Args:
            path: Folder, relative to the working folder.
        """
        return list_folder(self._session.sandbox, path, limit=ANSWER_TEXT)

    def read_file(self, path: str) -> str:
        """Read a text file.

        Args:
            path: File, relative to the working folder.
        """
        return read_text(self._session.sandbox, path, limit=ANSWER_TEXT)

    def restart_kernel(self, session_id: str = "") -> str:
        """Start a new kernel. Variables are lost; libraries and models are set up again.

        Args:
            session_id: Not needed.
        """
        self._check(session_id)
        self._session.restart()
        return "the kernel is restarted; the set-up runs again before your next cell"

    def shutdown_session(self, session_id: str = "") -> str:
        """End the kernel when you are done with the notebook. It is saved; no more cells can be run.

        Args:
            session_id: Not needed.
        """
        self._check(session_id)
        self._session.shutdown()
        return f"the session has ended; {self._session.notebook_path.name} is saved"

    def _check(self, session_id: str) -> None:
        if session_id and session_id != self._session.session_id:
            raise ValueError(
                f"there is no session {session_id!r}; yours is {self._session.session_id!r}, or leave session_id out"
            )


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _MOST)
