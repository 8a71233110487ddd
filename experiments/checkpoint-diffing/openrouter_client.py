"""Ask models through OpenRouter, from a notebook in the sandbox.

    from openrouter_client import BEFORE, AFTER, ask, ask_many, collect_both

    ask("What is your favourite colour?", model=AFTER)              # one answer, as text
    ask_many(["Hello", "Goodbye"], model=BEFORE)                    # many at once; None where there is none
    responses = collect_both(prompts, out="runs/colours")           # both models, ready for whatchanged.encode

`ask_many` and `collect_both` send many requests at once, retry what can be retried, and write every
finished call to ``calls.jsonl`` of the folder `out`; the same call again asks only for what is missing.
Give `cost_limit` in US dollars and nothing is sent that could pass it. The key is OPENROUTER_API_KEY.
Other names of models work as well: ``openai:gpt-4o-mini``, ``http://localhost:8080/v1#model``,
``hf:ID_OR_PATH``.

`client` is the plain OpenAI client for OpenRouter, made when it is first used, for whatever is not here:

    from openrouter_client import client
    client.chat.completions.create(model=AFTER, messages=[{"role": "user", "content": "Hello"}])
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import whatchanged as wc
from whatchanged.responses.collect import Asked, ask_all

__all__ = [
    "AFTER",
    "BEFORE",
    "ask",
    "ask_async",
    "ask_many",
    "ask_many_async",
    "client",
    "collect_both",
    "details",
]

BEFORE = "google/gemini-2.0-flash-001"
AFTER = "google/gemini-2.5-flash"

client: Any


def ask(prompt: str, model: str = AFTER, **options: Any) -> str:
    """One answer as text.

    Args:
        prompt: What to ask.
        model: Name of the model.
        **options: ``max_tokens``, ``temperature``, ``seed``, ``timeout``, ``cost_limit``, ...

    Raises:
        RuntimeError: There is no answer; the message says why.
    """
    (asked,) = ask_all([prompt], model, **options)
    if asked.text is None:
        raise RuntimeError(f"{model} gave no answer: {asked.failure}")
    return asked.text


def ask_many(prompts: Sequence[str], model: str = AFTER, **options: Any) -> list[str | None]:
    """The answers in the order of the prompts; `None` where there is none (`details` says why).

    Args:
        prompts: What to ask.
        model: Name of the model.
        **options: ``out`` (folder of the log), ``max_tokens``, ``temperature``, ``seed``, ``concurrency``,
            ``cost_limit``, ``deadline``, ``prices``, ...
    """
    return [asked.text for asked in details(prompts, model, **options)]


def details(prompts: Sequence[str], model: str = AFTER, **options: Any) -> tuple[Asked, ...]:
    """As `ask_many`, with finish reason, reasoning, failure and cost of every call."""
    return ask_all(prompts, model, **options)


async def ask_async(prompt: str, model: str = AFTER, **options: Any) -> str:
    """`ask` for code that awaits."""
    return await asyncio.to_thread(ask, prompt, model, **options)


async def ask_many_async(prompts: Sequence[str], model: str = AFTER, **options: Any) -> list[str | None]:
    """`ask_many` for code that awaits."""
    return await asyncio.to_thread(ask_many, prompts, model, **options)


def collect_both(
    prompts: Sequence[str] | wc.PromptSet, before: str = BEFORE, after: str = AFTER, **options: Any
) -> wc.Responses:
    """Both models' answers to the same prompts, as `whatchanged.encode` takes them.

    Args:
        prompts: Texts, or a set of prompts with ids and categories.
        before: Name of the baseline.
        after: Name of the model compared with it.
        **options: Of `whatchanged.collect`: ``out``, ``samples``, ``max_tokens``, ``cost_limit``, ...
    """
    if not isinstance(prompts, wc.PromptSet):
        prompts = wc.PromptSet(
            prompts=tuple(wc.Prompt(id=str(i), text=text) for i, text in enumerate(prompts))
        )
    return wc.collect(prompts, before, after, **options)


def __getattr__(name: str) -> Any:
    if name != "client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from openai import OpenAI

    from whatchanged.llm.keys import find_key

    key = find_key("OPENROUTER_API_KEY", purpose="ask models through OpenRouter")
    made = OpenAI(base_url="https://openrouter.ai/api/v1", api_key=key.value)
    globals()["client"] = made
    return made
