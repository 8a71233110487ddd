"""What stands in a local sandbox before its first command: files, weights, repositories, packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from whatchanged.errors import RepoError
from whatchanged.lab.environment.config import ModelConfig, RepoConfig, SandboxConfig
from whatchanged.lab.environment.contract import Completed, ModelHandle, RepoHandle
from whatchanged.lab.environment.interpreter import installed, make_environment, write_import_paths
from whatchanged.lab.environment.layout import Layout, inside_path
from whatchanged.lab.environment.packages import check_pip, pip_command
from whatchanged.lab.environment.repos import clone, import_paths
from whatchanged.lab.environment.weights import host_weights
from whatchanged.store import cache_folder

__all__ = ["Prepared", "install", "place", "wants_install"]

_WORDS = 4000
Run = Callable[[str | Sequence[str], str], Completed]


@dataclass(slots=True, kw_only=True)
class Prepared:
    """What was placed.

    Attributes:
        repos: The clones.
        models: The models at hand.
        bound: Path inside → (path on the host, whether it may be written), for what stands outside the workspace.
    """

    repos: tuple[RepoHandle, ...] = ()
    models: tuple[ModelHandle, ...] = ()
    bound: dict[str, tuple[Path, bool]] = field(default_factory=dict)


def place(config: SandboxConfig, layout: Layout) -> Prepared:
    """Make the environment and put files, weights and clones in place; runs on the host, and runs nothing of theirs.

    Raises:
        RepoError: If git could not clone.
        SandboxError: If weights cannot be had.
        FileNotFoundError: If a local file or folder does not exist.
    """
    prepared = Prepared()
    workspace = layout.inside(layout.workspace)
    make_environment(layout.environment)
    _place_files(config, layout, prepared, workspace)
    _place_reader(layout, prepared)
    prepared.models = tuple(_place_model(model, layout, prepared) for model in config.models)
    # After the files: a link in a clone can then lead none of them astray.
    prepared.repos = tuple(_place_repo(repo, layout, workspace, config.timeout) for repo in config.repos)
    write_import_paths(layout.environment, [path for repo in prepared.repos for path in repo.import_paths])
    return prepared


def _place_files(config: SandboxConfig, layout: Layout, prepared: Prepared, workspace: str) -> None:
    for number, (source, wanted) in enumerate([*config.local_dirs, *config.local_files]):
        origin = Path(source).expanduser()
        inside = PurePosixPath(inside_path(workspace, wanted))
        if ".." in inside.parts:
            raise ValueError(f"a path in the sandbox must not go up; got {wanted!r}")
        if not origin.exists():
            raise FileNotFoundError(f"{origin} does not exist; name a file or folder of this machine")
        if inside.is_relative_to(workspace):
            target = layout.workspace / inside.relative_to(workspace)
        elif layout.isolated:
            target = layout.placed / str(number)
            prepared.bound[str(inside)] = (target, True)
        else:
            raise ValueError(
                f"without isolation, files go below {workspace}; got {wanted!r}; give a relative path"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copyfile(origin, target / origin.name if target.is_dir() else target)


def _place_reader(layout: Layout, prepared: Prepared) -> None:
    """Let ``whatchanged`` find the host's readers where it would look for them; nothing is copied."""
    readers = cache_folder() / "readers"
    place = layout.home / ".cache" / "whatchanged" / "readers"
    if not readers.is_dir():
        return
    for file in readers.rglob("*.safetensors"):  # written for their owner alone, and public all the same
        file.chmod(file.stat().st_mode | 0o444)
    if layout.isolated:
        place.mkdir(parents=True)
        prepared.bound[layout.inside(place)] = (readers.resolve(), False)
    else:
        place.parent.mkdir(parents=True)
        place.symlink_to(readers.resolve())


def _place_model(model: ModelConfig, layout: Layout, prepared: Prepared) -> ModelHandle:
    paths = []
    for name, folder, within in host_weights(model):
        top = f"/models/{name}" if layout.isolated else str(folder)
        if layout.isolated:
            prepared.bound[top] = (_readable(folder, layout.placed / name), False)
        paths.append(str(PurePosixPath(top) / within))
    return ModelHandle(config=model, path=paths[0], base_path=paths[1] if len(paths) > 1 else None)


def _readable(folder: Path, copy: Path) -> Path:
    """The folder, or a copy of it where the sandbox's uid could not read it: weights are often saved for their owner."""
    paths = [path for path in (folder, *folder.rglob("*")) if path.exists()]
    needed = {path: 0o005 if path.is_dir() else 0o004 for path in paths}
    if os.getuid() or all(path.stat().st_mode & bits == bits for path, bits in needed.items()):
        return folder
    shutil.copytree(folder, copy, symlinks=True)
    return copy


def _place_repo(repo: RepoConfig, layout: Layout, workspace: str, timeout: float) -> RepoHandle:
    folder = layout.workspace / repo.name
    commit = clone(repo, folder, timeout=timeout)
    inside = inside_path(workspace, repo.name)
    files = [str(file.relative_to(folder)) for file in folder.rglob("*.py")]
    return RepoHandle(config=repo, path=inside, commit=commit, import_paths=import_paths(inside, files))


def wants_install(config: SandboxConfig) -> bool:
    """Whether anything of others' has to be run for the set-up."""
    return bool([one for one in config.python_packages if not installed(one)]) or any(
        r.install for r in config.repos
    )


def install(config: SandboxConfig, repos: Sequence[RepoHandle], python: str, run: Run) -> None:
    """Install what the sandbox cannot import yet; runs inside, without secrets.

    Args:
        config: What is asked for.
        repos: The clones.
        python: The sandbox's interpreter.
        run: Runs a command in a folder of the sandbox.

    Raises:
        PackageError: With pip's own words.
        RepoError: If the command of a repository failed; with its own words.
    """
    missing = [package for package in config.python_packages if not installed(package)]
    if missing:
        check_pip(run(pip_command(python, missing), "."), ", ".join(missing))
    for repo in repos:
        wanted = repo.config.install
        if wanted is True:
            check_pip(run(pip_command(python, ["--editable", "."]), repo.path), repo.name)
        elif isinstance(wanted, str) and wanted:
            done = run(wanted, repo.path)
            if not done.ok:
                words = (done.stderr.strip() or done.stdout.strip())[-_WORDS:]
                raise RepoError(f"{wanted!r} in {repo.name} ended with {done.returncode}: {words}")
