"""Answers: what came back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from whatchanged.artifacts.prompts import Dropped, PromptSet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answer", "Responses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sampled answer of one checkpoint.

    Attributes:
        prompt_id: Prompt it answers.
        model: Checkpoint name, one of `Responses.models`.
        sample: Index of the sample, from 0.
        text: The answer; never empty.
        finish_reason: Why the model stopped, as the provider said; ``"length"`` means truncated.
    """

    prompt_id: str
    model: str
    text: str
    sample: int = 0
    finish_reason: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether the model ran out of tokens before it had finished."""
        return self.finish_reason in {"length", "max_tokens", "MAX_TOKENS"}


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The answers of two or more checkpoints to the same prompts.

    Attributes:
        prompts: Prompts that at least two checkpoints answered.
        models: Checkpoint names; the first is *before* (the baseline).
        answers: Usable answers in canonical order (prompt, model, sample).
        dropped: Whatever did not take part, one entry each.
        source: Where the answers came from, for the manifest.
    """

    prompts: PromptSet
    models: tuple[str, ...]
    answers: tuple[Answer, ...]
    dropped: tuple[Dropped, ...] = ()
    source: str = "memory"

    def __post_init__(self) -> None:
        if len(self.models) < 2 or len(set(self.models)) != len(self.models):
            raise ValueError(f"two or more distinct model names are needed; got {self.models!r}")
        rank = {m: i for i, m in enumerate(self.models)}
        unknown = {a.model for a in self.answers} - rank.keys()
        if unknown:
            raise ValueError(
                f"answers of models that are not listed: {sorted(unknown)!r}; add them to models"
            )
        missing = {a.prompt_id for a in self.answers} - self.prompts.position.keys()
        if missing:
            raise ValueError(f"answers to prompts that are not in the set: {sorted(missing)[:3]!r}")
        order = self.prompts.position
        answers = tuple(sorted(self.answers, key=lambda a: (order[a.prompt_id], rank[a.model], a.sample)))
        object.__setattr__(self, "answers", answers)

    @property
    def before(self) -> str:
        """Name of the baseline checkpoint."""
        return self.models[0]

    @property
    def after(self) -> str:
        """Name of the checkpoint compared with it."""
        return self.models[1]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many answers were dropped for each reason, and how many kept ones are truncated."""
        counts = dict(sorted(Counter(d.reason for d in self.dropped).items()))
        truncated = sum(a.truncated for a in self.answers)
        return counts | ({"truncated": truncated} if truncated else {})

    def rows(self, model: str) -> dict[str, list[int]]:
        """Positions in `answers` of one model's samples, by prompt id."""
        if model not in self.models:
            raise ValueError(f"no model {model!r} here; choose from {list(self.models)}")
        found: dict[str, list[int]] = {}
        for i, answer in enumerate(self.answers):
            if answer.model == model:
                found.setdefault(answer.prompt_id, []).append(i)
        return found

    def swapped(self) -> Responses:
        """The same answers with *before* and *after* exchanged."""
        return replace(self, models=(self.models[1], self.models[0], *self.models[2:]))

    def to_pandas(self) -> pd.DataFrame:
        """One row per answer: prompt_id, prompt, category, model, sample, text, finish_reason."""
        import pandas as pd

        prompt = self.prompts.by_id
        return pd.DataFrame(
            {
                "prompt_id": [a.prompt_id for a in self.answers],
                "prompt": [prompt[a.prompt_id].text for a in self.answers],
                "category": [prompt[a.prompt_id].category for a in self.answers],
                "model": [a.model for a in self.answers],
                "sample": [a.sample for a in self.answers],
                "text": [a.text for a in self.answers],
                "finish_reason": [a.finish_reason for a in self.answers],
            }
        )
