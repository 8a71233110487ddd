"""The image of a Modal sandbox: system packages, Python packages, and this package with its embedded reader."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from whatchanged.errors import PackageError
from whatchanged.lab.environment.modal_wire import modal_failures

if TYPE_CHECKING:
    import modal

__all__ = ["AGENT", "HOME", "WORKSPACE", "built", "own_requirements"]

WORKSPACE = "/workspace"
HOME = "/home/agent"
AGENT = 60_000
"""Uid of the user commands run as."""

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = f"/usr/local/lib/python{_VERSION}/site-packages"
_SCRIPT = r"#!/usr/local/bin/python\nfrom whatchanged.cli import main\nmain()\n"
_LOG_LINES = 40


def own_requirements() -> list[str]:
    """What this package needs to run, and the kernel of the notebook, as pip reads it."""
    declared = metadata.requires("whatchanged") or []
    plain = [requirement for requirement in declared if "extra ==" not in requirement]
    kernel = [
        requirement.partition(";")[0].strip()
        for requirement in declared
        if requirement.startswith("ipykernel")
    ]
    return sorted({*plain, *kernel})


def _image(system: Sequence[str], packages: Sequence[str]) -> modal.Image:
    # This package comes from where it is imported here, an installed version or a source tree, so that both sides are
    # the same. Its reader is unpacked while the image is built, and not in every sandbox.
    import modal

    here = Path(__file__).parents[2]
    record = metadata.distribution("whatchanged")
    facts = Path(str(record.locate_file(f"whatchanged-{record.version}.dist-info")))
    image = modal.Image.debian_slim(python_version=_VERSION)
    image = image.apt_install(*dict.fromkeys(["git", *system]))
    image = image.pip_install(*own_requirements(), *packages)
    skipped = ["**/__pycache__", "**/*.pyc"]
    image = image.add_local_dir(here, f"{_PACKAGES}/whatchanged", copy=True, ignore=skipped)
    image = image.add_local_dir(
        facts, f"{_PACKAGES}/{facts.name}", copy=True, ignore=["direct_url.json", "RECORD"]
    )
    image = image.run_commands(
        f"printf '{_SCRIPT}' > /usr/local/bin/whatchanged && chmod 755 /usr/local/bin/whatchanged",
        f"useradd --uid {AGENT} --home-dir {HOME} --create-home --shell /bin/sh agent",
        f"HOME={HOME} python -c 'from whatchanged.models.embedded import reader_path; reader_path()'",
    )
    return image.workdir(WORKSPACE)


@functools.lru_cache(maxsize=8)
def built(app: str, system: tuple[str, ...], packages: tuple[str, ...]) -> modal.Image:
    """The image with these packages, built or found built; once in the life of this process.

    Args:
        app: Name of the app under which it is built.
        system: Debian packages.
        packages: Python packages that pip finds by name.

    Raises:
        PackageError: If a package could not be installed; with the last lines of the build's log.
        SandboxError: If Modal could not be reached or refused.
    """
    import modal
    from modal import exception

    with modal_failures("build the image"):
        try:
            return _image(system, packages).build(modal.App.lookup(app, create_if_missing=True))
        except exception.ImageBuildError as error:
            words = "".join(entry.message for entry in _log(error.image_id)).strip()
            asked = ", ".join([*system, *packages]) or "whatchanged's own requirements"
            raise PackageError(f"the image with {asked} could not be built: {words or error}") from error


def _log(image: str) -> Sequence[modal.types.LogEntry]:
    import modal

    return list(modal.Image.from_id(image).logs.tail(_LOG_LINES))
