"""What stands in a Modal sandbox before its first command, beyond its image: files, clones, installs, weights."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from whatchanged.errors import RepoError, SandboxError
from whatchanged.lab.environment.config import ModelConfig, RepoConfig, SandboxConfig
from whatchanged.lab.environment.contract import Completed, ModelHandle, RepoHandle
from whatchanged.lab.environment.layout import inside_path
from whatchanged.lab.environment.modal_image import WORKSPACE
from whatchanged.lab.environment.prepare import install
from whatchanged.lab.environment.repos import (
    clone,
    clone_address,
    clone_commands,
    git_environment,
    import_paths,
    without_credentials,
)

__all__ = ["HUB", "Inside", "SetUp", "host_packages", "needs_set_up", "pack_files", "wants_hub"]

HUB = "/models/hub"
"""Where the volume with downloaded weights is mounted."""

_PTH = "import site, sys; open(site.getsitepackages()[0] + '/repositories.pth', 'w').write(sys.argv[1])"
_DOWNLOAD = (
    "import sys; from huggingface_hub import snapshot_download; "
    "print(snapshot_download(sys.argv[1], **{sys.argv[2]: sys.argv[3]}))"
)


class Inside(Protocol):
    """The sandbox that is being set up."""

    @property
    def python(self) -> str:
        """Path of its interpreter."""
        ...

    def run(
        self, command: str | Sequence[str], *, cwd: str, env: Mapping[str, str], hub: bool = False
    ) -> Completed:
        """Run a command; ``hub`` lets it see the token of the Hugging Face Hub, if one was named."""
        ...

    def unpack(self, archive: Iterable[bytes], folder: str) -> None:
        """Unpack a tar archive in a folder."""
        ...


def host_packages(config: SandboxConfig) -> list[str]:
    """Packages that are files or folders of the host; the image cannot know them."""
    return [
        package
        for package in config.python_packages
        if "/" in package and Path(package).expanduser().exists()
    ]


def wants_hub(config: SandboxConfig) -> bool:
    """Whether weights are to be downloaded into the volume."""
    return any(
        not model.hidden and _on_hub(source) for model in config.models for source in _sources(model).values()
    )


def needs_set_up(config: SandboxConfig) -> bool:
    """Whether anything is to be cloned, installed or downloaded, with the network and without secrets."""
    return bool(config.repos or config.models or host_packages(config))


def _sources(model: ModelConfig) -> dict[str, str]:
    return {model.var_name: model.name} | (
        {f"{model.var_name}-base": model.base_model} if model.base_model else {}
    )


def _on_hub(source: str) -> bool:
    return not Path(source).expanduser().is_dir()


def pack_files(config: SandboxConfig) -> bytes:
    """The local files and folders of a configuration as a tar archive from the root of the sandbox.

    Raises:
        FileNotFoundError: If one does not exist.
        ValueError: If a path in the sandbox goes up.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for source, wanted in [*config.local_dirs, *config.local_files]:
            origin = Path(source).expanduser()
            inside = PurePosixPath(inside_path(WORKSPACE, wanted))
            if ".." in inside.parts:
                raise ValueError(f"a path in the sandbox must not go up; got {wanted!r}")
            if not origin.exists():
                raise FileNotFoundError(f"{origin} does not exist; name a file or folder of this machine")
            if origin.is_file() and wanted.endswith("/"):
                inside /= origin.name
            archive.add(origin, str(inside).lstrip("/"), filter=_owned_by_root)
    return packed.getvalue()


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _packed_folder(folder: Path, name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, name, filter=_owned_by_root)
    return packed.getvalue()


