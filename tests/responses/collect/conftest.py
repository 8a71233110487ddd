"""Collections without a folder go to a cache of the test's own; no key of this machine is used."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in (
        "OPENROUTER_API_KEY",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "WHATCHANGED_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
