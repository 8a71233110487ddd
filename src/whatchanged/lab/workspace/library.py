"""Python code an agent can import."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from whatchanged.lab.workspace.interface import describe_module, module_docstring
from whatchanged.lab.workspace.skill import split_front_matter

__all__ = ["Library"]

_LARGEST = 2_000_000
_LEFT = {"__pycache__", ".git", ".ipynb_checkpoints", "node_modules"}


@dataclass(frozen=True, slots=True)
class Library:
    """A module or package placed into the workspace, where ``import name`` finds it.

    Attributes:
        name: Name to import it by.
        files: Path → text. One file without a folder is a module; everything else is a package, whose
            paths are relative to its folder.
        docs: Words for the prompt, before the signatures; may be empty.
    """

    name: str
    files: Mapping[str, str]
    docs: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or keyword.iskeyword(self.name):
            raise ValueError(f"a library is imported by its name; got {self.name!r}, which is no Python name")
        if not self.files:
            raise ValueError(f"library {self.name!r} has no files; give at least one")
        for path in self.files:
            parts = PurePosixPath(path)
            if parts.is_absolute() or ".." in parts.parts or "\\" in path:
                raise ValueError(f"paths of library {self.name!r} are relative to it; got {path!r}")
        for path, source in self.files.items():
            if path.endswith(".py"):
                _parse(source, f"library {self.name!r}, {path}")

    @property
    def is_single_file(self) -> bool:
        """Whether it is a module rather than a package."""
        return len(self.files) == 1 and all("/" not in path and path != "__init__.py" for path in self.files)

    @classmethod
    def from_file(cls, path: str | Path, name: str | None = None) -> Library:
        """A module from a ``.py`` file, called like the file unless named otherwise.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not Python, or its name cannot be imported.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no file {path} for a library")
        return cls.from_code(name or path.stem, path.read_text(encoding="utf-8"))

    @classmethod
    def from_code(cls, name: str, code: str) -> Library:
        """A module from its source.

        Raises:
            ValueError: If it is not Python, or its name cannot be imported.
        """
        return cls(name=name, files={f"{name}.py": code}, docs=_docs(code, f"library {name!r}"))

    @classmethod
    def from_directory(cls, path: str | Path, name: str | None = None) -> Library:
        """A package from a folder with ``__init__.py``: its text files up to 2 MB, folders below included.

        Raises:
            ValueError: If it is no package, or a file of it is not Python.
        """
        path = Path(path)
        if not (path / "__init__.py").is_file():
            raise ValueError(
                f"a package is a folder with __init__.py; got {path}; use from_file for one file"
            )
        files: dict[str, str] = {}
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if not file.is_file() or file.is_symlink() or _LEFT & set(inside.parts):
                continue
            if file.stat().st_size <= _LARGEST and (text := _text(file)) is not None:
                files[inside.as_posix()] = text
        return cls(name=name or path.name, files=files, docs=_docs(files["__init__.py"], str(path)))

    @classmethod
    def from_skill_dir(cls, path: str | Path) -> Library:
        """A module from a skill's ``code.py``, with ``SKILL.md`` as its words for the prompt.

        It is called like the folder, dashes turned into underscores.

        Raises:
            FileNotFoundError: If the folder has no ``code.py``.
        """
        path = Path(path)
        if not (path / "code.py").is_file():
            raise FileNotFoundError(f"a skill to import is a folder with code.py; {path} has none")
        module = cls.from_code(
            path.resolve().name.replace("-", "_"), (path / "code.py").read_text(encoding="utf-8")
        )
        about = path / "SKILL.md"
        docs = split_front_matter(about.read_text(encoding="utf-8"))[1] if about.is_file() else module.docs
        return cls(name=module.name, files=module.files, docs=docs)

    def connect(self, machine: Any) -> None:
        """Called where a session places it, before any code runs there. A plain library needs nothing.

        Args:
            machine: Where the session runs.
        """

    def placed(self) -> dict[str, str]:
        """Path in the workspace → text."""
        if self.is_single_file:
            return {f"{self.name}.py": next(iter(self.files.values()))}
        return {f"{self.name}/{path}": text for path, text in self.files.items()}

    def get_prompt_docs(self) -> str:
        """What an agent is told of it: how to import it, its words, its signatures and docstrings."""
        parts = [f"## {self.name}", f"`import {self.name}`"]
        if self.docs.strip():
            parts.append(self.docs.strip())
        for path, source in self.files.items():
            if path.endswith(".py") and (described := describe_module(source)):
                title = [] if self.is_single_file else [f"`{_module(self.name, path)}`"]
                parts += [*title, f"```python\n{described}\n```"]
        return "\n\n".join(parts)


def _docs(source: str, what: str) -> str:
    _parse(source, what)
    return module_docstring(source)


def _parse(source: str, what: str) -> None:
    try:
        module_docstring(source)
    except SyntaxError as error:
        raise ValueError(f"{what} is not Python: {error.msg} in line {error.lineno}") from error


def _module(name: str, path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join([name, *(part for part in parts if part != "__init__")])


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
