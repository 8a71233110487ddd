"""Checks of the files: read, written, brought home."""

from __future__ import annotations

from whatchanged.errors import SandboxFileError
from whatchanged.lab.conformance.suite import Bench, check, refused, require


@check
def file_comes_back_as_written(bench: Bench) -> None:
    """Content is kept to the byte, the empty one and two megabytes too."""
    for content in (b"", bytes(range(256)), b"\r\n" * 1_000_000):
        bench.shared.write_file("content.bin", content)
        require(bench.shared.read_file("content.bin") == content, f"{len(content)} bytes came back changed")


@check
def writing_makes_folders(bench: Bench) -> None:
    """Folders on the way to a file are made."""
    bench.shared.write_file("a/new/folder/file.txt", "text")
    require(bench.shared.read_file("a/new/folder/file.txt") == b"text", "it is not there")


@check
def relative_paths_begin_at_the_workspace(bench: Bench) -> None:
    """A relative path names the same file as the workspace's."""
    bench.shared.write_file("place.txt", "here")
    require(bench.shared.read_file(f"{bench.shared.workspace}/place.txt") == b"here", "they differ")
    require(bench.shared.exec("cat place.txt") == "here", "commands see another one")


@check
def odd_names_are_names(bench: Bench) -> None:
    """Blanks, quotes, line ends and leading dashes in a name are nothing special."""
    for name in ("two words.txt", 'it\'s "quoted" $(id).txt', "-rf", "line\nend", "ümläut"):
        bench.shared.write_file(name, name)
        require(bench.shared.read_file(name) == name.encode(), f"{name!r} is not kept")


@check
def writing_replaces_the_whole(bench: Bench) -> None:
    """A shorter content leaves nothing of the longer one."""
    bench.shared.write_file("again.txt", "a long text")
    bench.shared.write_file("again.txt", "short")
    require(bench.shared.read_file("again.txt") == b"short", "something is left")


@check
def missing_file_is_told(bench: Bench) -> None:
    """A missing file is a `SandboxFileError`, which is an `OSError`, and names the path."""
    with refused(SandboxFileError) as caught:
        bench.shared.read_file("not/there.txt")
    require("not/there.txt" in str(caught[0]) and isinstance(caught[0], OSError), f"got {caught[0]!r}")


@check
def folder_is_no_file(bench: Bench) -> None:
    """A folder can neither be read nor written as a file."""
    bench.shared.ensure_dir("folder")
    with refused(SandboxFileError):
        bench.shared.read_file("folder")
    with refused(SandboxFileError):
        bench.shared.write_file("folder", "text")


@check
def large_file_is_refused(bench: Bench) -> None:
    """A file over the limit is refused, and one that never ends as well."""
    bench.shared.write_file("large.bin", b"x" * 1001)
    require(len(bench.shared.read_file("large.bin", limit=1001)) == 1001, "the limit itself is refused")
    for path in ("large.bin", "/dev/zero"):
        with refused(SandboxFileError):
            bench.shared.read_file(path, limit=1000)


@check
def only_what_was_made_comes_home(bench: Bench) -> None:
    """New and changed files come home with their folders; what was put there and left alone stays."""
    source = bench.scratch("source")
    for name in ("same.txt", "changed.txt"):
        (source / name).write_text("before", encoding="utf-8")
    with bench.fresh(local_dirs=[(source, "given")]) as sandbox:
        sandbox.write_file("given/changed.txt", "after, and longer")
        sandbox.write_file("deep/made.txt", "made")
        sandbox.exec("mkdir -p __pycache__ .git && touch __pycache__/a.pyc .git/config")
        target = bench.scratch("home")
        home = sandbox.files_home(target)
    require(home.files == ("deep/made.txt", "given/changed.txt"), f"got {home.files}")
    require((target / "deep/made.txt").read_text(encoding="utf-8") == "made", "the content differs")
    require(home.bytes == len("made") + len("after, and longer"), f"got {home.bytes} bytes")


@check
def files_come_home_by_themselves(bench: Bench) -> None:
    """At the end, what was made comes to the configured folder; nothing made, no folder."""
    with bench.fresh() as sandbox:
        sandbox.write_file("made.txt", "made")
    require((sandbox.outputs / "made.txt").read_text(encoding="utf-8") == "made", "it did not come home")
    with bench.fresh() as idle:
        pass
    require(not idle.outputs.exists(), "a folder was made for nothing")


@check
def links_bring_nothing_home(bench: Bench) -> None:
    """A link to a file or folder outside the workspace brings nothing of it home, and is told."""
    outside = bench.scratch("outside")
    (outside / "secret.txt").write_text("secret", encoding="utf-8")
    with bench.fresh() as sandbox:
        sandbox.exec(["ln", "-s", str(outside / "secret.txt"), "file"])
        sandbox.exec(["ln", "-s", str(outside), "folder"])
        sandbox.exec("mkfifo pipe")
        target = bench.scratch("home")
        home = sandbox.files_home(target)
    require(home.files == () and not list(target.rglob("*.txt")), f"got {home.files}")
    require({"file", "folder", "pipe"} <= set(home.left_out), f"told only {dict(home.left_out)}")
