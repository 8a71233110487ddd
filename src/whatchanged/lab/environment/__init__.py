"""Sandboxes: the contract, and the machines that keep it.

What the local backend does not contain without bubblewrap (``isolation="none"``): commands read and write whatever the
host's user may, reach the network, see and signal the user's processes, the supervisor included; one that kills the
supervisor and clears its environment outlives the sandbox. Memory, disk and number of processes are watched from
outside, and end the sandbox. With bubblewrap, what remains: the kernel itself, memory that belongs to no process (an
unmapped memfd; the host's free memory is watched), and files deleted while open (the host's free disk is watched).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whatchanged.lab.environment.config import ExecutionMode, ModelConfig, RepoConfig, SandboxConfig
from whatchanged.lab.environment.contract import Backend, Completed, FilesHome, Process, Snapshot
from whatchanged.lab.environment.sandbox import Sandbox

if TYPE_CHECKING:
    from whatchanged.lab.scoped import ScopedSandbox

__all__ = [
    "Backend",
    "Completed",
    "ExecutionMode",
    "FilesHome",
    "ModelConfig",
    "Process",
    "RepoConfig",
    "Sandbox",
    "SandboxConfig",
    "ScopedSandbox",
    "Snapshot",
]


def __getattr__(name: str) -> Any:
    if name == "ScopedSandbox":  # it stands above this package, and scripts look for it here
        from whatchanged.lab.scoped import ScopedSandbox

        return ScopedSandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
