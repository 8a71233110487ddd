"""Checks of what stands in a sandbox before its first command."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path

from whatchanged.errors import PackageError, RepoError, SecretMissing
from whatchanged.lab.conformance.suite import Bench, check, refused, require
from whatchanged.lab.environment.config import RepoConfig

_GIT = (
    "git",
    "-c",
    "user.name=checks",
    "-c",
    "user.email=checks@example.invalid",
    "-c",
    "commit.gpgsign=false",
)


def _repository(bench: Bench, name: str, *states: dict[str, str]) -> tuple[Path, list[str]]:
    """A repository on the host with one commit per dictionary of files; its folder and its commits."""
    folder = bench.scratch("repositories") / name
    folder.mkdir()
    subprocess.run([*_GIT, "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)
    commits = []
    for contents in states:
        for path, text in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        subprocess.run([*_GIT, "add", "--all"], cwd=folder, check=True)
        subprocess.run([*_GIT, "commit", "--quiet", "--message", "state"], cwd=folder, check=True)
        head = subprocess.run(
            [*_GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
        )
        commits.append(head.stdout.strip())
    return folder, commits


@check
def repositories_import_at_once(bench: Bench) -> None:
    """A clone stands in the workspace, its commit is known, and its modules import from anywhere: src and flat layout."""
    flat, (commit,) = _repository(
        bench, "flat_tool", {"flat_tool/__init__.py": "KIND = 'flat'\n", "README.md": "x"}
    )
    nested, _ = _repository(bench, "nested", {"src/nested_tool/__init__.py": "KIND = 'src'\n"})
    with bench.fresh(repos=[RepoConfig(url=str(flat)), RepoConfig(url=str(nested))]) as sandbox:
        first, second = sandbox.repo_handles
        require(first.path == f"{sandbox.workspace}/flat_tool" and first.commit == commit, f"got {first}")
        require(second.import_paths[0] == f"{second.path}/src", f"got {second.import_paths}")
        code = "import flat_tool, nested_tool; print(flat_tool.KIND, nested_tool.KIND)"
        for folder in (".", "/"):
            done = sandbox.exec([sandbox.python, "-c", code], cwd=folder)
            require(done == "flat src\n", f"got {done!r} in {folder}")
        head = sandbox.exec("git rev-parse HEAD && git status --porcelain -uno", cwd="flat_tool")
        require(head == f"{commit}\n", f"git inside says {head!r}")
    require(sandbox.home is not None and sandbox.home.files == (), f"of the clones came home {sandbox.home}")


@check
def refs_pin(bench: Bench) -> None:
    """`ref` checks out a commit, a tag or a branch, and its commit is recorded."""
    states = [{"value.py": f"V = {number}\n"} for number in (1, 2, 3)]
    folder, commits = _repository(bench, "pinned", *states)
    subprocess.run([*_GIT, "tag", "v2", commits[1]], cwd=folder, check=True)
    subprocess.run([*_GIT, "branch", "old", commits[0]], cwd=folder, check=True)
    for ref, commit in (
        (commits[0], commits[0]),
        ("v2", commits[1]),
        ("old", commits[0]),
        (None, commits[2]),
    ):
        with bench.fresh(repos=[RepoConfig(url=str(folder), ref=ref)]) as sandbox:
            value = sandbox.exec("cat pinned/value.py").strip()
            require(sandbox.repo_handles[0].commit == commit, f"{ref} is {sandbox.repo_handles[0].commit}")
            require(value == f"V = {commits.index(commit) + 1}", f"{ref} holds {value!r}")


@check
def failed_clone_stops_the_start(bench: Bench) -> None:
    """A repository or ref that is not there is a `RepoError` with git's own words, and nothing is left running."""
    folder, _ = _repository(bench, "present", {"a.py": "\n"})
    for repo in (
        RepoConfig(url="file:///no/such/repository"),
        RepoConfig(url=str(folder), ref="no-such-ref"),
    ):
        sandbox = bench.make(repos=[repo])
        with refused(RepoError) as caught:
            sandbox.start()
        require(
            "fatal:" in str(caught[0]) or "error:" in str(caught[0]), f"git's words are missing: {caught[0]}"
        )
        require(sandbox.ended() is not None, "it runs all the same")


