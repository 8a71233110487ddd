"""Sandboxes of tests stand in a temporary folder of the test, so that what they leave can be listed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_world import isolation_works


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working and temporary folder of a test; nothing of a sandbox is left in it afterwards."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.fixture(params=["bubblewrap", "none"])
def isolation(request: pytest.FixtureRequest) -> str:
    """Each way the local backend can run; the isolated one only where this machine allows it."""
    kind = str(request.param)
    if kind == "bubblewrap" and not isolation_works():
        pytest.skip("bubblewrap is missing or forbidden here")
    return kind


@pytest.fixture
def bubblewrap() -> None:
    """For tests of the isolated way only."""
    if not isolation_works():
        pytest.skip("bubblewrap is missing or forbidden here")
