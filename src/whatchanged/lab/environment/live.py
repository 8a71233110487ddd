"""Folders of local sandboxes: claimed by a living process, swept by the next one when that is gone."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

from whatchanged.errors import SandboxError, StoreError
from whatchanged.lab.environment.files import bring_home, remove_tree
from whatchanged.store import read_json

__all__ = ["MARK", "STATE", "base_folder", "claim", "end_marked", "release", "sweep"]

MARK = "WHATCHANGED_SANDBOX"
"""Variable in the environment of every process of a sandbox; its value is the sandbox's id."""

_LOCK = "lock"
_UNREADY = ".unready-"
_ABANDONED = 3600.0
STATE = "state.json"
"""File in a sandbox's folder that says what was there at the start, and where files come home to."""


def base_folder() -> Path:
    """Folder of this user's sandboxes in the temporary folder, made if need be.

    Raises:
        SandboxError: If another user made it.
    """
    base = Path(tempfile.gettempdir()).resolve() / f"whatchanged-sandboxes-{os.getuid()}"
    with suppress(FileExistsError):
        base.mkdir(mode=0o711)
    facts = base.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise SandboxError(f"{base} belongs to another user; remove it or set TMPDIR to a folder of your own")
    return base


def claim(sandbox_id: str) -> tuple[Path, int]:
    """Make the folder of a sandbox; its lock is held as long as this process lives.

    Returns:
        The folder and the lock's descriptor.
    """
    for _ in range(100):
        root = base_folder() / sandbox_id
        unready = root.with_name(f"{_UNREADY}{sandbox_id}")  # nobody sweeps it before it is locked
        try:
            unready.mkdir(mode=0o700)
            lock = os.open(unready / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unready.rename(root)
        except FileNotFoundError:  # another process removed the empty base folder meanwhile
            continue
        return root, lock
    raise SandboxError(f"no folder could be made in {tempfile.gettempdir()}; set TMPDIR to another one")


def release(root: Path, lock: int) -> None:
    """Remove the folder of a sandbox, and the folder of all if it was the last."""
    remove_tree(root)
    os.close(lock)
    with suppress(OSError):
        root.parent.rmdir()


def sweep() -> list[str]:
    """End and remove sandboxes whose host process is gone; what was made in them comes home first.

    Returns:
        Their ids.
    """
    swept = []
    for root in sorted(base_folder().iterdir()):
        if root.name.startswith(_UNREADY):
            with suppress(FileNotFoundError):
                if time.time() - root.lstat().st_mtime > _ABANDONED:
                    remove_tree(root)
            continue
        try:
            lock = os.open(root / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # just being removed
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        end_marked(root.name)
        try:
            _rescue(root)
        except (SandboxError, StoreError) as error:
            warnings.warn(
                f"a sandbox of an ended process is kept in {root}: {error}", RuntimeWarning, stacklevel=2
            )
            os.close(lock)
            continue
        release(root, lock)
        swept.append(root.name)
    return swept


def _rescue(root: Path) -> None:
    if not (root / STATE).exists():
        return
    state = read_json(root / STATE)
    known = {path: (size, changed) for path, (size, changed) in state["known"].items()}
    bring_home(root / "workspace", known, Path(state["outputs"]))


def end_marked(sandbox_id: str) -> None:
    """End processes that carry a sandbox's mark: what is left when its supervisor was killed."""
    mark = f"{MARK}={sandbox_id}".encode()
    for _ in range(100):
        found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if mark in _environment(entry)]
        if not found:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, number)


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
