"""Files of a sandbox as an agent is shown them."""

from __future__ import annotations

from whatchanged.lab.execution.cut import cut_text
from whatchanged.lab.execution.machine import Machine
from whatchanged.llm.scattered import redact_scattered

__all__ = ["list_folder", "read_text"]

_LISTING = """
import os, sys
top = sys.argv[1]
if not os.path.isdir(top):
    sys.exit(f"{top} is no folder")
shown = 0
for folder, folders, files in os.walk(top):
    folders[:] = sorted(one for one in folders if one not in {".git", "__pycache__", "node_modules"})
    for name in sorted(files):
        path = os.path.join(folder, name)
        try:
            size = os.lstat(path).st_size
        except OSError:
            continue
        print(f"{size:>12,} {os.path.relpath(path, top)}")
        shown += 1
        if shown == 500:
            sys.exit("only the first 500 files are shown; name a folder below")
"""


def list_folder(machine: Machine, path: str, *, limit: int) -> str:
    """Sizes and paths of the files below a folder."""
    done = machine.exec([machine.python, "-c", _LISTING, path or "."], 60)
    text = str(done) + (f"\n{done.stderr.strip()}" if done.stderr.strip() else "")
    return clean(machine, text or "no files", limit=limit)


def read_text(machine: Machine, path: str, *, limit: int) -> str:
    """A file's text; the middle of a long one is left out with counts.

    Raises:
        SandboxFileError: If it cannot be read.
        ValueError: If it is not text.
    """
    content = machine.read_file(path)
    if b"\0" in content[:4096]:
        raise ValueError(f"{path} is not text ({len(content):,} bytes); open it with code")
    return clean(machine, content.decode("utf-8", "replace"), limit=limit)


def clean(machine: Machine, text: str, *, limit: int) -> str:
    """Text without the sandbox's secrets, its middle left out if it is long."""
    return cut_text(redact_scattered(machine.redactor, [text])[0], limit)
