"""Jobs inside a Modal sandbox that move files."""

from __future__ import annotations

import os
import stat
import sys
import tarfile
import time
from pathlib import Path
from typing import BinaryIO

from whatchanged.lab.environment.modal_inside import Job, give, tell

__all__ = ["JOBS"]

_BLOCK = 1 << 20


def read(job: Job) -> None:
    """One file out."""
    with Path(job["path"]).open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        content = source.read(job["limit"] + 1)
        if len(content) > job["limit"]:
            raise OSError(
                27, f"it has {max(size, len(content))} bytes, more than {job['limit']}", job["path"]
            )
    give(1, content)
    tell(job)


def write(job: Job) -> None:
    """One file in."""
    path = Path(job["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        while data := os.read(0, _BLOCK):
            target.write(data)
    tell(job)


def unpack(job: Job) -> None:
    """A tar archive in."""
    _unpack(job["folder"])
    tell(job)


def _unpack(folder: str) -> None:
    with os.fdopen(0, "rb", closefd=False) as source, tarfile.open(fileobj=source, mode="r|") as archive:
        archive.extractall(folder, filter="tar")


def home(job: Job) -> None:
    """What has changed in the workspace, as a tar archive."""
    top = os.path.realpath(job["folder"])
    left_out: dict[str, str] = {}
    # The stream is unseekable, and what changes while it is read must not break it.
    with os.fdopen(1, "wb", closefd=False) as target, tarfile.open(fileobj=target, mode="w|") as archive:
        for folder, folders, names in os.walk(top):
            linked = [name for name in folders if Path(folder, name).is_symlink()]
            folders[:] = sorted(set(folders) - set(job["skip"]) - set(linked))
            for name in sorted([*names, *linked]):
                path = str(Path(folder, name))
                where = os.path.relpath(path, top)
                try:
                    reason = _put(archive, path, where, job)
                except OSError as error:
                    reason = error.strerror or "unreadable"
                if reason:
                    left_out[where] = reason
    tell(job, left_out=left_out)


def _put(archive: tarfile.TarFile, path: str, where: str, job: Job) -> str | None:
    """Add one path that changed; returns why it was left out, or None."""
    found = os.lstat(path)
    if found.st_ctime_ns <= job["since"]:
        return None
    if stat.S_ISLNK(found.st_mode):
        return "a link"
    if not stat.S_ISREG(found.st_mode):
        return "a socket, pipe or device"
    with Path(path).open("rb") as source:
        entry = archive.gettarinfo(path, where, source)
        entry.type, entry.size = tarfile.REGTYPE, found.st_size
        archive.addfile(entry, _Padded(source))
    return None


class _Padded:
    """A file that reads as zeros past its end, since it may shrink while it is archived."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source

    def read(self, size: int = 0, /) -> bytes:
        """Exactly ``size`` bytes."""
        return self.source.read(size).ljust(size, b"\0")


def prepare(job: Job) -> None:
    """A tar archive in, its folders to the user, and the moment after which changes count."""
    _unpack("/")
    for top in job["folders"]:
        _own(top, job["user"] if os.getuid() == 0 and job["user"] is not None else -1)
    moment = _moment(Path(job["folders"][0]) / ".whatchanged-stamp")
    tell(job, moment=moment, python=sys.executable, root=os.getuid() == 0)


def _own(top: str, user: int) -> None:
    Path(top).mkdir(parents=True, exist_ok=True)
    os.chown(top, user, user)
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            os.chown(Path(folder, name), user, user, follow_symlinks=False)


def _moment(path: Path) -> int:
    """A moment in the clock of the file system: what changes later has a later one."""
    path.touch()
    first = last = path.stat().st_ctime_ns
    while last == first:
        time.sleep(0.005)
        path.touch()
        last = path.stat().st_ctime_ns
    path.unlink()
    return first


JOBS = {"read": read, "write": write, "unpack": unpack, "prepare": prepare, "home": home}