@dataclass(slots=True)
class SetUp:
    """The steps of one set-up."""

    config: SandboxConfig
    inside: Inside
    progress: Callable[[str], None] = lambda step: None

    def repos(self) -> tuple[RepoHandle, ...]:
        """Clone, make importable, and run what ``install`` asks for.

        Raises:
            RepoError: With git's own words, or those of the command.
            PackageError: With pip's own words.
        """
        handles = tuple(self._repo(repo) for repo in self.config.repos)
        paths = "".join(f"{path}\n" for handle in handles for path in handle.import_paths)
        self._python(_PTH, paths)
        packages = []
        for number, package in enumerate(host_packages(self.config)):
            origin = Path(package).expanduser().resolve()
            self.inside.unpack([_packed_folder(origin, f"packages/{number}/{origin.name}")], "/tmp")
            packages.append(f"/tmp/packages/{number}/{origin.name}")
        install(
            replace(self.config, python_packages=packages),
            handles,
            self.inside.python,
            lambda command, folder: self.inside.run(command, cwd=folder, env={}),
        )
        return handles

    def _python(self, code: str, *arguments: str, hub: bool = False) -> Completed:
        return self.inside.run([self.inside.python, "-c", code, *arguments], cwd="/", env={}, hub=hub)

    def _repo(self, repo: RepoConfig) -> RepoHandle:
        folder = f"{WORKSPACE}/{repo.name}"
        address = clone_address(repo.url)
        if Path(address).is_dir():
            with tempfile.TemporaryDirectory() as temporary:
                commit = clone(repo, Path(temporary, repo.name), timeout=self.config.timeout)
                self.inside.unpack([_packed_folder(Path(temporary, repo.name), repo.name)], WORKSPACE)
        else:
            commit = self._clone(repo, address, folder)
        files = self._git(
            repo, ["git", "-c", "core.quotePath=off", "ls-files", "--", "*.py"], folder
        ).splitlines()
        return RepoHandle(config=repo, path=folder, commit=commit, import_paths=import_paths(folder, files))

    def _clone(self, repo: RepoConfig, address: str, folder: str) -> str:
        first, *rest = clone_commands(address, folder, None)
        self._git(repo, first, "/")
        for command in rest:
            self._git(repo, command, folder)
        if repo.ref is not None:
            # Not every server hands out a commit by its name, but the clone holds it if a branch leads there.
            fetched = self._run_git(["git", "fetch", "--quiet", "origin", repo.ref], folder)
            target = "FETCH_HEAD" if fetched.ok else f"{repo.ref}^{{commit}}"
            self._git(
                repo,
                ["git", "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", target],
                folder,
            )
        return self._git(repo, ["git", "rev-parse", "HEAD"], folder)

    def _run_git(self, command: Sequence[str], folder: str) -> Completed:
        return self.inside.run(command, cwd=folder, env=git_environment({}))

    def _git(self, repo: RepoConfig, command: Sequence[str], folder: str) -> str:
        done = self._run_git(command, folder)
        if not done.ok:
            what = f"{repo.url} at {repo.ref}" if repo.ref else repo.url
            words = done.stderr.strip() or done.stdout.strip()
            raise RepoError(without_credentials(f"git could not clone {what}: {words}"))
        return done.stdout.strip()

    def models(self) -> tuple[ModelHandle, ...]:
        """Bring weights in: folders of the host are copied, others downloaded.

        Raises:
            SandboxError: If they cannot be had.
        """
        handles = []
        for model in self.config.models:
            paths = [self._weights(model, name, source) for name, source in _sources(model).items()]
            handles.append(
                ModelHandle(config=model, path=paths[0], base_path=paths[1] if paths[1:] else None)
            )
        return tuple(handles)

    def _weights(self, model: ModelConfig, name: str, source: str) -> str:
        own = f"/models/{name}"
        if not _on_hub(source):
            self.inside.unpack([_packed_folder(Path(source).expanduser().resolve(), name)], "/models")
            return own
        # The folder of a hidden model must not tell its name, as the folders of the hub's cache do.
        kept = ("local_dir", own) if model.hidden else ("cache_dir", HUB)
        done = self._python(_DOWNLOAD, source, *kept, hub=True)
        if not done.ok:
            raise SandboxError(f"the weights of {source} cannot be had: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip().splitlines()[-1]
