"""What goes into a workspace, and what an agent is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatchanged.lab.workspace import Library, Skill, Workspace

CLIENT = '''"""Ask models over HTTP."""
import boom_if_imported

LIMIT = 3

def ask(prompt: str, *, model: str = "a/b", n: int = 1) -> list[str]:
    """Ask one model.

    Args:
        prompt: What to ask.
    """
    return [prompt] * n

async def ask_all(*prompts, **options):
    pass

class Client(dict):
    """A connection."""

    url: str = "http://x"
    _hidden: int = 1

    def __init__(self, key: str | None = None) -> None:
        self.key = key

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return True

    def _inner(self): ...

def _private(): ...
'''


def test_docs_come_from_the_source_without_importing_it(tmp_path: Path) -> None:
    (tmp_path / "openrouter_client.py").write_text(CLIENT)
    library = Library.from_file(tmp_path / "openrouter_client.py")
    assert library.get_prompt_docs() == (
        "## openrouter_client\n\n`import openrouter_client`\n\nAsk models over HTTP.\n\n```python\n"
        "def ask(prompt: str, *, model: str='a/b', n: int=1) -> list[str]\n    Ask one model.\n\n"
        "    Args:\n        prompt: What to ask.\n"
        "async def ask_all(*prompts, **options)\n"
        "class Client(dict)\n    A connection.\n    url: str = 'http://x'\n"
        "    def __init__(self, key: str | None=None) -> None\n"
        "    ready -> bool  # property\n        Whether it answers.\n```"
    )
    assert library.placed() == {"openrouter_client.py": CLIENT}
    assert (
        Workspace(libraries=[library]).get_library_docs().startswith("# Available Libraries\n\n## openrouter")
    )
    assert Workspace().get_library_docs() == ""


def test_all_names_in_dunder_all_and_no_others() -> None:
    library = Library.from_code("m", "__all__ = ['_b']\ndef a(): ...\ndef _b(): ...\n")
    assert "def _b()" in library.get_prompt_docs()
    assert "def a()" not in library.get_prompt_docs()


def test_a_package_keeps_its_folders_and_data(tmp_path: Path) -> None:
    package = tmp_path / "kit"
    (package / "deep" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A kit."""')
    (package / "deep" / "more.py").write_text("def f(): ...")
    (package / "deep" / "__pycache__" / "x.py").write_text("")
    (package / "table.csv").write_text("a,b\n")
    (package / "image.png").write_bytes(b"\x89PNG\xff")
    (package / "link.py").symlink_to("/etc/hostname")
    library = Library.from_directory(package)
    assert sorted(library.placed()) == ["kit/__init__.py", "kit/deep/more.py", "kit/table.csv"]
    assert "`kit.deep.more`" in library.get_prompt_docs()
    with pytest.raises(ValueError, match=r"a folder with __init__\.py"):
        Library.from_directory(tmp_path)


def test_a_skill_is_a_library_or_is_looked_up(tmp_path: Path) -> None:
    folder = tmp_path / "steering-hook"
    folder.mkdir()
    (folder / "code.py").write_text('"""Hook."""\ndef steer(): ...\n')
    (folder / "SKILL.md").write_text(
        "---\nname: steering\ndescription: 'When: always'\n---\n\nSteer with care.\n"
    )
    (folder / "more.txt").write_text("more")
    library = Library.from_skill_dir(folder)
    assert library.placed() == {"steering_hook.py": '"""Hook."""\ndef steer(): ...\n'}
    assert "Steer with care." in library.get_prompt_docs()
    assert "description" not in library.get_prompt_docs()
    skill = Skill.from_dir(folder)
    assert (skill.name, skill.description) == ("steering", "When: always")
    placed = Workspace(skill_dirs=[folder]).placed()
    assert sorted(placed) == [
        f".claude/skills/steering/{name}" for name in ("SKILL.md", "code.py", "more.txt")
    ]
    assert placed[".claude/skills/steering/SKILL.md"].startswith(b"---\nname: steering\n")


def test_files_and_folders_are_placed_below_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "x.bin").write_bytes(b"\0\1")
    (tmp_path / "one.txt").write_text("one")
    workspace = Workspace(
        local_dirs=[(tmp_path / "data", "/workspace/in"), (str(tmp_path / "data"), "rel/")],
        local_files=[(tmp_path / "one.txt", "/workspace/one.txt")],
    )
    assert workspace.placed() == {"in/sub/x.bin": b"\0\1", "rel/sub/x.bin": b"\0\1", "one.txt": b"one"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../up", "/workspace/../up", "a/../../b"])
def test_nothing_is_placed_outside(tmp_path: Path, target: str) -> None:
    (tmp_path / "one.txt").write_text("one")
    with pytest.raises(ValueError, match=r"files are placed in the workspace; got"):
        Workspace(local_files=[(tmp_path / "one.txt", target)]).placed()


def test_mistakes_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        Library.from_file(tmp_path / "none.py")
    with pytest.raises(ValueError, match=r"library 'm' is not Python: .* in line 2"):
        Library.from_code("m", "a = 1\ndef f(:\n")
    with pytest.raises(ValueError, match="no Python name"):
        Library.from_code("my-tool", "")
    with pytest.raises(ValueError, match="no Python name"):
        Library.from_code("class", "")
    with pytest.raises(ValueError, match="relative to it"):
        Library("m", {"../m.py": ""})
    with pytest.raises(ValueError, match="two libraries are called 'm'"):
        Workspace(libraries=[Library.from_code("m", ""), Library.from_code("m", "")])
    with pytest.raises(FileNotFoundError, match=r"code\.py"):
        Library.from_skill_dir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"SKILL\.md"):
        Workspace(skill_dirs=[tmp_path]).placed()
    with pytest.raises(FileNotFoundError, match="no folder"):
        Workspace(local_dirs=[(tmp_path / "none", "x")]).placed()
