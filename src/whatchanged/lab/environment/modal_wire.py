"""How jobs are given to a Modal sandbox from the host, and how Modal's failures are told."""

from __future__ import annotations

import base64
import contextlib
import functools
import inspect
import json
import secrets
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from whatchanged.errors import MissingExtra, SandboxEnded, SandboxError
from whatchanged.lab.environment import (
    modal_inside,
    modal_inside_commands,
    modal_inside_files,
    modal_inside_guard,
)

if TYPE_CHECKING:
    import modal

__all__ = ["Answer", "call", "guard_command", "modal_failures", "modal_package", "send_job"]

_CHUNK = 1 << 20


def modal_package() -> ModuleType:
    """The ``modal`` package.

    Raises:
        MissingExtra: If it is not installed.
    """
    try:
        import modal
    except ImportError as error:
        raise MissingExtra("modal", extra="modal", purpose="run sandboxes on Modal") from error
    return modal


@contextlib.contextmanager
def modal_failures(doing: str) -> Iterator[None]:
    """Tell Modal's failures as ours. ``doing`` is the end of "Modal could not ...".

    Raises:
        SandboxEnded: If Modal says that the sandbox is no more.
        SandboxError: If it does not know the account, cannot be reached, or refuses.
    """
    from modal import exception

    try:
        yield
    except exception.AuthError as error:
        raise SandboxError(
            f"Modal could not {doing}: it does not know you ({error}); run: modal token new"
        ) from error
    except (exception.NotFoundError, exception.ConflictError, exception.ClientClosed) as error:
        raise SandboxEnded(f"Modal could not {doing}: {error}") from error
    except exception.Error as error:
        raise SandboxError(f"Modal could not {doing}: {error}") from error


@functools.cache
def _program(guard: bool) -> str:
    """The text that a bare interpreter runs inside: our modules, put where their imports look, then their jobs."""
    modules = [modal_inside, modal_inside_commands, modal_inside_files, modal_inside_guard]
    texts = {module.__name__: inspect.getsource(module) for module in modules}
    lines = ["import json, sys, types", f"texts = {texts!r}", "jobs = {}"]
    lines += ["for name, text in texts.items():"]
    lines += ["    module = sys.modules[name] = types.ModuleType(name)"]
    lines += ["    exec(compile(text, name, 'exec'), module.__dict__)"]
    lines += ["    jobs |= getattr(module, 'JOBS', {})"]
    if guard:
        lines.append(f"sys.modules[{modal_inside_guard.__name__!r}].Guard(json.loads(sys.argv[1])).watch()")
    else:
        lines.append(f"sys.modules[{modal_inside.__name__!r}].main(jobs)")
    packed = base64.b85encode(
        zlib.compress("\n".join(lines).encode(), 9)
    ).decode()  # short in a list of processes
    return f"import base64, zlib; exec(zlib.decompress(base64.b85decode({packed!r})))"


def _words(guard: bool, argument: str) -> list[str]:
    return ["python", "-I", "-S", "-c", _program(guard), argument]


def guard_command(settings: Mapping[str, Any]) -> list[str]:
    """The sandbox's first command."""
    return _words(True, json.dumps(settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a job wrote and told.

    Attributes:
        stdout: What it wrote.
        stderr: The same, without what it told.
        told: What it told at its end; empty if it was ended by force.
        code: Exit code of the process inside, or ``None`` if the sandbox ended under it.
    """

    stdout: bytes
    stderr: bytes
    told: Mapping[str, Any]
    code: int | None


def send_job(
    sandbox: modal.Sandbox,
    job: str,
    *,
    backstop: float | None = None,
    granted: Iterable[modal.Secret] = (),
    **what: Any,
) -> tuple[modal.container_process.ContainerProcess[bytes], str, str]:
    """Start a job inside.

    Args:
        sandbox: The sandbox.
        job: Which one.
        backstop: Seconds after which Modal itself ends it.
        granted: Secrets that this job alone sees.
        what: The job's own fields.

    Returns:
        The process, its mark, and its nonce.
    """
    mark, nonce = secrets.token_hex(16), secrets.token_hex(16)
    process = sandbox.exec(
        *_words(False, mark),
        text=False,
        workdir="/",
        timeout=None if backstop is None else max(1, round(backstop)),
        secrets=list(granted),
    )
    told = json.dumps({"job": job, "mark": mark, "nonce": nonce, **what}).encode()
    process.stdin.write(f"{len(told):08x}".encode() + told)
    process.stdin.drain()
    return process, mark, nonce


def call(
    sandbox: modal.Sandbox,
    job: str,
    *,
    stdin: bytes | Iterable[bytes] = b"",
    sink: Callable[[bytes], object] | None = None,
    backstop: float | None = None,
    granted: Iterable[modal.Secret] = (),
    **what: Any,
) -> Answer:
    """Give a job, feed it, and wait for its end.

    Args:
        sandbox: The sandbox.
        job: Which one.
        stdin: What it reads after its description.
        sink: Takes what it writes instead of `Answer.stdout`.
        backstop: Seconds after which Modal itself ends it.
        granted: Secrets that this job alone sees.
        what: The job's own fields.

    Raises:
        SandboxError: If Modal could not.
    """
    from modal import exception

    with modal_failures(f"{job} in the sandbox"):
        process, _, nonce = send_job(sandbox, job, backstop=backstop, granted=granted, **what)
        written: tuple[list[bytes], list[bytes]] = ([], [])
        lost: list[BaseException] = []

        def read(stream: Iterable[bytes], take: Callable[[bytes], object]) -> None:
            try:
                for chunk in stream:
                    take(chunk)
            except (exception.Error, OSError) as error:
                lost.append(error)

        readers = [
            threading.Thread(target=read, args=(process.stdout, sink or written[0].append), daemon=True),
            threading.Thread(target=read, args=(process.stderr, written[1].append), daemon=True),
        ]
        for reader in readers:
            reader.start()
        with contextlib.suppress(exception.ConflictError):  # it no longer reads, or has ended
            for chunk in _chunks(stdin):
                process.stdin.write(chunk)
                process.stdin.drain()
            process.stdin.write_eof()
            process.stdin.drain()
        for reader in readers:
            reader.join()
        try:
            code = process.wait()
        except (exception.NotFoundError, exception.ConflictError):
            code = None
        for error in lost:
            if isinstance(error, OSError) or code is not None:
                raise error
    stderr, marker, told = b"".join(written[1]).rpartition(nonce.encode())
    if not marker:
        stderr, told = told, b"{}"
    return Answer(stdout=b"".join(written[0]), stderr=stderr, told=json.loads(told), code=code)


def _chunks(stdin: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(stdin, bytes):
        for start in range(0, len(stdin), _CHUNK):
            yield stdin[start : start + _CHUNK]
    else:
        yield from stdin
