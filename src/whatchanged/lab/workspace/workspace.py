"""Everything that is put into a workspace before an agent begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from whatchanged.lab.workspace.library import Library
from whatchanged.lab.workspace.skill import Skill

__all__ = ["Workspace"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an agent finds when it begins. Nothing is read before a session asks for it.

    Attributes:
        local_dirs: Pairs (folder on this machine, path in the workspace).
        local_files: The same for files. Paths are relative to the workspace or begin with ``/workspace``.
        libraries: Code to import.
        skills: Instructions to look up.
        skill_dirs: Folders with ``SKILL.md``, the same as `skills` made by `Skill.from_dir`.
        custom_init_code: Python run before the agent begins; what it defines stays defined.
        preload_models: Whether the sandbox's models are loaded before the agent begins.
        hidden_model_loading: Whether the cells that load them are collapsed in the notebook.
    """

    local_dirs: Sequence[tuple[str | Path, str]] = ()
    local_files: Sequence[tuple[str | Path, str]] = ()
    libraries: Sequence[Library] = ()
    skills: Sequence[Skill] = ()
    skill_dirs: Sequence[str | Path] = ()
    custom_init_code: str | None = None
    preload_models: bool = True
    hidden_model_loading: bool = True

    def __post_init__(self) -> None:
        names = [library.name for library in self.libraries]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two libraries are called {repeated[0]!r}; give one of them another name")

    def get_library_docs(self) -> str:
        """What an agent is told of the libraries; empty if there are none."""
        if not self.libraries:
            return ""
        return "\n\n".join(
            ["# Available Libraries", *(library.get_prompt_docs() for library in self.libraries)]
        )

    def placed(self) -> dict[str, bytes]:
        """Path below the workspace → content of every file to put there.

        Raises:
            FileNotFoundError: If a file or folder of this machine does not exist.
            ValueError: If one of them would go outside the workspace.
        """
        files: dict[str, bytes] = {}
        for source, target in self.local_dirs:
            folder = Path(source)
            if not folder.is_dir():
                raise FileNotFoundError(f"no folder {folder} to place at {target}")
            inside = (
                one for one in sorted(folder.rglob("*")) if one.is_file() and "__pycache__" not in one.parts
            )
            files |= {
                f"{_below(target)}/{one.relative_to(folder).as_posix()}": one.read_bytes() for one in inside
            }
        for source, target in self.local_files:
            if not Path(source).is_file():
                raise FileNotFoundError(f"no file {source} to place at {target}")
            files[_below(target)] = Path(source).read_bytes()
        for skill in (*self.skills, *(Skill.from_dir(folder) for folder in self.skill_dirs)):
            files |= skill.placed()
        for library in self.libraries:
            files |= {path: text.encode() for path, text in library.placed().items()}
        return {path.removeprefix("./"): content for path, content in files.items()}


def _below(target: str) -> str:
    path = PurePosixPath(target)
    if path.is_absolute():
        if path.parts[:2] != ("/", "workspace"):
            raise ValueError(f"files are placed in the workspace; got {target!r}; begin it with /workspace/")
        path = path.relative_to("/workspace")
    if ".." in path.parts:
        raise ValueError(f"files are placed in the workspace; got {target!r}, which leads out of it")
    return path.as_posix()
