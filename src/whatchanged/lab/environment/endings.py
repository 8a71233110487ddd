"""What this process started and has to end: at its exit, also by SIGTERM or SIGHUP."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from types import FrameType
from typing import Protocol

__all__ = ["enlist", "strike"]


class _Terminable(Protocol):
    def terminate(self) -> object: ...


_live: list[_Terminable] = []
_guard = threading.RLock()
_owner = os.getpid()
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def enlist(one: _Terminable) -> None:
    """Have something terminated when this process exits, also by SIGTERM or SIGHUP."""
    global _owner
    with _guard:
        if _owner != os.getpid():  # a fork: what its parent enlisted is the parent's
            _live.clear()
            _owner = os.getpid()
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _exit)
        _live.append(one)


def strike(one: _Terminable) -> None:
    """Take it off the list; with the last one, the signals are as they were."""
    with _guard:
        if one in _live:
            _live.remove(one)
        if not _live and threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                if signal.getsignal(number) is _exit:
                    signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@atexit.register
def _end_live() -> None:
    if _owner != os.getpid():
        return
    for one in list(_live):
        one.terminate()
