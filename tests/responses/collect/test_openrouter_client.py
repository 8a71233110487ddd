"""The library the experiment's agent gets."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from servers.fault_server import FaultServer
from whatchanged.errors import AccessDenied

FILE = Path(__file__).parents[3] / "experiments" / "checkpoint-diffing" / "openrouter_client.py"


@pytest.fixture
def library() -> ModuleType:
    spec = importlib.util.spec_from_file_location("openrouter_client", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_many_and_both(library: ModuleType, tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server:
        old, new = server.name("gemini-2.0-flash-001"), server.name("gemini-2.5-flash")
        assert library.ask("Hi", model=old) == "gemini-2.0-flash-001 answers: Hi"
        assert library.ask_many(["a", "b"], model=new, out=tmp_path / "many") == [
            "gemini-2.5-flash answers: a",
            "gemini-2.5-flash answers: b",
        ]
        asked = len(server.requests())
        assert library.details(["a", "b"], model=new, out=tmp_path / "many")[1].finish_reason == "stop"
        assert len(server.requests()) == asked, "nothing is asked twice"
        responses = library.collect_both(["a", "b"], old, new, out=tmp_path / "both")
        assert (responses.models, len(responses.answers)) == ((old, new), 4)

        async def cell() -> list[str | None]:
            assert library.ask("sync within a loop", model=old).endswith("within a loop")
            assert (await library.ask_async("x", model=old)).endswith("x")
            return list(await library.ask_many_async(["y"], model=old))

        assert asyncio.run(cell()) == ["gemini-2.0-flash-001 answers: y"]


def test_what_has_no_answer_says_why(library: ModuleType, tmp_path: Path) -> None:
    rules = tmp_path / "rules.jsonl"
    rules.write_text(json.dumps({"match": "bad", "fail": "content_refused"}) + '\n{"text": "fine"}\n')
    model = f"scripted:{rules}"
    assert library.ask_many(["good", "bad"], model=model) == ["fine", None]
    with pytest.raises(RuntimeError, match="gave no answer: content_refused: the script says so"):
        library.ask("bad", model=model)


def test_the_client_is_made_when_it_is_used(library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessDenied, match="OPENROUTER_API_KEY is needed to ask models through OpenRouter"):
        library.client.close()
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-1")
    assert str(library.client.base_url) == "https://openrouter.ai/api/v1/"
    assert library.client is library.client
    library.client.close()
