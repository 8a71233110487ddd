"""Names of models, keys, and whether the model that answered is the one that was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatchanged.errors import AccessDenied
from whatchanged.llm import chat_model, is_chat_name
from whatchanged.llm.keys import dotenv, find_key
from whatchanged.llm.served import another_model

VARIABLES = (
    "OPENROUTER_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "WHATCHANGED_API_KEY",
)


@pytest.fixture(autouse=True)
def no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "name",
    ["google/gemini-2.0-flash-001", "meta-llama/llama-3.1-8b-instruct:free", "openai:gpt-4o", "google:gemini-2.5-flash",
     "http://localhost:8080/v1#m", "hf:org/model+adapter", "gguf:/models/m.gguf", "scripted:rules.jsonl"],
)  # fmt: skip
def test_chat_models_are_told_from_files(name: str) -> None:
    assert is_chat_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "file:answers.csv#old",
        "answers.csv",
        "runs/answers.jsonl",
        "runs/a/b",
        "./runs/a",
        "/tmp/x",
        "words",
        "",
    ],
)
def test_files_are_told_from_chat_models(name: str) -> None:
    assert not is_chat_name(name)


def test_where_each_name_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES[:3]:
        monkeypatch.setenv(variable, "sk-1")
    places = {
        "google/gemini-2.5-flash": ("https://openrouter.ai/api/v1", "google/gemini-2.5-flash"),
        "openai:gpt-4o-mini": ("https://api.openai.com/v1", "gpt-4o-mini"),
        "google:gemini-2.5-flash": (
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "gemini-2.5-flash",
        ),
        "http://localhost:8080/v1#org/m": ("http://localhost:8080/v1", "org/m"),
    }
    for name, (url, model) in places.items():
        identity = chat_model(name).identity
        assert (identity["base_url"], identity["model"]) == (url, model)
        assert "sk-1" not in str(identity)
    with pytest.raises(ValueError, match="names no chat model; use VENDOR/MODEL"):
        chat_model("words")
    with pytest.raises(ValueError, match="names no chat model"):
        chat_model("http://localhost/v1")


@pytest.mark.parametrize(
    ("name", "variable"),
    [("google/gemini-2.5-flash", "OPENROUTER_API_KEY"), ("openai:gpt-4o", "OPENAI_API_KEY"),
     ("google:gemini-2.5-flash", "GEMINI_API_KEY or GOOGLE_API_KEY")],
)  # fmt: skip
def test_a_missing_key_is_named(name: str, variable: str) -> None:
    with pytest.raises(AccessDenied, match=f"{variable} is needed to ask {name}"):
        chat_model(name)
    assert chat_model(name, keyless=True).name == name


def test_keys_come_from_the_environment_first_and_then_from_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "# keys\nexport OPENAI_API_KEY='sk-a b#c'\nGEMINI_API_KEY=sk-g # mine\n\nnonsense\nGOOGLE_API_KEY=\n"
    )
    assert dotenv() == {"OPENAI_API_KEY": "sk-a b#c", "GEMINI_API_KEY": "sk-g", "GOOGLE_API_KEY": ""}
    assert find_key("GOOGLE_API_KEY", "GEMINI_API_KEY", purpose="ask") == ("GEMINI_API_KEY", "sk-g")
    monkeypatch.setenv("GEMINI_API_KEY", " sk-env\n")
    key = find_key("GEMINI_API_KEY", purpose="ask")
    assert key.value == "sk-env"
    assert "sk-env" not in repr(key)


@pytest.mark.parametrize("value", ["sk-two\nlines", "sk-ümlaut", "sk with blanks"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(AccessDenied, match="OPENAI_API_KEY holds") as caught:
        chat_model("openai:gpt-4o")
    assert "sk" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("google/gemini-2.0-flash-001", "google/gemini-2.5-flash"),
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "anthropic/claude-3-opus"),
        ("llama-3.1-8b-instruct", "llama-3.1-70b-instruct"),
        ("qwen2.5-7b", "qwen3-7b"),
        ("claude-3-opus", "claude-3-sonnet"),
        ("checkpoint-10", "checkpoint-20"),
    ],
)
def test_clearly_another_model(asked: str, served: str) -> None:
    assert another_model(asked, served)
    assert another_model(served, asked)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4-turbo-preview", "gpt-4-0125-preview"),
        ("claude-3-5-sonnet-latest", "anthropic/claude-3.5-sonnet"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash-preview-05-20"),
        ("google/gemini-2.0-flash-001:free", "gemini-2.0-flash"),
        ("llama-3.3-70b-instruct", "Llama-3.3-70B-Instruct-Turbo"),
        ("gemini-flash-latest", "gemini-2.5-flash"),
        ("openrouter/auto", "openai/gpt-4o"),
        ("my-model", "/models/llama-3-8b.gguf"),
        ("m", ""),
    ],
)
def test_not_clearly_another_model(asked: str, served: str) -> None:
    assert not another_model(asked, served)
    assert not another_model(served, asked)
