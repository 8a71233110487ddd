"""What a sandbox is asked to be: names, order and defaults as in scripts for Seer; what is ours is keyword-only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from pathlib import Path

__all__ = ["REMOTE_MODEL_SECRETS", "ExecutionMode", "ModelConfig", "RepoConfig", "SandboxConfig"]

REMOTE_MODEL_SECRETS = frozenset({
    "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "HF_TOKEN", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
})  # fmt: skip
"""Secrets that are of no use without a network; passing one switches it on unless `network` says otherwise."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ExecutionMode(Enum):
    """How an agent works in the sandbox."""

    NOTEBOOK = "notebook"
    """In one Jupyter notebook whose kernel stays alive."""
    CLI = "cli"
    """With shell commands."""


@dataclass(frozen=True, slots=True)
class RepoConfig:
    """A git repository to clone.

    Attributes:
        url: ``owner/name`` (GitHub), any URL git understands, or a path of the host.
        dockerfile: Accepted for scripts that name one; no backend builds it, and a warning says so.
        install: ``True`` installs the repository with pip (editable, without its dependencies being upgraded); a text is
            a shell command, run in the clone. If it fails, the start fails.
        ref: Branch, tag or commit to check out; ``None`` takes the remote's default branch.
    """

    url: str
    dockerfile: str | None = None
    install: bool | str | None = False
    _: KW_ONLY
    ref: str | None = None

    def __post_init__(self) -> None:
        if not self.url.strip():
            raise ValueError(f"url is empty; got {self.url!r}; give owner/name, a URL or a path")
        if self.url.startswith("-") or (self.ref or "").startswith("-"):
            raise ValueError(f"neither url nor ref may begin with a dash; got {self.url!r}, {self.ref!r}")
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.name) or self.name in {".", ".."}:
            raise ValueError(
                f"no folder can be named after url; got {self.url!r}; give owner/name, a URL or a path"
            )

    @property
    def name(self) -> str:
        """Name of its folder in the workspace: the last part of `url` without ``.git``."""
        return re.split(r"[/:]", self.url.strip().rstrip("/"))[-1].removesuffix(".git")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model whose weights are to be at hand in the sandbox.

    Attributes:
        name: Hugging Face id, or a folder of the host.
        var_name: Variable under which a session loads it.
        hidden: Whether its name is kept from the agent.
        is_peft: Whether `name` is a PEFT adapter.
        base_model: Model the adapter belongs to.
    """

    name: str
    var_name: str = "model"
    hidden: bool = False
    is_peft: bool = False
    base_model: str | None = None

    def __post_init__(self) -> None:
        if not self.var_name.isidentifier():
            raise ValueError(f"var_name must be a Python name; got {self.var_name!r}")
        if self.is_peft and not self.base_model:
            raise ValueError(f"a PEFT adapter needs base_model; got none for {self.name!r}")


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a sandbox is asked to be.

    Attributes:
        gpu: Kind of GPU (``"A100"``). Recorded with a warning where the backend has none to give.
        gpu_count: How many.
        execution_mode: How an agent works in it.
        models: Models whose weights are to be at hand.
        python_packages: Requirements as pip reads them; what the sandbox can import already is not installed again.
        system_packages: Debian packages. The local backend installs nothing on the host: a missing one is an error.
        secrets: Names of secrets, never values. Looked up in the environment, then in ``.env`` of the working folder.
        repos: Repositories to clone into the workspace, importable at once.
        env: Variables of the environment. They are no secrets: they are not redacted.
        timeout: Seconds of wall-clock time after the start at which every process of the sandbox is ended.
        local_files: Pairs (host path, path in the sandbox; relative ones in the workspace).
        local_dirs: The same for folders.
        debug: Accepted for scripts that set it; no editor is served, since that would open a port.
        backend: ``"local"`` or ``"modal"``; ``None`` takes ``WHATCHANGED_BACKEND``, then local.
        network: ``None`` switches it on if `secrets` names one of `REMOTE_MODEL_SECRETS`.
        isolation: ``"bubblewrap"``, ``"none"`` (explicit opt-out: see the list of what is then not contained), or
            ``None`` for the backend's own; the local backend's is bubblewrap, and it refuses to start without it.
        memory: Most memory of all processes together, in bytes; ``None`` is three quarters of the host's.
        disk: Most disk that workspace, home and temporary files take together, in bytes.
        processes: Most processes and threads at a time.
        outputs: Host folder to which files made in the workspace come home; ``None`` is ``outputs/<name>``.
    """

    gpu: str | None = None
    gpu_count: int = 1
    execution_mode: ExecutionMode = ExecutionMode.NOTEBOOK
    models: Sequence[ModelConfig] = ()
    python_packages: Sequence[str] = ()
    system_packages: Sequence[str] = ()
    secrets: Sequence[str] = ()
    repos: Sequence[RepoConfig] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3600
    local_files: Sequence[tuple[str | Path, str]] = ()
    local_dirs: Sequence[tuple[str | Path, str]] = ()
    debug: bool = False
    _: KW_ONLY
    backend: str | None = None
    network: bool | None = None
    isolation: str | None = None
    memory: int | None = None
    disk: int = 20 * 2**30
    processes: int = 1024
    outputs: str | Path | None = None

    def __post_init__(self) -> None:
        for kind in ("python_packages", "system_packages", "secrets"):
            if isinstance(getattr(self, kind), str):
                raise TypeError(f"{kind} is a list of texts; got {getattr(self, kind)!r}; put it into a list")
        for name in (*self.secrets, *self.env):
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"secrets and env hold variables' names; got one of {len(name)} characters that is none"
                )
        if both := sorted(set(self.secrets) & set(self.env)):
            raise ValueError(f"a name is either a secret or a plain variable; got both for {', '.join(both)}")
        for package in (*self.python_packages, *self.system_packages):
            if not package.strip() or package.strip().startswith("-"):
                raise ValueError(f"a package is a requirement, not an option; got {package!r}")
        names = [repo.name for repo in self.repos]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two repositories would share the folder {repeated[0]!r}; clone one of them by other means"
            )
        if not self.timeout > 0:
            raise ValueError(f"timeout is a positive number of seconds; got {self.timeout}")
        if self.isolation not in {None, "bubblewrap", "none"}:
            raise ValueError(f"isolation is 'bubblewrap', 'none' or None; got {self.isolation!r}")
        for kind, least in (("memory", 2**26), ("disk", 2**20), ("processes", 8), ("gpu_count", 1)):
            value = getattr(self, kind)
            if value is not None and value < least:
                raise ValueError(f"{kind} must be at least {least}; got {value}")

    @property
    def wants_network(self) -> bool:
        """Whether the sandbox is to reach the network."""
        return bool(REMOTE_MODEL_SECRETS & set(self.secrets)) if self.network is None else self.network

    def outputs_folder(self, name: str) -> Path:
        """Folder of the host to which files come home, absolute."""
        return (
            Path("outputs") / name if self.outputs is None else Path(self.outputs).expanduser()
        ).absolute()
