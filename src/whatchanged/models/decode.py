"""Write answers token by token, many rows together, each with settings of its own.

The batch plan depends on the set of rows and never on their order, and every row draws from a generator
of its own. So the order of the rows changes nothing; another batch size changes padding and therefore
the last bits of the logits, which may flip a rare token of a sampled answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.models.lora import Checkpoint
from whatchanged.models.sampling import Sampling

__all__ = ["Row", "Written", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer to be written.

    Attributes:
        prompt: Token ids to continue; at least one.
        seed: Seed of its draws, any integer from 0; rows with equal seeds draw the same numbers.
        sampling: How tokens are drawn.
        max_tokens: Most tokens of the answer, at least 1.
        stop: Texts at which the answer ends; they are not part of it.
    """

    prompt: tuple[int, ...]
    seed: int
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a row.

    Attributes:
        text: The answer without special tokens and outer white space; may be empty.
        finish_reason: ``stop`` if the answer ended by itself or at a stop text, ``length`` if it ran out of tokens.
        tokens: Tokens written, those of a stop text included, the end token not.
    """

    text: str
    finish_reason: str
    tokens: int


@dataclass(slots=True)
class _Live:
    """A row in the making."""

    index: int
    row: Row
    draw: np.random.Generator
    tail: int
    tokens: list[int] = field(default_factory=list)


def write(
    checkpoint: Checkpoint,
    rows: Sequence[Row],
    *,
    batch_size: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Written]]:
    """Write every row's answer.

    Args:
        checkpoint: What writes.
        rows: In any order.
        batch_size: Rows that run together, those of similar length; at least 1.
        cancelled: Asked before each token; where it says yes, the rows under way are given up.

    Yields:
        Index of a row and its answer, as soon as it is over.
    """
    live = [
        _Live(i, row, np.random.default_rng(row.seed), max([8, *(len(s.encode()) + 1 for s in row.stop)]))
        for i, row in enumerate(rows)
    ]
    live.sort(key=lambda r: (len(r.row.prompt), r.row.prompt, r.row.seed, r.row.max_tokens, r.row.stop))
    for start in range(0, len(live), batch_size):
        for done, reason in _batch(checkpoint, live[start : start + batch_size], cancelled):
            yield done.index, _written(checkpoint.tokenizer, done, reason)


def _written(tokenizer: Any, live: _Live, reason: str) -> Written:
    text = tokenizer.decode(live.tokens, skip_special_tokens=True)
    cuts = [at for stop in live.row.stop if (at := text.find(stop)) >= 0]
    return Written(
        text=text[: min(cuts, default=len(text))].strip(), finish_reason=reason, tokens=len(live.tokens)
    )


def _end_tokens(checkpoint: Checkpoint) -> set[int]:
    configured = checkpoint.model.generation_config.eos_token_id
    ends = set(configured) if isinstance(configured, list) else {configured}
    return {int(t) for t in ends | {checkpoint.tokenizer.eos_token_id} if t is not None}


def _batch(
    checkpoint: Checkpoint, rows: Sequence[_Live], cancelled: Callable[[], bool]
) -> Iterator[tuple[_Live, str]]:
    """Run rows together with left padding; a row that ends leaves the batch at once.

    Yields:
        Each row when it is over, and why it ended.
    """
    import torch
    from transformers import DynamicCache

    model, ends = checkpoint.model, _end_tokens(checkpoint)
    width = max(len(live.row.prompt) for live in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, live in enumerate(rows):
        ids[i, width - len(live.row.prompt) :] = torch.tensor(live.row.prompt)
        mask[i, width - len(live.row.prompt) :] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    position = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    # transformers 5.24 renames the argument, and will drop the old name.
    argument = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    active = list(rows)
    while not cancelled():
        with torch.inference_mode():
            logits = model(
                input_ids=ids, attention_mask=mask, position_ids=position, use_cache=True, logits_to_keep=1,
                **{argument: cache},
            ).logits[:, -1].float()  # fmt: skip
            tokens, values = _most_probable(logits, active)
        going = []
        for i, live in enumerate(active):
            token = live.row.sampling.choose(tokens[i], values[i], live.draw)
            reason = _advance(live, token, ends, checkpoint.tokenizer)
            if reason is None:
                going.append(i)
            else:
                yield live, reason
        if not going:
            return
        if len(going) < len(active):
            keep = torch.tensor(going, device=model.device)
            with torch.inference_mode():
                cache.batch_select_indices(keep)
            mask, position = mask[keep], position[keep]
            active = [active[i] for i in going]
        ids = torch.tensor([[live.tokens[-1]] for live in active], device=model.device)
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
        position = position[:, -1:] + 1


def _most_probable(logits: Any, rows: Sequence[_Live]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Tokens that may be drawn, and their logits; chosen on the device, which is slow to hand over a vocabulary."""
    import torch

    for i, live in enumerate(rows):
        penalty = live.row.sampling.repetition_penalty
        if penalty != 1.0 and live.tokens:
            held = torch.tensor(sorted(set(live.tokens)), device=logits.device)
            seen = logits[i, held]
            logits[i, held] = torch.where(seen > 0, seen / penalty, seen * penalty)
    most = min(max(live.row.sampling.top_k for live in rows), logits.shape[-1])
    values, tokens = logits.topk(most)
    return tokens.cpu().numpy(), values.cpu().numpy()


def _advance(live: _Live, token: int, ends: set[int], tokenizer: Any) -> str | None:
    """Add a token to a row; why the row is over, or ``None`` while it goes on."""
    if token in ends:
        return "stop"
    live.tokens.append(token)
    if live.row.stop:
        tail = tokenizer.decode(live.tokens[-live.tail :])
        if any(stop in tail for stop in live.row.stop):
            return "stop"
    return "length" if len(live.tokens) == live.row.max_tokens else None