@check
def install_runs_in_the_clone(bench: Bench) -> None:
    """`install` runs before the first command; if it fails, the start fails with its own words."""
    folder, _ = _repository(bench, "built", {"a.py": "\n"})
    with bench.fresh(repos=[RepoConfig(url=str(folder), install="pwd > built.txt")]) as sandbox:
        require(sandbox.read_file("built/built.txt").decode().strip().endswith("/built"), "it ran elsewhere")
    with refused(RepoError) as caught:
        bench.make(repos=[RepoConfig(url=str(folder), install="echo the cause >&2; exit 3")]).start()
    require("the cause" in str(caught[0]) and "3" in str(caught[0]), f"got {caught[0]}")


@check
def failed_package_stops_the_start(bench: Bench) -> None:
    """A package that pip cannot have is a `PackageError` with pip's own words."""
    with refused(PackageError) as caught:
        bench.make(python_packages=["no-such @ file:///no/such/package-1.0-py3-none-any.whl"]).start()
    require(
        "No such file" in str(caught[0]) or "ERROR" in str(caught[0]), f"pip's words are missing: {caught[0]}"
    )


@check
def local_files_are_placed(bench: Bench) -> None:
    """Files and folders of the host stand where they were asked to, and may be changed without changing the host's."""
    source = bench.scratch("source")
    (source / "inner").mkdir()
    (source / "inner" / "one.txt").write_text("one", encoding="utf-8")
    with bench.fresh(
        local_files=[(source / "inner/one.txt", "first.txt")], local_dirs=[(source, "given")]
    ) as sandbox:
        require(sandbox.read_file("first.txt") == b"one", "the file is not there")
        require(sandbox.read_file("given/inner/one.txt") == b"one", "the folder is not there")
        sandbox.write_file("given/inner/one.txt", "changed")
    require((source / "inner/one.txt").read_text(encoding="utf-8") == "one", "the host's file was changed")


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Variables of the host's environment for a while. Their names are used by no other check."""
    environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del environ[name]


@check
def only_named_secrets_enter(bench: Bench) -> None:
    """A named secret is a variable inside; nothing else of the host's environment is."""
    named, other = f"CHECKS_NAMED_{uuid.uuid4().hex}", f"CHECKS_OTHER_{uuid.uuid4().hex}"
    with _variables(**{named: "named-value", other: "other-value"}):
        with bench.fresh(secrets=[named], env={"PLAIN": "plain"}) as sandbox:
            inside = sandbox.exec("env")
        require(f"{named}=named-value\n" in inside, "the named one is missing")
        require("PLAIN=plain\n" in inside, "the plain variable is missing")
        require("other-value" not in inside and other not in inside, "another one is there")
        require(sandbox.redactor("it is named-value") == f"it is [{named}]", "it would not be redacted")


@check
def set_up_sees_no_secret(bench: Bench) -> None:
    """Commands of the set-up, which others wrote, run without the secrets."""
    folder, _ = _repository(bench, "curious", {"a.py": "\n"})
    named = f"CHECKS_NAMED_{uuid.uuid4().hex}"
    repo = RepoConfig(url=str(folder), install="env > seen.txt")
    with _variables(**{named: "named-value"}), bench.fresh(secrets=[named], repos=[repo]) as sandbox:
        seen = sandbox.read_file("curious/seen.txt")
    require(seen and b"named-value" not in seen, "the set-up saw it")


@check
def missing_secret_fails_first(bench: Bench) -> None:
    """A secret that is set nowhere stops everything before a repository is asked for."""
    sandbox = bench.make(
        secrets=["CHECKS_SECRET_NOWHERE"], repos=[RepoConfig(url="file:///no/such/repository")]
    )
    with refused(SecretMissing) as caught:
        sandbox.start()
    require("CHECKS_SECRET_NOWHERE" in str(caught[0]), f"got {caught[0]}")
