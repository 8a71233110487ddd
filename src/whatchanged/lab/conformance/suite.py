"""Runs the checks of the sandbox contract over any backend, and says which hold."""

from __future__ import annotations

import inspect
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from whatchanged.errors import LabError
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.sandbox import Sandbox

__all__ = [
    "CHECKS",
    "Bench",
    "Check",
    "MakeSandbox",
    "Outcome",
    "Report",
    "Skipped",
    "check",
    "refused",
    "require",
]

MakeSandbox = Callable[[SandboxConfig], Sandbox]
"""Makes a sandbox of the backend under test from a configuration, not started."""

_TIMEOUT = 600.0


class Skipped(Exception):
    """A check that does not apply; its text is the reason."""


class Bench:
    """What a check works with.

    Args:
        make: Makes sandboxes of the backend under test.
    """

    def __init__(self, make: MakeSandbox) -> None:
        self._make = make
        self._shared: Sandbox | None = None
        self._stack = ExitStack()
        self.folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="whatchanged-conformance-"))
        )

    @property
    def shared(self) -> Sandbox:
        """A started sandbox that harmless checks share; a new one if the last was ended."""
        if self._shared is not None and self._shared.ended() is not None:
            self._shared.terminate()
            self._shared = None
        if self._shared is None:
            self._shared = self.make().start()
        return self._shared

    def make(self, **fields: Any) -> Sandbox:
        """A sandbox that is not started; its files come home into a folder of the bench."""
        number = len(list(self.folder.iterdir()))
        outputs = self.folder / f"outputs-{number}-{time.monotonic_ns()}"
        wanted: dict[str, Any] = {"timeout": _TIMEOUT, "outputs": outputs} | fields
        return self._make(SandboxConfig(**wanted))

    @contextmanager
    def fresh(self, **fields: Any) -> Iterator[Sandbox]:
        """A started sandbox of its own."""
        with self.make(**fields) as sandbox:
            yield sandbox

    def needs(self, guarantee: str) -> None:
        """Skip the check where the backend does not promise this."""
        if guarantee not in self.shared.backend.guarantees:
            raise Skipped(f"{guarantee} is not contained by {self.shared.backend.name} as configured")

    def scratch(self, name: str) -> Path:
        """An empty folder of the host."""
        folder = self.folder / f"{name}-{time.monotonic_ns()}"
        folder.mkdir()
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shared is not None:
            self._shared.terminate()
        self._stack.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One sentence of the contract.

    Attributes:
        name: Its name.
        promise: What holds if it passes.
        run: Raises `AssertionError` if it does not hold, `Skipped` if it does not apply.
    """

    name: str
    promise: str
    run: Callable[[Bench], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check went; `reason` is empty when it passed."""

    check: Check
    result: Literal["pass", "fail", "skip"]
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """How all checks went, in their order."""

    outcomes: tuple[Outcome, ...]

    def of(self, result: str) -> tuple[Outcome, ...]:
        """Those that passed, failed or were skipped."""
        return tuple(outcome for outcome in self.outcomes if outcome.result == result)

    def __str__(self) -> str:
        lines = [
            f"{len(self.of('pass'))} passed, {len(self.of('fail'))} failed, {len(self.of('skip'))} skipped"
        ]
        for result in ("fail", "skip"):
            lines += [f"{result}  {one.check.name}: {one.reason}" for one in self.of(result)]
        return "\n".join(lines)


CHECKS: list[Check] = []
"""Every check, in the order of their definition."""


def check(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Make a function one of the checks; its docstring is the promise."""
    promise = inspect.getdoc(function)
    assert promise, f"{function.__name__} promises nothing"
    CHECKS.append(Check(name=function.__name__, promise=promise, run=function))
    return function


def require(holds: object, otherwise: str) -> None:
    """Fail the check with a reason unless something holds; unlike ``assert`` also under ``python -O``."""
    if not holds:
        raise AssertionError(otherwise)


@contextmanager
def refused(*kinds: type[BaseException]) -> Iterator[list[BaseException]]:
    """Fail the check unless the block raises one of these; the error is put into the list."""
    caught: list[BaseException] = []
    try:
        yield caught
    except kinds as error:
        caught.append(error)
    if not caught:
        raise AssertionError(f"nothing was raised instead of {' or '.join(kind.__name__ for kind in kinds)}")


def run(make: MakeSandbox, checks: Iterable[Check]) -> Report:
    """Run checks one after the other; a failing one does not stop the rest."""
    outcomes = []
    bench: AbstractContextManager[Bench] = Bench(make)
    with bench as tools:
        for one in checks:
            outcomes.append(_run(one, tools))
    return Report(tuple(outcomes))


def _run(one: Check, bench: Bench) -> Outcome:
    began = time.monotonic()
    result: Literal["pass", "fail", "skip"] = "pass"
    reason = ""
    try:
        one.run(bench)
    except Skipped as skipped:
        result, reason = "skip", str(skipped)
    except (AssertionError, LabError, OSError, ValueError, LookupError) as error:
        result, reason = "fail", f"{type(error).__name__}: {error}"
    return Outcome(check=one, result=result, reason=reason, seconds=time.monotonic() - began)
