"""Sample answers from a checkpoint of this machine, in batches, each prompt with its own seed.

The batch plan depends on the set of prompts and never on their order, and every row draws from a
generator of its own. So the order of the prompts changes nothing; another batch size changes
padding and therefore the last bits of the logits, which may flip a rare token of a sampled answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whatchanged.models.lora import Checkpoint, Dtype, load_checkpoint

__all__ = ["PLAIN_TEMPLATE", "Generated", "generate"]

PLAIN_TEMPLATE = "User:\n{prompt}\n\nAssistant:\n"
"""How a prompt is put to a model that has no chat template of its own."""

_NEXT_TURN = "\nUser:"


class Generated(NamedTuple):
    """One answer.

    Attributes:
        text: The answer without special tokens and outer white space; may be empty.
        finish_reason: ``stop`` if the model ended its answer, ``length`` if it ran out of tokens.
    """

    text: str
    finish_reason: str


@dataclass(slots=True, kw_only=True)
class _Row:
    """One answer in the making."""

    index: int
    prompt: list[int]
    draw: np.random.Generator
    tokens: list[int] = field(default_factory=list)


def generate(
    model: Path | str | Checkpoint,
    adapter: Path | str | None,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 256,
    seed: int = 0,
    sample: int = 0,
    temperature: float = 0.7,
    top_p: float = 0.95,
    top_k: int = 64,
    repetition_penalty: float = 1.0,
    batch_size: int = 16,
    template: str | None = None,
    dtype: Dtype = "float32",
    progress: Callable[[int, int], None] | None = None,
) -> list[Generated]:
    """Answer every prompt once.

    Args:
        model: Folder or hub name of the base model, or a checkpoint that is already loaded.
        adapter: Folder of a LoRA adapter for it, or ``None``.
        prompts: What to answer. Equal prompts get equal answers; ask for another `sample` instead.
        max_new_tokens: Most tokens an answer may have, at least 1.
        seed: Seed of the whole run.
        sample: Number of this sample; each one draws differently.
        temperature: 0 takes the most probable token always; higher is more varied.
        top_p: Smallest probability mass to sample from, in (0, 1].
        top_k: Most tokens to sample from, at least 1; `top_p` counts among these.
        repetition_penalty: Divides the positive logits (multiplies the negative ones) of tokens that
            the answer already holds; 1 is off.
        batch_size: Prompts that run together.
        template: Text with ``{prompt}`` in it; by default the tokenizer's chat template, and
            `PLAIN_TEMPLATE` where it has none.
        dtype: Type of the weights in memory, where the model is loaded here.
        progress: Called with the number of finished answers and of all answers.

    Returns:
        One answer per prompt, in the order of `prompts`.

    Raises:
        ValueError: If an option is out of its range.
        ModelError: If the checkpoint cannot be loaded.
    """
    _check(max_new_tokens, temperature, top_p, top_k, repetition_penalty, batch_size, template)
    if isinstance(model, Checkpoint):
        if adapter is not None:
            raise ValueError("an adapter came with a checkpoint that is already loaded; load them together")
        checkpoint = model
    else:
        checkpoint = load_checkpoint(model, adapter, dtype=dtype)
    rows = [
        _Row(
            index=i, prompt=_tokens(checkpoint.tokenizer, text, template), draw=_generator(seed, sample, text)
        )
        for i, text in enumerate(prompts)
    ]
    for row in rows:
        if not row.prompt:
            raise ValueError("a prompt without any token cannot be answered; remove it or use a template")
    rows.sort(key=lambda row: (len(row.prompt), row.prompt))
    sampler = _Sampler(
        temperature=temperature, top_p=top_p, top_k=top_k, repetition_penalty=repetition_penalty
    )
    stop = "" if template is None and getattr(checkpoint.tokenizer, "chat_template", None) else _NEXT_TURN
    results: list[Generated] = [Generated("", "length")] * len(rows)
    done = 0
    for start in range(0, len(rows), batch_size):
        for row, finished in _run_batch(
            checkpoint, rows[start : start + batch_size], sampler, max_new_tokens, stop
        ):
            results[row.index] = _result(checkpoint.tokenizer, row, finished, stop)
            done += 1
            if progress is not None:
                progress(done, len(rows))
    return results


def _check(
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    top_k: int,
    repetition_penalty: float,
    batch_size: int,
    template: str | None,
) -> None:
    if min(max_new_tokens, batch_size, top_k) < 1:
        raise ValueError(
            "max_new_tokens, batch_size and top_k must be at least 1; "
            f"got {max_new_tokens}, {batch_size} and {top_k}"
        )
    if temperature < 0 or not 0 < top_p <= 1 or repetition_penalty <= 0:
        raise ValueError(
            "temperature must be >= 0, top_p in (0, 1] and repetition_penalty > 0; "
            f"got {temperature}, {top_p} and {repetition_penalty}"
        )
    if template is not None and "{prompt}" not in template:
        raise ValueError(f"the template must contain {{prompt}}; got {template!r}")


def _generator(seed: int, sample: int, prompt: str) -> np.random.Generator:
    """A generator that depends on the seed, the sample and the prompt, and on nothing else."""
    digest = hashlib.sha256(f"{seed}\0{sample}\0{prompt}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _tokens(tokenizer: Any, prompt: str, template: str | None) -> list[int]:
    if template is None and getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        return list(tokenizer(text, add_special_tokens=False).input_ids)
    return list(tokenizer((template or PLAIN_TEMPLATE).replace("{prompt}", prompt)).input_ids)


def _result(tokenizer: Any, row: _Row, finished: bool, stop: str) -> Generated:
    text = tokenizer.decode(row.tokens, skip_special_tokens=True)
    if stop:
        text = text.split(stop, 1)[0]
    return Generated(text.strip(), "stop" if finished else "length")


def _end_tokens(checkpoint: Checkpoint) -> set[int]:
    configured = checkpoint.model.generation_config.eos_token_id
    ends = set(configured) if isinstance(configured, list) else {configured}
    return {int(t) for t in ends | {checkpoint.tokenizer.eos_token_id} if t is not None}


def _run_batch(
    checkpoint: Checkpoint, rows: Sequence[_Row], sampler: _Sampler, max_new_tokens: int, stop: str
) -> Iterator[tuple[_Row, bool]]:
    """Run rows together with left padding; a row that ends leaves the batch at once.

    Yields:
        Each row when it is over, and whether it ended by itself.
    """
    import torch
    from transformers import DynamicCache

    model, ends = checkpoint.model, _end_tokens(checkpoint)
    width = max(len(row.prompt) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row.prompt) :] = torch.tensor(row.prompt)
        mask[i, width - len(row.prompt) :] = 1
    position = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    active = list(rows)
    for _ in range(max_new_tokens):
        with torch.inference_mode():
            logits = model(
                input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache,
                use_cache=True, logits_to_keep=1,
            ).logits[:, -1]  # fmt: skip
            chosen = [sampler(row, v) for row, v in zip(active, logits.float().numpy(), strict=True)]
        going = []
        for i, (row, token) in enumerate(zip(active, chosen, strict=True)):
            if token not in ends:
                row.tokens.append(token)
            if token in ends or (stop and stop in checkpoint.tokenizer.decode(row.tokens[-8:])):
                yield row, True
            else:
                going.append(i)
        if not going:
            return
        if len(going) < len(active):
            keep = torch.tensor(going)
            with torch.inference_mode():
                cache.batch_select_indices(keep)
            mask, position = mask[keep], position[keep]
            active = [active[i] for i in going]
        ids = torch.tensor([[row.tokens[-1]] for row in active])
        mask = torch.cat([mask, torch.ones(len(active), 1, dtype=mask.dtype)], dim=1)
        position = position[:, -1:] + 1
    for row in active:
        yield row, False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampler:
    """Choose the next token: penalty, temperature, nucleus, then one uniform number of the row."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float

    def __call__(self, row: _Row, logits: NDArray[np.float32]) -> int:
        if self.repetition_penalty != 1.0 and row.tokens:
            logits = logits.copy()
            held = np.unique(row.tokens)
            seen = logits[held]
            logits[held] = np.where(seen > 0, seen / self.repetition_penalty, seen * self.repetition_penalty)
        if self.temperature == 0:
            return int(logits.argmax())
        best = np.argpartition(-logits, min(self.top_k, len(logits) - 1))[: self.top_k]
        order = best[np.lexsort((best, -logits[best]))]
        scaled = (logits[order] - logits[order[0]]).astype(np.float64) / self.temperature
        mass = np.cumsum(np.exp(scaled))
        total = mass[-1] * self.top_p
        last = int(np.searchsorted(mass, total))
        draw = row.draw.random() * mass[min(last, len(mass) - 1)]
        return int(order[np.searchsorted(mass, draw, side="right")])
