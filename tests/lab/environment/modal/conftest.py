"""The control plane of these tests, and the real client's settings for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from container import bubblewrap
from control import TOKEN
from plane import Plane

from whatchanged.lab.environment.modal import ModalBackend


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """One control plane for all tests; the client keeps its connection for the life of the process."""
    if bubblewrap() is None:
        pytest.skip("the control plane runs sandboxes under bubblewrap, which is not usable on this machine")
    with Plane(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(autouse=True)
def account(plane: Plane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An account whose only server is the control plane; every sandbox must have ended after the test."""
    for name in [name for name in os.environ if name.startswith("MODAL_")]:
        monkeypatch.delenv(name)
    for name, value in settings(plane, tmp_path).items():
        monkeypatch.setenv(name, value)
    before = dict(plane.secrets)
    yield
    plane.secrets.clear()
    plane.secrets.update(before)
    plane.refusals.clear()
    left = plane.running()
    plane.run(plane.end_all())
    assert [sandbox.tags for sandbox in left] == []


def settings(plane: Plane, folder: Path) -> dict[str, str]:
    return {
        "MODAL_SERVER_URL": plane.url,
        "MODAL_TOKEN_ID": TOKEN[0],
        "MODAL_TOKEN_SECRET": TOKEN[1],
        "MODAL_CONFIG_PATH": str(folder / "modal.toml"),
        "MODAL_BUILD_VALIDATION": "ignore",  # of files that change while they are uploaded
    }


@pytest.fixture
def backend() -> Iterator[ModalBackend]:
    """A backend that has not been started, and is terminated after the test."""
    backend = ModalBackend()
    yield backend
    backend.terminate()
