"""What tests of sessions share: a canary, notebooks on disk, processes that are left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

CANARY = "sk-or-v1-4f9a1c77e2b84d06a5e3QzXw/8+91b0cd"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def living(folder: Path, *, patience: float = 20.0) -> list[str]:
    """Command lines of processes that work in a folder; waits a while for them to end."""
    until = time.monotonic() + patience
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(folder) and int(process.name) != os.getpid():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def notebook(path: Path) -> dict[str, Any]:
    """A notebook as it stands on disk, valid in nbformat's eyes."""
    import nbformat

    content = nbformat.read(path, nbformat.NO_CONVERT)
    nbformat.validate(content)
    return dict(content)


def run_again(path: Path, folder: Path) -> dict[str, Any]:
    """The notebook after nbclient ran it from top to bottom in a fresh kernel."""
    program = (
        "import sys, nbformat, nbclient\n"
        "book = nbformat.read(sys.argv[1], 4)\n"
        "nbclient.NotebookClient(book, timeout=120, resources={'metadata': {'path': sys.argv[2]}}).execute()\n"
        "nbformat.write(book, sys.argv[3])\n"
    )
    target = path.with_suffix(".again.ipynb")
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(folder), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return notebook(target)


def outputs_of(book: dict[str, Any]) -> list[Any]:
    """The outputs of all code cells, without the kernel's numbers."""
    found = []
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            for output in cell["outputs"]:
                output.pop("execution_count", None)
            found.append(cell["outputs"])
    return found
