"""Files of a local sandbox: what was there at the start, what is brought home, what is removed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from whatchanged.errors import SandboxError
from whatchanged.lab.environment.contract import FilesHome

__all__ = ["LEFT_BEHIND", "bring_home", "inventory", "remove_tree"]

LEFT_BEHIND = frozenset({".git", "__pycache__", ".ipynb_checkpoints", ".pytest_cache"})
"""Folders that do not come home."""

_BLOCK = 1 << 20


def inventory(top: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file below a folder, by relative path."""
    found = {}
    for folder, _, name in _walk(top):
        facts = os.stat(name, dir_fd=folder[0], follow_symlinks=False)
        found[_join(folder[1], name)] = (facts.st_size, facts.st_mtime_ns)
    return found


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _walk(top: Path) -> Iterator[tuple[tuple[int, str], os.stat_result, str]]:
    """Every entry that is no folder: (descriptor and relative path of its folder), its facts, its name.

    Folders are entered by descriptor and never through a link, whatever is renamed meanwhile.
    """
    for folder, folders, files, descriptor in os.fwalk(top, follow_symlinks=False):
        folders[:] = sorted(name for name in folders if name not in LEFT_BEHIND)
        relative = os.path.relpath(folder, top)
        relative = "" if relative == "." else relative
        links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)]
        for name in sorted([*files, *links]):
            try:
                yield (descriptor, relative), os.lstat(name, dir_fd=descriptor), name
            except FileNotFoundError:
                continue


def bring_home(top: Path, known: Mapping[str, tuple[int, int]], target: Path) -> FilesHome:
    """Copy what is new or changed below `top` into `target`.

    Raises:
        SandboxError: If the target cannot be written.
    """
    files, left_out, size = [], {}, 0
    for (descriptor, relative), facts, name in _walk(top):
        path = _join(relative, name)
        if known.get(path) == (facts.st_size, facts.st_mtime_ns):
            continue
        if stat.S_ISLNK(facts.st_mode):
            left_out[path] = "a link"
            continue
        if not stat.S_ISREG(facts.st_mode):
            left_out[path] = "a socket, pipe or device"
            continue
        try:
            source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        except OSError as error:
            left_out[path] = error.strerror or "unreadable"
            continue
        with os.fdopen(source, "rb") as content:
            try:
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                with (target / path).open("wb") as copy:
                    shutil.copyfileobj(content, copy, _BLOCK)
            except OSError as error:
                raise SandboxError(f"the sandbox's files cannot be brought to {target}: {error}") from error
        files.append(path)
        size += facts.st_size
    return FilesHome(folder=target, files=tuple(files), bytes=size, left_out=left_out)


def remove_tree(folder: Path) -> None:
    """Remove a folder whatever its modes are; gone already is fine."""
    for current, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(current, name)
            if not inner.is_symlink() and stat.S_IMODE(inner.lstat().st_mode) & 0o700 != 0o700:
                inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
