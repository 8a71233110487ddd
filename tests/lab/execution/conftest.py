"""Real kernels on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_world import living

from whatchanged.lab.execution import NotebookSession, create_local_session


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookSession]:
    """A session that tests which leave the kernel alive may share."""
    folder = tmp_path_factory.mktemp("shared")
    with create_local_session(workspace_dir=folder / "work", notebook_dir=folder / "out") as session:
        yield session
    assert living(folder) == []


@pytest.fixture
def session(tmp_path: Path) -> Iterator[NotebookSession]:
    """A session of one's own."""
    with create_local_session(workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out") as session:
        yield session
    assert living(tmp_path) == []
