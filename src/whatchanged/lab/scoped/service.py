"""The host's end of an interface that runs in a scoped sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, Protocol

from whatchanged.errors import LabError, SandboxError
from whatchanged.lab.environment.contract import Process
from whatchanged.llm.redact import Redactor

__all__ = ["Service", "program"]

_TAIL = 4000
_LONGEST_LINE = 256 * 2**20


class _Runs(Protocol):
    redactor: Redactor

    @property
    def python(self) -> str: ...

    def open_process(self, cmd: Sequence[str]) -> Process: ...

    def ended(self) -> SandboxError | None: ...


def program(python: str, name: str) -> list[str]:
    """Command that runs one of the programs of ``inside`` with nothing of ours installed."""
    source = files("whatchanged.lab.scoped.inside").joinpath(f"{name}.py").read_text(encoding="utf-8")
    return [python, "-u", "-c", f"{source}\nmain()\n"]


class Service:
    """Calls into one interface file; they run one after the other.

    Args:
        sandbox: Where it runs.
        source: The interface file's text.
        name: Its name, for tracebacks.
        models: Paths of models by their names.
    """

    def __init__(self, sandbox: _Runs, source: str, *, name: str, models: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._name = name
        self._start = {"source": source, "name": name, "models": dict(models)}
        self._turn = threading.Lock()
        self._errors = b""
        self._process: Process | None = None

    def open(self) -> frozenset[str]:
        """Start it, and wait until the file is loaded; gives the names of what it exposes.

        Raises:
            LabError: If the file raised; holds the end of its traceback.
            SandboxEnded: If the sandbox is over.
        """
        self._process = self._sandbox.open_process(program(self._sandbox.python, "server"))
        threading.Thread(target=self._listen_errors, args=(self._process,), daemon=True).start()
        answer = self._ask(self._start)
        if "ready" not in answer:
            raise LabError(f"{self._name} could not be loaded: {answer['error']}")
        return frozenset(answer["ready"])

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``{"result": ...}`` or ``{"error": ...}``, without secrets of the sandbox.

        Raises:
            LabError: If the interface's process has ended.
            SandboxEnded: If its sandbox is over.
        """
        answer = self._ask({"function": function, "args": list(args), "kwargs": dict(kwargs)})
        clean: Mapping[str, Any] = self._clean(answer)
        return clean

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.close()

    def _ask(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        assert self._process is not None
        line = b""
        with self._turn, suppress(OSError, ValueError):  # a closed stream is a ValueError
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline(_LONGEST_LINE)
        if not line:
            if over := self._sandbox.ended():
                raise over
            words = self._sandbox.redactor(self._errors.decode("utf-8", "replace")).strip()
            raise LabError(f"the interface {self._name} has ended: {words or 'it said nothing'}")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._sandbox.redactor(value)
        if isinstance(value, Mapping):
            return {self._clean(key): self._clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        return value

    def _listen_errors(self, process: Process) -> None:
        with suppress(OSError, ValueError):
            for line in process.stderr:
                self._errors = (self._errors + line)[-_TAIL:]
