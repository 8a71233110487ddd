"""Packages of a local sandbox: pip's settings are the host's, its packages the sandbox's own."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from whatchanged.errors import PackageError
from whatchanged.lab.environment.contract import Completed

__all__ = [
    "check_pip",
    "network_settings",
    "paths_in",
    "pip_command",
    "pip_settings",
    "require_system_packages",
]

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_WORDS = 4000


def network_settings() -> dict[str, str]:
    """Certificates and proxies of the host, which the network may need; a proxy with a password stays out."""
    names = (*_CERTIFICATES, *_PROXIES, *map(str.upper, _PROXIES))
    return {name: os.environ[name] for name in names if name in os.environ and "@" not in os.environ[name]}


def pip_settings() -> dict[str, str]:
    """The host's settings of pip (index, certificates, links) as variables; for the set-up only."""
    return {**_pip_files(), **{name: value for name, value in os.environ.items() if name.startswith("PIP_")}}


@cache
def _pip_files() -> Mapping[str, str]:
    """What pip reads from its files, asked once."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    settings: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, equals, value = line.partition("=")
        section, _, option = key.partition(".")
        if equals and section in {"global", "install"}:
            settings[f"PIP_{option.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return settings


def paths_in(settings: Mapping[str, str]) -> list[Path]:
    """Files and folders of the host that settings name, as paths or ``file:`` URLs."""
    words = [
        word
        for value in settings.values()
        for word in value.replace("file://", " ").replace(":", " ").split()
    ]
    paths = [Path(word) for word in words if word.startswith("/")]
    # The pages of a local index link to files beside it.
    paths = [path.parent if path.name == "simple" else path for path in paths]
    return [path for path in dict.fromkeys(paths) if path.exists() and path != Path("/")]


def pip_command(python: str, arguments: Sequence[str]) -> list[str]:
    """An installation by the sandbox's pip."""
    return [python, "-m", "pip", "install", "--no-input", "--no-cache-dir", "--quiet", *arguments]


def check_pip(done: Completed, what: str) -> None:
    """Pass on pip's own words if it failed.

    Raises:
        PackageError: If it did.
    """
    if not done.ok:
        words = (done.stderr.strip() or done.stdout.strip())[-_WORDS:]
        raise PackageError(f"pip could not install {what}: {words}")


def require_system_packages(packages: Sequence[str]) -> None:
    """See whether the host has Debian packages; nothing is installed on it.

    Raises:
        PackageError: Naming what is missing and the command that installs it.
    """
    missing = [package for package in packages if not (_installed(package) or shutil.which(package))]
    if missing:
        raise PackageError(
            f"the local backend installs nothing on this machine, and it lacks {', '.join(missing)}; "
            f"run: apt-get install {' '.join(missing)}"
        )


def _installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", "--", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return "installed" in asked.stdout.replace("not-installed", "")
