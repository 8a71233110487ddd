"""Asynchronous work behind a synchronous call, also where an event loop is running already, as in Jupyter."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["run_blocking"]

T = TypeVar("T")


def run_blocking(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in a loop of its own.

    In a thread that runs a loop already, it runs in another thread; an interrupt cancels it there
    and waits until it has let go of its files and connections.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    return _Elsewhere(work).result()


class _Elsewhere(Generic[T]):
    """A coroutine in a loop of another thread."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._begun = threading.Event()
        self._task: asyncio.Task[T] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._values: list[T] = []
        self._error: BaseException | None = None

    def result(self) -> T:
        thread = threading.Thread(target=self._run, name="whatchanged-work", daemon=True)
        thread.start()
        try:
            self._wait(thread)
        except BaseException:
            self._cancel()
            thread.join()
            raise
        if self._error is not None:
            raise self._error
        return self._values[0]

    def _wait(self, thread: threading.Thread) -> None:
        """Until the work is over, or the task that called is cancelled, as the first Ctrl-C does."""
        caller = asyncio.current_task()
        before = caller.cancelling() if caller is not None else 0
        while thread.is_alive():
            thread.join(0.2)
            if caller is not None and caller.cancelling() > before:
                raise asyncio.CancelledError

    def _run(self) -> None:
        async def main() -> T:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.ensure_future(self._work())
            self._begun.set()
            return await self._task

        try:
            self._values.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits, and raised there
            self._error = error
        finally:
            self._begun.set()

    def _cancel(self) -> None:
        self._begun.wait()
        if self._loop is not None and self._task is not None and not self._task.done():
            with suppress(RuntimeError):  # the loop closed meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)
