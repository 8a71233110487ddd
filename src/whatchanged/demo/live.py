"""Generate the demo's answers again from the two checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from whatchanged.artifacts import PromptSet
from whatchanged.demo.shipped import Side, adapter_path, demo_prompts
from whatchanged.models.generate import generate
from whatchanged.models.lora import Dtype

__all__ = ["AnswerRow", "generate_answers"]


class AnswerRow(TypedDict):
    """One line of an answers file."""

    prompt_id: str
    prompt: str
    category: str | None
    model: str
    sample: int
    text: str
    finish_reason: str


def generate_answers(
    side: Side,
    prompts: PromptSet | None = None,
    *,
    model_path: Path | None = None,
    adapter: Path | None = None,
    max_new_tokens: int = 96,
    temperature: float = 0.5,
    top_p: float = 0.95,
    seed: int = 0,
    sample: int = 0,
    batch_size: int = 52,
    dtype: Dtype = "float32",
    progress: Callable[[int, int], None] | None = None,
) -> list[AnswerRow]:
    """Answers of one side to the prompts; the defaults are those of the shipped files.

    Args:
        side: ``"before"`` or ``"after"``; the model is named ``demo-before`` or ``demo-after``.
        prompts: What to answer; the prompts of the demo by default.
        model_path: Base model; the embedded reader by default.
        adapter: Adapter folder; the shipped one of this side by default.
        max_new_tokens: Most tokens an answer may have.
        temperature: As in `whatchanged.models.generate.generate`.
        top_p: As there.
        seed: Seed of the run.
        sample: Number of the sample; each one draws differently.
        batch_size: Prompts that run together.
        dtype: Type of the weights in memory.
        progress: Called with the number of finished answers and of all answers.

    Raises:
        ValueError: If `side` or an option is out of its range.
        ModelError: If the checkpoint cannot be loaded.
    """
    adapter = adapter or adapter_path(side)
    if model_path is None:
        from whatchanged.models.embedded import reader_path

        model_path = reader_path()
    asked = list(prompts if prompts is not None else demo_prompts())
    answers = generate(
        model_path, adapter, [p.text for p in asked], max_new_tokens=max_new_tokens, temperature=temperature,
        top_p=top_p, seed=seed, sample=sample, batch_size=batch_size, dtype=dtype, progress=progress,
    )  # fmt: skip
    return [
        AnswerRow(
            prompt_id=p.id, prompt=p.text, category=p.category, model=f"demo-{side}", sample=sample,
            text=answer.text, finish_reason=answer.finish_reason,
        )
        for p, answer in zip(asked, answers, strict=True)
    ]  # fmt: skip
