"""The command line that puts a sandbox's first process into namespaces of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from whatchanged.errors import IsolationUnavailable
from whatchanged.lab.environment.layout import Layout

__all__ = ["REMEDY", "bubblewrap_command", "require_bubblewrap"]

REMEDY = (
    "install it (apt-get install bubblewrap), use backend='modal', or accept that nothing but limits holds the "
    "agent with isolation='none'"
)

_SYSTEM = ("bin", "lib", "lib32", "lib64", "sbin")
_SETTINGS = (
    "alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "mime.types", "os-release", "pki", "protocols", "services", "ssl/certs",
    "ssl/openssl.cnf", "terminfo", "timezone",
)  # fmt: skip
_NETWORK_SETTINGS = ("gai.conf", "host.conf", "hosts", "nsswitch.conf", "resolv.conf")


def require_bubblewrap() -> str:
    """Path of a bubblewrap that works here, found by trying it.

    Raises:
        IsolationUnavailable: If it is missing, or this machine forbids what it needs; with its own words.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise IsolationUnavailable(
            f"bubblewrap (bwrap) is not installed, so the agent cannot be isolated; {REMEDY}"
        )
    trial = [
        program,
        *_namespaces(network=False),
        *_system(),
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "/bin/true",
    ]
    tried = subprocess.run(trial, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    if tried.returncode:
        raise IsolationUnavailable(
            f"bubblewrap cannot isolate here ({tried.stderr.strip() or f'exit code {tried.returncode}'}); "
            "some containers forbid namespaces: run where they are allowed, use backend='modal', or accept that "
            "nothing but limits holds the agent with isolation='none'"
        )
    return program


def _namespaces(*, network: bool) -> list[str]:
    arguments = [
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "sandbox",
    ]
    if not network:
        arguments.append("--unshare-net")
    if os.getuid():
        arguments.append("--unshare-user")
    return [*arguments, "--as-pid-1", "--die-with-parent", "--new-session"]


def _system() -> list[str]:
    """The operating system, read-only: programs and libraries, and of its settings only what these need."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in _SETTINGS:
        arguments += _bind("--ro-bind-try", Path("/etc", name), f"/etc/{name}")
    # Without it, libraries that ask for the number of processors complain.
    return [*arguments, *_bind("--ro-bind-try", Path("/sys/devices/system/cpu"), "/sys/devices/system/cpu")]


def bubblewrap_command(
    program: str,
    layout: Layout,
    *,
    network: bool,
    readable: Iterable[Path],
    bound: Mapping[str, tuple[Path, bool]],
) -> list[str]:
    """The arguments before the sandbox's own first command.

    Args:
        program: Path of bubblewrap.
        layout: The sandbox's folders.
        network: Whether the host's network is shared.
        readable: Folders and files of the host seen read-only under their own paths.
        bound: Path inside → (path on the host, whether it may be written).
    """
    arguments = [program, *_namespaces(network=network), *_system(), "--proc", "/proc", "--dev", "/dev"]
    if network:
        for name in _NETWORK_SETTINGS:
            # The settings may be links into /run, which is not there inside.
            source = Path("/etc", name).resolve()
            if source.is_file():
                arguments += ["--ro-bind", str(source), f"/etc/{name}"]
    for name in ("passwd", "group"):
        arguments += ["--ro-bind", str(layout.accounts / name), f"/etc/{name}"]
    for folder, short in layout.bindings.items():
        arguments += _bind("--bind", folder, short)
    for path in readable:
        if not path.is_relative_to("/usr"):
            arguments += _bind("--ro-bind", path, str(path))
    for inside, (path, writable) in bound.items():
        arguments += _bind("--bind" if writable else "--ro-bind", path, inside)
    # What stands between the bindings is memory that no limit would count.
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


def _bind(how: str, path: Path, inside: str) -> list[str]:
    """One binding; the folders above it are made so that every uid may pass through them."""
    above = [str(parent) for parent in reversed(PurePosixPath(inside).parents)][1:]
    return [
        *(word for parent in above for word in ("--perms", "0755", "--dir", parent)),
        how,
        str(path),
        inside,
    ]
