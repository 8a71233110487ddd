"""What the tests of sandboxes share: traces on this machine, repositories, scripts run by hosts of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

GIT = ("git", "-c", "user.name=tests", "-c", "user.email=tests@example.invalid")
ISOLATIONS = ("bubblewrap", "none")


def isolation_works() -> bool:
    """Whether bubblewrap can isolate on this machine."""
    trial = ("bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--proc", "/proc", "true")
    return (
        bool(shutil.which("bwrap"))
        and subprocess.run(trial, capture_output=True, check=False).returncode == 0
    )


@dataclass(frozen=True)
class Traces:
    """What a sandbox may leave on this machine."""

    processes: frozenset[str]
    mounts: frozenset[str]
    files: frozenset[str]


def traces(folder: Path) -> Traces:
    """Processes with a sandbox's mark or of its supervisor, mounts, and entries of a temporary folder."""
    processes = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"WHATCHANGED_SANDBOX=" in words and str(folder).encode() in words:
            processes.add(entry.name)
    mounts = {
        line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    }
    return Traces(frozenset(processes), frozenset(mounts), frozenset(map(str, folder.rglob("*"))))


def marked(sandbox_id: str) -> list[int]:
    """Processes of this machine that carry a sandbox's mark; isolated ones are seen from here as well."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"WHATCHANGED_SANDBOX={sandbox_id}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def none_marked(sandbox_id: str, patience: float = 30) -> bool:
    """Whether all of them end within some seconds."""
    until = time.monotonic() + patience
    while marked(sandbox_id):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def repository(folder: Path, files: dict[str, str]) -> str:
    """A git repository with one commit; returns its name."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "state")):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return head.stdout.strip()


def host(script: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A host process of its own that runs a script with sandboxes in `folder`."""
    code = "import warnings; warnings.simplefilter('ignore')\n" + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sandbox_folders(folder: Path) -> list[Path]:
    """Folders of sandboxes below a temporary folder."""
    return sorted(path for path in folder.glob("whatchanged-sandboxes-*/*") if path.is_dir())
