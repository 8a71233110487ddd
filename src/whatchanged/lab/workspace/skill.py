"""Instructions an agent can look up, in the ``SKILL.md`` form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Skill", "split_front_matter"]

FOLDER = ".claude/skills"
"""Where agents look for skills, below the workspace."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Skill:
    """A folder of instructions, placed at ``.claude/skills/<name>`` in the workspace.

    Attributes:
        name: Its name, and that of its folder.
        description: One line that says when to use it.
        content: Text of ``SKILL.md`` after the front matter.
        files: Its further files, path → bytes.
    """

    name: str
    description: str
    content: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"a skill's name is also its folder's; got {self.name!r}; use letters, digits, dashes"
            )

    @classmethod
    def from_dir(cls, path: str | Path) -> Skill:
        """A skill from a folder with ``SKILL.md``; its other files come along.

        Raises:
            FileNotFoundError: If it has no ``SKILL.md``.
        """
        path = Path(path)
        if not (path / "SKILL.md").is_file():
            raise FileNotFoundError(f"a skill is a folder with SKILL.md; {path} has none")
        about, content = split_front_matter((path / "SKILL.md").read_text(encoding="utf-8"))
        files = {
            file.relative_to(path).as_posix(): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.is_symlink() and "__pycache__" not in file.parts
        }
        del files["SKILL.md"]
        name = path.resolve().name
        return cls(about.get("name", name), about.get("description", ""), content, files)

    def placed(self) -> dict[str, bytes]:
        """Path in the workspace → content."""
        about = f"---\nname: {self.name}\ndescription: {self.description}\n---\n\n{self.content.strip()}\n"
        return {f"{FOLDER}/{self.name}/SKILL.md": about.encode()} | {
            f"{FOLDER}/{self.name}/{path}": content for path, content in self.files.items()
        }


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """The ``name: value`` lines between two lines of dashes at the top, and the text after them."""
    match = re.match(r"---[ \t]*\n(.*?)\n---[ \t]*(?:\n|$)", text, flags=re.DOTALL)
    if not match:
        return {}, text
    lines = (line.partition(":") for line in match[1].splitlines() if line and not line[0].isspace())
    return {name.strip(): value.strip().strip("'\"") for name, colon, value in lines if colon}, text[
        match.end() :
    ]
