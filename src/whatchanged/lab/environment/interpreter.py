"""A virtual environment for one sandbox that reuses what the host's interpreter can import already."""

from __future__ import annotations

import json
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

__all__ = [
    "base_interpreter",
    "host_folders",
    "installed",
    "make_environment",
    "packages_folder",
    "write_import_paths",
]

_PACKAGE = Path(__file__).resolve().parents[2]
"""Folder of ``whatchanged``."""


def base_interpreter() -> Path:
    """The interpreter under the host's virtual environment, links resolved."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def host_folders() -> list[Path]:
    """Folders of the host a sandbox has to read for the interpreter, the installed packages and ``whatchanged``."""
    paths = [
        Path(sys.base_prefix),
        Path(sysconfig.get_path("stdlib")),
        *map(Path, _host_packages()),
        Path(__file__).parents[2],
    ]
    both = (name for path in paths for name in (path, path.resolve()))  # links on the way do not exist inside
    return [path for path in dict.fromkeys(both) if path.is_dir()]


def _host_packages() -> list[str]:
    """Every folder of installed packages on the path of this process, those a .pth file added included."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *sys.path]
    named = [folder for folder in folders if Path(folder).name in {"site-packages", "dist-packages"}]
    return [folder for folder in dict.fromkeys(named) if Path(folder).is_dir()]


def packages_folder(environment: Path) -> Path:
    """Where packages of a virtual environment stand."""
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def make_environment(environment: Path) -> None:
    """Make the environment: its own packages come first, the host's after them. Nothing is downloaded or copied."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(environment)
    for alias in ("python", "python3"):
        link = environment / "bin" / alias
        link.unlink(missing_ok=True)
        link.symlink_to(base_interpreter())
    for script in (environment / "bin").glob("[Aa]ctivate*"):
        script.unlink()  # they name the folder on the host, which is another one inside
    # addsitedir also reads the .pth files of the host's packages, which a path alone would not.
    lines = [f"import site; site.addsitedir({folder!r})" for folder in _host_packages()]
    lines.append(str(Path(__file__).parents[2].parent))
    (packages_folder(environment) / "host.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _make_scripts(environment / "bin")


def _make_scripts(binaries: Path) -> None:
    """Give the sandbox the commands it is used with; the host's own scripts name the host's interpreter."""
    for name, module in {"pip": "pip._internal.cli.main", "whatchanged": "whatchanged.cli"}.items():
        call = f"import sys; from {module} import main; sys.exit(main())"
        script = binaries / name
        script.write_text(f'#!/bin/sh\nexec "$(dirname "$0")/python" -c "{call}" "$@"\n', encoding="utf-8")
        script.chmod(0o755)


def write_import_paths(environment: Path, paths: list[str]) -> None:
    """Make folders (as they are called inside) importable."""
    (packages_folder(environment) / "repositories.pth").write_text(
        "".join(f"{p}\n" for p in paths), encoding="utf-8"
    )


def installed(requirement: str) -> bool:
    """Whether a bare name (no version, extra, marker or URL) is installed on the host; others are left to pip."""
    name = requirement.strip()
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return False
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    return name == "whatchanged" or not origin.get("dir_info", {}).get("editable", False)
