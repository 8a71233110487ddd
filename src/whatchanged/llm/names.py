"""Names of chat models, as users type them."""

from __future__ import annotations

from typing import Any

from whatchanged.llm.keys import Key, find_key, secret
from whatchanged.llm.protocol import ChatModel

__all__ = ["chat_model", "is_chat_name", "key_names"]

_OPENROUTER = "https://openrouter.ai/api/v1"
_OPENAI = "https://api.openai.com/v1"
_GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai"

_LOCAL = ("hf:", "gguf:")
_FORMS = (
    "use VENDOR/MODEL (OpenRouter), openai:MODEL, google:MODEL, http://host:port/v1#MODEL, hf:ID_OR_PATH[+ADAPTER], "
    "gguf:PATH or scripted:FILE; answers in a file are file:PATH"
)


def is_chat_name(name: object) -> bool:
    """Whether a name stands for a chat model, and not for a file of answers.

    ``VENDOR/MODEL`` without a scheme counts as OpenRouter's, unless it ends like a file of answers
    (``.csv``, ``.jsonl``, ...) or begins with a dot, a slash or a tilde.
    """
    if not isinstance(name, str) or name.startswith("file:"):
        return False
    if name.startswith(("openai:", "google:", "scripted:", *_LOCAL)):
        return True
    if name.startswith(("http://", "https://")):
        return "#" in name
    vendor, slash, model = name.partition("/")
    files = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".eval", ".gz", ".zst")
    path = name.startswith((".", "/", "~")) or "\\" in name or name.lower().split("#")[0].endswith(files)
    return bool(vendor and slash and model) and "/" not in model and not path and " " not in name


def key_names(name: str) -> tuple[str, ...]:
    """Variables of which one must hold a key before this model can be asked; empty where none is needed."""
    if name.startswith("openai:"):
        return ("OPENAI_API_KEY",)
    if name.startswith("google:"):
        return ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    if name.startswith(("http://", "https://", "scripted:", *_LOCAL)):
        return ()
    return ("OPENROUTER_API_KEY",)


def chat_model(name: str, *, keyless: bool = False, **options: Any) -> ChatModel:
    """The chat model of a name.

    Args:
        name: ``google/gemini-2.0-flash-001`` (OpenRouter), ``openai:gpt-4o-mini``, ``google:gemini-2.5-flash``,
            ``http://localhost:8080/v1#model``, ``hf:ID_OR_PATH[+ADAPTER]``, ``gguf:PATH`` or ``scripted:FILE``.
        keyless: Go on without a key where it is missing: enough to ask for the price, not for an answer.
        **options: Of `HTTPModel` (``timeout``, ``provider``, ``extra``, ``check_served``), or of the local
            model for ``hf:`` and ``gguf:``.

    Raises:
        ValueError: The name has none of these forms, or an option is wrong.
        AccessDenied: The key is missing; the message names the variable.
        InputError: The file of a scripted model cannot be read.
    """
    if not is_chat_name(name):
        raise ValueError(f"{name!r} names no chat model; {_FORMS}")
    if name.startswith(_LOCAL):
        from whatchanged.llm.local import local_model

        return local_model(name, **options)
    if name.startswith("scripted:"):
        from whatchanged.llm.scripted import ScriptedModel

        return ScriptedModel.from_file(name.removeprefix("scripted:"), **options)
    from whatchanged.llm.http_model import HTTPModel

    if name.startswith(("http://", "https://")):
        address, _, model = name.partition("#")
        if not model:
            raise ValueError(f"{name!r} does not say which model; write {address}#MODEL")
        value = secret("WHATCHANGED_API_KEY")
        key = find_key("WHATCHANGED_API_KEY", purpose=f"ask {address}") if value else None
        return HTTPModel(name=name, model=model, base_url=address, key=key, **options)
    key = _key(name, keyless)
    if name.startswith("openai:"):
        model = name.removeprefix("openai:")
        return HTTPModel(name=name, model=model, base_url=_OPENAI, key=key, dialect="openai", **options)
    if name.startswith("google:"):
        model = name.removeprefix("google:")
        return HTTPModel(name=name, model=model, base_url=_GOOGLE, key=key, dialect="google", **options)
    return HTTPModel(name=name, model=name, base_url=_OPENROUTER, key=key, dialect="openrouter", **options)


def _key(name: str, keyless: bool) -> Key | None:
    where = name.split(":")[0] if name.startswith(("openai:", "google:")) else "OpenRouter"
    names = key_names(name)
    if keyless and not any(secret(variable) for variable in names):
        return None
    return find_key(*names, purpose=f"ask {name} ({where})")
