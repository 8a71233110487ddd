"""Work with shell commands in a sandbox."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from whatchanged.errors import LabError, SandboxEnded, SandboxError
from whatchanged.lab.environment.contract import Completed
from whatchanged.lab.execution.bridge import Bridge
from whatchanged.lab.execution.cut import cut_text
from whatchanged.lab.execution.machine import Machine
from whatchanged.lab.execution.render import ANSWER_TEXT
from whatchanged.lab.execution.sandbox_files import clean, list_folder, read_text
from whatchanged.lab.execution.toolbox import Answer

__all__ = ["CLISession", "CLITools"]

_LOGGED = 100_000
_MOST = 3600.0
_log = logging.getLogger(__name__)


class CLISession:
    """Shell commands in a sandbox, each logged with what it said, free of secrets.

    Attributes:
        session_id: Name of the session.
        sandbox: Where the commands run.
        log_path: The log, one JSON object per command: ``command``, ``returncode``, ``seconds``, ``stdout``, ``stderr``.
        model_info_text: What an agent is told of models, repositories and skills, for its prompt.
    """

    def __init__(self, machine: Machine, *, name: str) -> None:
        self.session_id = name
        self.sandbox = machine
        self.log_path = machine.outputs / f"{name}.jsonl"
        self.model_info_text = ""
        self._bridge: Bridge | None = None
        self._lock = threading.Lock()
        self._closed = False

    def exec(self, code: str, timeout: float | None = None) -> Completed:
        """Run Python code in a fresh interpreter; the result is free of secrets."""
        return self._run([self.sandbox.python, "-"], code, timeout, stdin=code.encode())

    def exec_shell(self, cmd: str, timeout: float | None = None) -> Completed:
        """Run a shell command in the workspace; the result is free of secrets."""
        return self._run(cmd, cmd, timeout)

    def set_up(self, code: str) -> None:
        """Run code that must succeed.

        Raises:
            LabError: If it does not; holds what it said.
        """
        done = self.exec(code)
        if not done.ok:
            raise LabError(f"the set-up of the session failed: {done.stderr.strip()[-2000:]}")

    @property
    def mcp_config(self) -> dict[str, dict[str, Any]]:
        """Servers for any MCP client; see `NotebookSession.mcp_config`."""
        with self._lock:
            if self._closed:
                raise LabError("the session is closed; create another one")
            if self._bridge is None:
                self._bridge = Bridge(
                    CLITools(self),
                    name="cli",
                    redact=lambda text: clean(self.sandbox, text, limit=ANSWER_TEXT),
                )
                self._bridge.open()
            return {"cli": self._bridge.client_config()}

    def close(self) -> None:
        """End the connections and bring the agent's files home. Idempotent; the sandbox goes on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._bridge is not None:
            self._bridge.close()
        try:
            self.sandbox.files_home()
        except SandboxEnded:
            pass  # its files came home when it was terminated
        except SandboxError as error:
            _log.warning("%s", clean(self.sandbox, str(error), limit=_LOGGED))

    def terminate(self) -> None:
        """Close the session and end its sandbox."""
        self.close()
        self.sandbox.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(
        self, command: str | Sequence[str], shown: str, timeout: float | None, *, stdin: bytes = b""
    ) -> Completed:
        done = self.sandbox.exec(command, timeout, stdin=stdin)
        told = Completed(
            clean(self.sandbox, done.stdout, limit=_LOGGED),
            clean(self.sandbox, done.stderr, limit=_LOGGED),
            done.returncode,
            timed_out=done.timed_out,
            stdout_dropped=done.stdout_dropped,
            stderr_dropped=done.stderr_dropped,
            seconds=done.seconds,
        )
        line = {
            "command": clean(self.sandbox, shown, limit=_LOGGED),
            "returncode": told.returncode,
            "timed_out": told.timed_out,
            "seconds": round(told.seconds, 3),
            "stdout": told.stdout,
            "stderr": told.stderr,
        }
        with self._lock:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            with self.log_path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line, ensure_ascii=False) + "\n")
        return told


class CLITools:
    """The tools of a command-line session.

    Args:
        session: The session.
    """

    instructions = (
        "Shell commands in a sandbox. Files stay from command to command; variables of a shell do not."
    )

    def __init__(self, session: CLISession) -> None:
        self._session = session

    def tools(self) -> Sequence[Callable[..., Answer]]:
        """The functions."""
        return (self.run_command, self.run_python, self.read_file, self.write_file, self.list_files)

    def progress(self) -> str:
        """Commands say nothing before they end."""
        return "the command is running"

    def run_command(self, command: str, timeout_seconds: float = 600.0) -> str:
        """Run a shell command in the working folder and return what it prints.

        Args:
            command: Command for /bin/sh.
            timeout_seconds: Seconds after which it is ended, at most 3600.
        """
        return _told(self._session.exec_shell(command, min(timeout_seconds, _MOST)))

    def run_python(self, code: str, timeout_seconds: float = 600.0) -> str:
        """Run Python code in a fresh interpreter and return what it prints.

        Args:
            code: The program.
            timeout_seconds: Seconds after which it is ended, at most 3600.
        """
        return _told(self._session.exec(code, min(timeout_seconds, _MOST)))

    def read_file(self, path: str) -> str:
        """Read a text file.

        Args:
            path: File, relative to the working folder.
        """
        return read_text(self._session.sandbox, path, limit=ANSWER_TEXT)

    def write_file(self, path: str, content: str) -> str:
        """Write a text file, making folders on the way.

        Args:
            path: File, relative to the working folder.
            content: Its text.
        """
        self._session.sandbox.write_file(path, content)
        return f"{path} written, {len(content):,} characters"

    def list_files(self, path: str = ".") -> str:
        """List the files below a folder, with their sizes in bytes.

        Args:
            path: Folder, relative to the working folder.
        """
        return list_folder(self._session.sandbox, path, limit=ANSWER_TEXT)


def _told(done: Completed) -> str:
    end = "was ended at its time limit" if done.timed_out else f"ended with code {done.returncode}"
    parts = [f"{end} after {done.seconds:.1f} s", cut_text(done.stdout.rstrip(), ANSWER_TEXT)]
    if done.stderr.strip():
        parts.append(f"standard error:\n{cut_text(done.stderr.rstrip(), ANSWER_TEXT)}")
    dropped = done.stdout_dropped + done.stderr_dropped
    return "\n".join([part for part in parts if part] + ([f"[{dropped:,} bytes dropped]"] if dropped else []))
