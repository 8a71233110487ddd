"""What a collection would take, said before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from whatchanged.artifacts import PromptSet
from whatchanged.llm.blocking import run_blocking
from whatchanged.llm.keys import secret
from whatchanged.llm.names import chat_model, key_names
from whatchanged.llm.prices import FREE, Price, read_prices
from whatchanged.llm.protocol import Batching, ChatModel, ChatRequest
from whatchanged.responses.collect.answers import ended, outcomes
from whatchanged.responses.collect.budget import known_price
from whatchanged.responses.collect.lines import Line
from whatchanged.responses.collect.log import LOG, read_log
from whatchanged.responses.collect.run import as_list

__all__ = ["Estimate", "ModelEstimate", "estimate"]

_BYTES_PER_TOKEN = 4.0
_TYPICAL_ANSWER = 400
_TYPICAL_SECONDS = 6.0
_LOCAL_TOKENS_PER_SECOND = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEstimate:
    """What one model's part would take.

    Attributes:
        model: Its name.
        calls: Calls still to be made.
        done: Calls the folder has already.
        prompt_tokens: Guess, at four bytes a token.
        completion_tokens: Guess: the mean of the folder's answers, else 400 a call or `max_tokens` if
            that is less.
        expected: US dollars for these tokens; ``None`` where no price is known.
        worst: US dollars if every answer takes all its tokens and every byte of a prompt were a token;
            failed attempts that the provider charges come on top.
        seconds: Guess of the time: the folder's own latency, else six seconds a request (local
            models: thirty tokens a second).
        missing_key: Variables of which one must hold a key and none does; empty if all is well.
    """

    model: str
    calls: int
    done: int
    prompt_tokens: int
    completion_tokens: int
    expected: float | None
    worst: float | None
    seconds: float
    missing_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a collection would take.

    Attributes:
        models: One estimate per model.
        calls: Calls still to be made.
        expected, worst: US dollars in all; ``None`` where a price is unknown.
        seconds: Guess of the time in all.
        unpriced: Models without a known price.
        missing_keys: Variables that must be set before the run can begin.
    """

    models: tuple[ModelEstimate, ...]
    calls: int
    expected: float | None
    worst: float | None
    seconds: float
    unpriced: tuple[str, ...]
    missing_keys: tuple[str, ...]


def estimate(
    prompts: PromptSet,
    before: str | ChatModel,
    after: str | ChatModel | Sequence[str | ChatModel],
    *,
    out: str | PathLike[str] | None = None,
    names: Sequence[str] | None = None,
    samples: int = 1,
    max_tokens: int = 1024,
    concurrency: int = 32,
    prices: str | PathLike[str] | Mapping[str, Price] | None = None,
) -> Estimate:
    """Calls, tokens, money and time of `collect` with the same arguments. No model is asked anything.

    Price lists are asked for over HTTP where the provider has one; if it does not answer, a price is
    unknown. A missing key is reported and is no error. Local weights are not loaded.

    Raises:
        ValueError: A name has none of the known forms, or an argument is out of its range.
        InputError: The price file cannot be read.
        StoreError: The folder's log is damaged.
    """
    if min(samples, max_tokens, concurrency) < 1:
        raise ValueError(
            f"samples, max_tokens and concurrency must be at least 1; got {samples}, {max_tokens}, {concurrency}"
        )
    table = prices if isinstance(prices, Mapping) else read_prices(prices) if prices is not None else {}
    last = outcomes(read_log(Path(out) / LOG)) if out is not None else {}
    models = []
    sides = [before, *as_list(after)]
    for i, one in enumerate(sides):
        name = names[i] if names else one if isinstance(one, str) else one.name
        asked = {(p.id, sample) for p in prompts for sample in range(samples)}
        own = [
            line for key, line in last.items() if key.model == name and (key.prompt_id, key.sample) in asked
        ]
        models.append(_one(one, name, prompts, samples, max_tokens, concurrency, table, own))
    unpriced = tuple(m.model for m in models if m.worst is None)
    local = [m.seconds for m, one in zip(models, sides, strict=True) if _local(one)]
    remote = [m.seconds for m, one in zip(models, sides, strict=True) if not _local(one)]
    return Estimate(
        models=tuple(models),
        calls=sum(m.calls for m in models),
        expected=None if unpriced else sum(m.expected or 0.0 for m in models),
        worst=None if unpriced else sum(m.worst or 0.0 for m in models),
        seconds=max(sum(local), sum(remote)),
        unpriced=unpriced,
        missing_keys=tuple(dict.fromkeys(" or ".join(m.missing_key) for m in models if m.missing_key)),
    )


def _one(
    one: str | ChatModel,
    name: str,
    prompts: PromptSet,
    samples: int,
    max_tokens: int,
    concurrency: int,
    table: Mapping[str, Price],
    own: list[Line],
) -> ModelEstimate:
    keys = key_names(one) if isinstance(one, str) else ()
    missing = keys if keys and not any(secret(key) for key in keys) else ()
    over = {(line.prompt_id, line.sample) for line in own if ended(line)}
    left = [p for sample in range(samples) for p in prompts if (p.id, sample) not in over]
    requests = [ChatRequest(messages=p.chat, max_tokens=max_tokens) for p in left]
    size = sum(len(m.content.encode("utf-8", "replace")) for r in requests for m in r.messages)
    reading = round(size / _BYTES_PER_TOKEN) + 8 * len(requests)
    told = [n for line in own if line.event == "answer" and (n := line.tokens.completion_tokens) is not None]
    writing = round(len(left) * (sum(told) / len(told) if told else min(max_tokens, _TYPICAL_ANSWER)))
    waits = [line.latency for line in own if line.event == "answer" and line.latency is not None]
    price = _price(one, name, table)
    if _local(one):
        seconds = writing / _LOCAL_TOKENS_PER_SECOND
    else:
        seconds = len(left) * (sum(waits) / len(waits) if waits else _TYPICAL_SECONDS) / concurrency
    expected = worst = None
    if price is not None:
        expected = price.prompt * reading + price.completion * writing + price.request * len(left)
        worst = sum(price.worst(r) for r in requests)
    return ModelEstimate(
        model=name,
        calls=len(left),
        done=len(over),
        prompt_tokens=reading,
        completion_tokens=writing,
        expected=expected,
        worst=worst,
        seconds=seconds,
        missing_key=missing,
    )


def _local(one: str | ChatModel) -> bool:
    return one.startswith(("hf:", "gguf:")) if isinstance(one, str) else isinstance(one, Batching)


def _price(one: str | ChatModel, name: str, table: Mapping[str, Price]) -> Price | None:
    """The price, without a key and without loading weights."""
    if _local(one):
        return table.get(name, FREE)

    async def ask() -> Price | None:
        model = chat_model(one, keyless=True) if isinstance(one, str) else one
        try:
            return await known_price(name, model, table)
        finally:
            await model.close()

    return run_blocking(ask)
