"""The control plane of these tests, and the real client's settings for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from container import bubblewrap
from control import TOKEN
from plane import Plane

from whatchanged.lab.environment.modal import ModalBackend


def account(plane: Plane, folder: Path) -> dict[str, str]:
    """The client's settings: an account whose only server is the control plane."""
    return {
        "MODAL_SERVER_URL": plane.url,
        "MODAL_TOKEN_ID": TOKEN[0],
        "MODAL_TOKEN_SECRET": TOKEN[1],
        "MODAL_CONFIG_PATH": str(folder / "modal.toml"),
        "MODAL_BUILD_VALIDATION": "ignore",  # of files that change while they are uploaded
    }


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """One control plane for all tests; the client keeps its connection for the life of the process."""
    if bubblewrap() is None:
        pytest.skip("the control plane runs sandboxes under bubblewrap, which cannot be used on this machine")
    folder = tmp_path_factory.mktemp("plane")
    with pytest.MonkeyPatch.context() as patch, Plane(folder) as plane:
        for name in [name for name in os.environ if name.startswith("MODAL_")]:
            patch.delenv(name)
        for name, value in account(plane, folder).items():
            patch.setenv(name, value)
        yield plane


@pytest.fixture
def idle(plane: Plane) -> Iterator[Plane]:
    """The control plane, on which nothing may be left running after the test."""
    before = set(plane.sandboxes)
    yield plane
    plane.secrets.clear()
    plane.refusals.clear()
    left = [sandbox for sandbox in plane.running() if sandbox.id not in before]
    for sandbox in left:
        plane.run(sandbox.terminate())
    assert [sandbox.tags for sandbox in left] == [], "sandboxes were left running"


@pytest.fixture
def make(idle: Plane) -> Iterator[Callable[..., ModalBackend]]:
    """Makes backends that are terminated after the test."""
    made = []

    def one(**settings: float) -> ModalBackend:
        made.append(ModalBackend(**settings))
        return made[-1]

    yield one
    for backend in made:
        backend.terminate()
