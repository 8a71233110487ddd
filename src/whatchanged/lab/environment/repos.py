"""Clones of git repositories: what git is asked, and from which folders a clone's modules are imported."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from whatchanged.errors import RepoError
from whatchanged.lab.environment.config import RepoConfig

__all__ = [
    "clone",
    "clone_address",
    "clone_commands",
    "git_environment",
    "import_paths",
    "without_credentials",
]

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_SHORTHAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


def clone_address(url: str) -> str:
    """What git is to clone: a folder of the host that exists, else ``owner/name`` on GitHub, else the URL itself."""
    url = url.strip()
    folder = Path(url).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    return f"https://github.com/{url.removesuffix('.git')}.git" if _SHORTHAND.fullmatch(url) else url


def without_credentials(text: str) -> str:
    """The text with user names and passwords taken out of URLs."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)


def clone_commands(address: str, folder: str, ref: str | None) -> list[list[str]]:
    """Git commands that make a clone with its ref checked out.

    Hooks and submodules stay out: both run or fetch what nobody asked for. Objects are copied, not hard-linked, so that
    the clone can be handed to another uid. Commands after the first are run in the clone.
    """
    git = ["git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]
    commands = [[*git, "clone", "--quiet", "--no-hardlinks", "--", address, folder]]
    if ref is not None and _COMMIT.fullmatch(ref):
        # Not every server hands out a commit by its name, but the clone holds it if a branch leads there.
        commands.append([*git, "checkout", "--quiet", "--detach", ref])
    elif ref is not None:
        commands.append([*git, "fetch", "--quiet", "origin", ref])
        commands.append([*git, "checkout", "--quiet", "--detach", "FETCH_HEAD"])
    if (clean := without_credentials(address)) != address:
        commands.append([*git, "remote", "set-url", "origin", clean])
    return commands


def git_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Variables for git: those given, and no questions asked."""
    return {
        **base,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "LC_ALL": "C",
    }


def clone(repo: RepoConfig, folder: Path, *, timeout: float) -> str:
    """Clone on this machine, with its git settings (rewrites of URLs, credentials); returns the commit.

    Raises:
        RepoError: If git could not; with git's own words, credentials taken out.
    """
    environment = git_environment(os.environ)
    address = clone_address(repo.url)

    def git(command: list[str], within: Path | None) -> str:
        try:
            done = subprocess.run(
                command,
                cwd=within,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            raise RepoError(
                "git is not installed on this machine; install it (apt-get install git)"
            ) from None
        except subprocess.TimeoutExpired:
            raise RepoError(f"git did not finish with {repo.name} within {timeout:g} s") from None
        if done.returncode:
            what = f"{repo.url} at {repo.ref}" if repo.ref else repo.url
            raise RepoError(
                without_credentials(
                    f"git could not clone {what}: {done.stderr.strip() or done.stdout.strip()}"
                )
            )
        return done.stdout.strip()

    first, *rest = clone_commands(address, str(folder), repo.ref)
    git(first, None)
    for command in rest:
        git(command, folder)
    return git(["git", "rev-parse", "HEAD"], folder)


def import_paths(folder: str, files: Iterable[str]) -> tuple[str, ...]:
    """Folders to put on the import path, so that a repository's packages import without an install.

    Args:
        folder: The clone, as it is called inside the sandbox.
        files: Its Python files, relative to it.

    Returns:
        ``src`` first, where that layout is used; the clone itself; and the folder above it if the clone is itself a
        package.
    """
    parts = [PurePosixPath(file).parts for file in files]
    top = PurePosixPath(folder)
    paths = []
    if any(part[0] == "src" and len(part) > 1 and part != ("src", "__init__.py") for part in parts):
        paths.append(str(top / "src"))
    paths.append(str(top))
    if ("__init__.py",) in parts:
        paths.append(str(top.parent))
    return tuple(paths)
