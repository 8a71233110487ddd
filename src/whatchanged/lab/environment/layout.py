"""Where the parts of a local sandbox stand, on the host and as its processes see them."""

from __future__ import annotations

import os
import pwd
import random
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Layout", "free_uid", "inside_path"]

_UIDS = range(60_600, 61_100)
"""Unused by Debian, Fedora and systemd's own ranges, and low enough for containers that map 65,536 uids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders of one sandbox.

    Attributes:
        root: The folder that holds all others; only its owner may enter.
        isolated: Whether processes see the short paths (``/workspace``, ``/venv``, ...) instead of those on the host.
    """

    root: Path
    isolated: bool

    @property
    def workspace(self) -> Path:
        """Bound to ``/workspace``."""
        return self.root / "workspace"

    @property
    def home(self) -> Path:
        """Bound to ``/home/agent``."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """Bound to ``/tmp``."""
        return self.root / "tmp"

    @property
    def shared_memory(self) -> Path:
        """Bound to ``/dev/shm``: on disk, so that what is put there is counted."""
        return self.root / "shm"

    @property
    def environment(self) -> Path:
        """The virtual environment, bound to ``/venv``."""
        return self.root / "venv"

    @property
    def accounts(self) -> Path:
        """Files bound to ``/etc/passwd`` and ``/etc/group``."""
        return self.root / "etc"

    @property
    def placed(self) -> Path:
        """Files and folders of the host that are to stand outside the workspace."""
        return self.root / "placed"

    @property
    def writable(self) -> tuple[Path, ...]:
        """Folders that belong to the sandbox's uid."""
        return (self.workspace, self.home, self.temporary, self.shared_memory, self.environment, self.placed)

    def inside(self, path: Path) -> str:
        """A path of the host as the sandbox's processes see it."""
        if not self.isolated:
            return str(path)
        for folder, short in self.bindings.items():
            if path.is_relative_to(folder):
                return str(PurePosixPath(short) / path.relative_to(folder))
        return str(path)

    @property
    def bindings(self) -> dict[Path, str]:
        """Writable folders → where they stand inside."""
        return {
            self.workspace: "/workspace",
            self.home: "/home/agent",
            self.temporary: "/tmp",
            self.shared_memory: "/dev/shm",
            self.environment: "/venv",
        }

    def make(self) -> None:
        """Make the folders; the accounts name one user, ``agent``."""
        for folder in (*self.writable, self.accounts):
            folder.mkdir()

    def hand_to(self, uid: int | None) -> None:
        """Give everything writable to the sandbox's uid, and tell who that is."""
        owner = os.getuid() if uid is None else uid
        (self.accounts / "passwd").write_text(
            f"root:x:0:0::/:/usr/sbin/nologin\nagent:x:{owner}:{owner}::/home/agent:/bin/sh\n",
            encoding="utf-8",
        )
        (self.accounts / "group").write_text(f"root:x:0:\nagent:x:{owner}:\n", encoding="utf-8")
        if uid is None:
            return
        for top in self.writable:
            os.chown(top, uid, uid)
            for folder, folders, files in os.walk(top):
                for name in (*folders, *files):
                    os.chown(Path(folder, name), uid, uid, follow_symlinks=False)


def inside_path(workspace: str, path: str) -> str:
    """A path of the sandbox made absolute: relative ones start at the workspace."""
    return str(PurePosixPath(workspace) / path)


def free_uid() -> int:
    """A uid that no account and no running process has, for one sandbox's processes."""
    taken = {account.pw_uid for account in pwd.getpwall()}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                taken.add(entry.stat().st_uid)
            except FileNotFoundError:
                continue
    return random.choice([uid for uid in _UIDS if uid not in taken])
