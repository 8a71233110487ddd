"""Sample answers from a checkpoint of this machine, in batches, each prompt with its own seed.

The order of the prompts changes nothing, because the batch plan does not depend on it and every prompt
has draws of its own; see `whatchanged.models.decode` for what another batch size may change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from whatchanged.artifacts import Message
from whatchanged.models.chat import PLAIN_TEMPLATE, ChatFormat
from whatchanged.models.decode import Row, write
from whatchanged.models.lora import Checkpoint, Dtype, load_checkpoint
from whatchanged.models.sampling import Sampling

__all__ = ["PLAIN_TEMPLATE", "Generated", "generate", "row_seed"]


class Generated(NamedTuple):
    """One answer.

    Attributes:
        text: The answer without special tokens and outer white space; may be empty.
        finish_reason: ``stop`` if the model ended its answer, ``length`` if it ran out of tokens.
    """

    text: str
    finish_reason: str


def generate(
    model: Path | str | Checkpoint,
    adapter: Path | str | None,
    prompts: Sequence[str | Sequence[Message]],
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
        prompts: What to answer: a text, or the turns of a chat. Equal prompts get equal answers; ask for
            another `sample` instead.
        max_new_tokens: Most tokens an answer may have, at least 1.
        seed: Seed of the whole run.
        sample: Number of this sample; each one draws differently.
        temperature: As in `whatchanged.models.sampling.Sampling`.
        top_p: As there.
        top_k: As there.
        repetition_penalty: As there.
        batch_size: Prompts that run together.
        template: Text with ``{prompt}`` in it, for prompts of one turn; by default the tokenizer's chat template,
            and `whatchanged.models.chat.PLAIN_CHAT_TEMPLATE` where it has none.
        dtype: Type of the weights in memory, where the model is loaded here.
        progress: Called with the number of finished answers and of all answers.

    Returns:
        One answer per prompt, in the order of `prompts`.

    Raises:
        ValueError: If an option is out of its range, or a prompt cannot be put to the model (no token, no turn to
            be answered, turns its template refuses).
        ModelError: If the checkpoint cannot be loaded.
    """
    if min(max_new_tokens, batch_size) < 1:
        raise ValueError(
            f"max_new_tokens and batch_size must be at least 1; got {max_new_tokens} and {batch_size}"
        )
    sampling = Sampling(
        temperature=temperature, top_p=top_p, top_k=top_k, repetition_penalty=repetition_penalty
    )
    if template is not None and "{prompt}" not in template:  # said before minutes of loading
        raise ValueError(f"the template must contain {{prompt}}; got {template!r}")
    if isinstance(model, Checkpoint):
        if adapter is not None:
            raise ValueError("an adapter came with a checkpoint that is already loaded; load them together")
        checkpoint = model
    else:
        checkpoint = load_checkpoint(model, adapter, dtype=dtype)
    form = ChatFormat.of(checkpoint.tokenizer, template)
    chats = [(Message(role="user", content=p),) if isinstance(p, str) else tuple(p) for p in prompts]
    rows = [
        Row(
            prompt=tuple(form.tokens(chat)), seed=row_seed(seed, sample, chat), sampling=sampling,
            max_tokens=max_new_tokens, stop=form.stop,
        )
        for chat in chats
    ]  # fmt: skip
    results: dict[int, Generated] = {}
    for index, written in write(checkpoint, rows, batch_size=batch_size):
        results[index] = Generated(written.text, written.finish_reason)
        if progress is not None:
            progress(len(results), len(rows))
    return [results[i] for i in range(len(rows))]


def row_seed(seed: int, sample: int, chat: Sequence[Message]) -> int:
    """A seed that depends on the run's seed, the sample and the chat, and on nothing else."""
    if len(chat) == 1 and chat[0].role == "user":
        asked = chat[0].content
    else:
        asked = json.dumps([[turn.role, turn.content] for turn in chat], ensure_ascii=False)
    digest = hashlib.sha256(f"{seed}\0{sample}\0{asked}".encode()).digest()
    return int.from_bytes(digest[:16], "big")
