"""How the control plane confines one sandbox: bubblewrap around a root of its own, with this machine's programs."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[3] / "src"
SETTINGS = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "ssl",
    "passwd",
    "group",
    "nsswitch.conf",
    "hosts",
)
WRITABLE = ("workspace", "tmp", "root", "home", "models", "python")
"""Top folders that are kept in a snapshot; ``python`` is the interpreter's environment."""


@functools.cache
def bubblewrap() -> str | None:
    """Path of a ``bwrap`` that can make namespaces here, or None."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    trial = [program, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--proc", "/proc", "true"]
    return program if subprocess.run(trial, capture_output=True, check=False).returncode == 0 else None


def make_files(files: Path) -> None:
    """The writable folders of a fresh container, with an environment that sees the packages of this one."""
    for name in WRITABLE:
        (files / name).mkdir(parents=True)
    (files / "tmp").chmod(0o1777)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(files / "python")
    packages = files / "python" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    pip = files / "python" / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
    pip.chmod(0o755)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Folders and rules of one sandbox."""

    folder: Path
    """Holds the worker's socket, its log, and the writable folders under ``files``."""
    network: bool
    volumes: dict[str, tuple[Path, bool]] = field(default_factory=dict)
    """Path inside to (folder outside, whether it may only be read)."""
    seen: dict[str, Path] = field(default_factory=dict)
    """Path inside to folder outside that can be read, and no more."""

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def outside(self, path: str) -> Path:
        """A path of a writable folder as this machine sees it."""
        top, _, rest = path.lstrip("/").partition("/")
        assert top in WRITABLE, path
        return self.files / top / rest

    def command(self, script: Path, configuration: Path) -> list[str]:
        """The command that starts the sandbox's first process."""
        program = bubblewrap()
        assert program is not None
        arguments = [program, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--as-pid-1", "--cap-add", "ALL"] if os.getuid() == 0 else ["--as-pid-1"]
        if not self.network:
            arguments.append("--unshare-net")
        for entry in sorted(Path("/").iterdir()):
            if entry.is_symlink():
                arguments += ["--symlink", str(entry.readlink()), str(entry)]
            elif entry.name in {"usr", "bin", "sbin", "lib", "lib32", "lib64"}:
                arguments += ["--ro-bind", str(entry), str(entry)]
        arguments += ["--perms", "0755", "--dir", "/etc"]
        for name in SETTINGS:
            arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        arguments += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--dir", "/var/tmp"]
        for name in WRITABLE:
            arguments += ["--bind", str(self.files / name), f"/{name}"]
        for path in dict.fromkeys([sys.base_prefix, sys.prefix, str(SOURCE), str(HERE)]):
            for above in list(Path(path).parents)[-2::-1]:  # through which every user may pass
                arguments += ["--perms", "0755", "--dir", str(above)]
            arguments += ["--ro-bind", path, path]
        arguments += ["--bind", str(self.folder / "worker"), str(self.folder / "worker")]
        for inside, outside in self.seen.items():
            arguments += ["--ro-bind", str(outside), inside]
        for inside, (outside, read_only) in self.volumes.items():
            arguments += ["--ro-bind" if read_only else "--bind", str(outside), inside]
        return [*arguments, "--chdir", "/", "--", sys.executable, "-P", str(script), str(configuration)]

    def environment(self) -> dict[str, str]:
        """What every process of the sandbox finds set before images and secrets add to it."""
        return {
            "PATH": os.pathsep.join(["/python/bin", "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": "/root",
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            "MODAL_TASK_ID": self.folder.name,
        }


def copy(source: Path, target: Path) -> None:
    """Copy a tree with its owners, modes and links."""
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)
