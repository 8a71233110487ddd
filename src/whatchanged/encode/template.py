"""Prompt and answer as the reader sees them, with the answer's tokens known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["PLAIN", "Template", "Tokenised"]

PLAIN = "User:\n{prompt}\n\nAssistant:\n{answer}"
"""Template for base models, after the beginning-of-sequence token; documented in the README."""

Style = Literal["chat", "plain", "answer"]


@dataclass(frozen=True, slots=True)
class Tokenised:
    """Token ids of one document.

    Attributes:
        ids: The whole sequence, special tokens included.
        start: Index of the answer's first token in `ids`.
        cut: Whether prompt or answer was cut to the reader's limit.
    """

    ids: tuple[int, ...]
    start: int
    cut: bool


class Template:
    """Turns a prompt and an answer into token ids.

    The part before the answer and the answer are tokenised apart, so the boundary is exact and the
    answer's tokens do not depend on the prompt.

    Args:
        tokenizer: A Hugging Face tokenizer.
        limit: Longest sequence in tokens. A prefix longer than half of it loses its beginning (its
            first token, the beginning-of-sequence token, stays); the answer loses its end.
        include_prompt: ``False`` shows the reader the answer alone.

    Attributes:
        style: ``chat`` (the tokenizer's own chat template), ``plain`` (`PLAIN`) or ``answer``.
    """

    def __init__(self, tokenizer: Any, *, limit: int = 2048, include_prompt: bool = True) -> None:
        if limit < 32:
            raise ValueError(f"limit must be at least 32 tokens; got {limit}")
        self.tokenizer = tokenizer
        self.limit = limit
        self.style: Style = (
            "answer"
            if not include_prompt
            else "chat"
            if getattr(tokenizer, "chat_template", None)
            else "plain"
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two encodings comparable: style, template text and limit."""
        text = {"chat": getattr(self.tokenizer, "chat_template", None), "plain": PLAIN, "answer": ""}[
            self.style
        ]
        return {"style": self.style, "template": text, "limit": self.limit}

    def prefixes(self, prompts: Sequence[str | None]) -> list[list[int]]:
        """Token ids that come before the answer, for each prompt; ``None`` means no prompt is known."""
        bos = self.tokenizer.bos_token_id
        start = [] if bos is None else [bos]
        known = [p for p in prompts if p is not None and self.style != "answer"]
        if self.style == "chat":
            texts = [
                self.tokenizer.apply_chat_template(
                    [{"role": "user", "content": p}], tokenize=False, add_generation_prompt=True
                )
                for p in known
            ]
            rows = iter(self._ids(texts))
            return [list(start) if p is None else _with_start(next(rows), start) for p in prompts]
        rows = iter(self._ids([PLAIN.format(prompt=p, answer="") for p in known]))
        return [start + (next(rows) if p is not None and self.style == "plain" else []) for p in prompts]

    def tokenise(self, prompts: Sequence[str | None], answers: Sequence[str]) -> list[Tokenised]:
        """Token ids of many documents; nothing is dropped, cuts are flagged."""
        documents = []
        for prefix, answer in zip(self.prefixes(prompts), self._ids(answers), strict=True):
            room = self.limit // 2
            kept = prefix if len(prefix) <= room else prefix[:1] + prefix[len(prefix) - room + 1 :]
            ids = kept + answer[: self.limit - len(kept)]
            cut = len(kept) < len(prefix) or len(ids) < len(kept) + len(answer)
            documents.append(Tokenised(ids=tuple(ids), start=len(kept), cut=cut))
        return documents

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        rows: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return rows


def _with_start(ids: list[int], start: list[int]) -> list[int]:
    """Chat templates mostly write the beginning-of-sequence token themselves."""
    return ids if ids[: len(start)] == start else start + ids
