"""Asynchronous work behind a synchronous call, also where an event loop is running already, as in Jupyter."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
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


class _Elsewhere(threading.Thread, Generic[T]):
    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        super().__init__(name="whatchanged-work", daemon=True)
        self._work = work
        self._started = threading.Event()
        self._task: asyncio.Task[T] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._values: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        async def main() -> T:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.ensure_future(self._work())
            self._started.set()
            return await self._task

        try:
            self._values.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits, and raised there
            self._error = error
        finally:
            self._started.set()

    def result(self) -> T:
        self.start()
        try:
            self.join()
        except BaseException:
            self._started.wait()
            if self._loop is not None and self._task is not None and self.is_alive():
                self._loop.call_soon_threadsafe(self._task.cancel)
            self.join()
            raise
        if self._error is not None:
            raise self._error
        return self._values[0]
