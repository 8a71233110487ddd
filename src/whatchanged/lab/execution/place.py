"""Put a workspace's files where a session runs."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from whatchanged.errors import LabError
from whatchanged.lab.execution.machine import Machine

__all__ = ["place_files"]

_SINGLY = 8
_UNPACK = (
    "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('.', filter='data')"
)


def place_files(machine: Machine, files: Mapping[str, bytes]) -> None:
    """Write files below the workspace; many of them go in one archive, since a remote sandbox is slow per call.

    Raises:
        LabError: If they cannot be written.
    """
    if len(files) <= _SINGLY:
        for path, content in files.items():
            machine.write_file(f"{machine.workspace}/{path}", content)
        return
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    done = machine.exec([machine.python, "-c", _UNPACK], stdin=archive.getvalue())
    if not done.ok:
        raise LabError(f"the workspace's files cannot be written into the sandbox: {done.stderr.strip()}")
