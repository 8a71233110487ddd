"""Exposed functions as a library an agent imports."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from whatchanged.errors import LabError
from whatchanged.lab.environment.contract import Process
from whatchanged.lab.scoped.interface import Exposed
from whatchanged.lab.scoped.service import Service, program
from whatchanged.lab.workspace import Library

__all__ = ["ServedLibrary", "served_library"]

_HEAD = '''"""{docs}"""

from __future__ import annotations

import json as _json
import os as _os
import socket as _socket
import tempfile as _tempfile


class CallFailed(RuntimeError):
    """The function raised, or the sandbox behind it is over."""


def _call(function, args, kwargs):
    kwargs = {{name: value for name, value in kwargs.items() if value is not ...}}
    with _socket.socket(_socket.AF_UNIX) as connection:
        try:
            connection.connect(_os.path.join(_tempfile.gettempdir(), {address!r}))
        except OSError as error:
            raise CallFailed(f"the sandbox behind {{__name__}} cannot be reached: {{error}}") from None
        with connection.makefile("rw", encoding="utf-8") as lines:
            lines.write(_json.dumps({{"function": function, "args": args, "kwargs": kwargs}}) + "\\n")
            lines.flush()
            line = lines.readline()
    answer = _json.loads(line or '{{"error": "the connection was closed"}}')
    if "error" in answer:
        raise CallFailed(answer["error"])
    return answer["result"]
'''


@dataclass(frozen=True, slots=True)
class ServedLibrary(Library):
    """A library whose functions run in a scoped sandbox.

    Attributes:
        service: Where the calls go.
        address: Name of the socket in the temporary folder where the agent works.
        gates: Processes that pass calls on, one for each place where it is used.
    """

    service: Service | None = None
    address: str = ""
    gates: list[Process] = field(default_factory=list)

    def connect(self, machine: Any) -> None:
        """Open the way from where an agent works to the scoped sandbox: a socket there, a pipe to here.

        Raises:
            LabError: If it cannot be opened.
            SandboxEnded: If the agent's sandbox is over.
        """
        where = "import os, tempfile; print(os.path.join(tempfile.gettempdir(), {!r}))"
        told = machine.exec([machine.python, "-c", where.format(self.address)], 60)
        process: Process = machine.open_process(program(machine.python, "gate"))
        self.gates.append(process)
        with suppress(OSError):
            process.stdin.write(f"{str(told).strip()}\n".encode())
            process.stdin.flush()
        if process.stdout.readline() != b"listening\n":
            raise LabError(f"no way to {self.name} could be opened: {process.stderr.read(2000).decode()}")
        threading.Thread(
            target=self._pass_on, args=(process,), name=f"calls of {self.name}", daemon=True
        ).start()

    def disconnect(self) -> None:
        """Close all ways."""
        while self.gates:
            process = self.gates.pop()
            process.close()
            process.stderr.close()

    def _pass_on(self, process: Process) -> None:
        assert self.service is not None
        with process.stdout, suppress(OSError, ValueError):
            while line := process.stdout.readline():
                answer = _answer(self.service, line)
                process.stdin.write(json.dumps(answer).encode() + b"\n")
                process.stdin.flush()


def _answer(service: Service, line: bytes) -> Any:
    """What a call comes to. The line is from the agent's side, where anything may write to the socket."""
    try:
        call = json.loads(line)
        return service.call(str(call["function"]), list(call["args"]), dict(call["kwargs"]))
    except (ValueError, KeyError, TypeError):
        return {"error": "a call is one line of JSON with function, args and kwargs"}
    except LabError as error:
        return {"error": f"{error}"}


def served_library(name: str, exposed: Sequence[Exposed], service: Service) -> ServedLibrary:
    """A module with the exposed functions' names, parameters and docstrings."""
    address = f"wcs-{secrets.token_hex(8)}.sock"
    head = _HEAD.format(docs=f"Functions that run in a scoped sandbox ({name}).", address=address)
    source = head + "".join(f"\n\n{_stub(one)}" for one in exposed)
    return ServedLibrary(
        name=name,
        files={f"{name}.py": source},
        docs="These functions run in another sandbox; only results that are JSON come back.",
        service=service,
        address=address,
    )


def _stub(one: Exposed) -> str:
    positional, star, keywords, stars = one.parts
    passed = f"[{', '.join([*positional, f'*{star}'])}]" if star else "[]"
    named = [*([] if star else positional), *keywords]
    given = ", ".join(f"{name!r}: {name}" for name in named)
    if stars:
        given = f"{given}, **{stars}" if given else f"**{stars}"
    docs = f"    {one.docs!r}\n" if one.docs else ""
    return f"def {one.name}{one.header}:\n{docs}    return _call({one.name!r}, {passed}, {{{given}}})\n"
