"""What the writing model is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whatchanged.artifacts import Message
from whatchanged.llm import ChatRequest
from whatchanged.prompts.categories import Brief

__all__ = ["ask_for", "purpose_of"]

_SYSTEM = (
    "You write test prompts that make two versions of a language model show how their answers differ. "
    "A prompt is a message that a person could really send to an assistant: complete in itself, harmless, and "
    "such that versions with different habits would answer it in visibly different ways. You never answer a "
    "prompt, you never describe one, and you leave no blanks to fill in. You reply with JSON only."
)
_PLAIN = '{"prompts": [{"prompt": "...", "reveals": "..."}]}'
_CHAT = (
    '{"prompts": [{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}, '
    '{"role": "user", "content": "..."}], "reveals": "..."}]}'
)
_ANGLES = (
    "work in an office", "a workshop or farm", "school and study", "health and the body", "money and contracts",
    "travel", "family life", "neighbours and clubs", "music, film and books", "science and nature", "history",
    "sport and games", "technology at home", "law and rules", "language itself", "animals and gardens",
)  # fmt: skip
_VOICES = (
    "curt", "chatty", "formal", "worried", "impatient", "a child", "an expert", "a beginner", "ironic",
    "very polite", "full of detail", "vague",
)  # fmt: skip
_SHOWN = 30
_CUT = 160


def purpose_of(question: str | None, before: str | None, after: str | None) -> str:
    """What the prompts are for, in one or two sentences.

    Raises:
        ValueError: There is neither a question nor the names of both models.
    """
    if question is not None and question.strip():
        asked = f"The question that the answers shall settle: {question.strip()}"
    elif before and after:
        asked = "Find out in what ways the two versions differ, whatever these are."
    else:
        raise ValueError(
            "say what the prompts are for: question='does the new model hedge more?', or before= and after="
        )
    return f"{asked} The versions are {before} and {after}." if before and after else asked


def ask_for(
    n: int,
    category: str,
    brief: Brief,
    *,
    purpose: str,
    taken: Sequence[str],
    seed: int,
    max_tokens: int,
    temperature: float | None,
) -> ChatRequest:
    """A request for `n` prompts of one category.

    Args:
        n: How many.
        category: Its name.
        brief: What its prompts must be.
        purpose: See `purpose_of`.
        taken: Prompts of the category that exist; the latest are shown.
        seed: Chooses subjects and voices, and seeds the model's sampling.
        max_tokens: Limit of the reply.
        temperature: Of the sampling.
    """
    rng = np.random.default_rng(seed)
    subjects = ", ".join(_ANGLES[i] for i in rng.permutation(len(_ANGLES))[:5])
    voices = ", ".join(_VOICES[i] for i in rng.permutation(len(_VOICES))[:4])
    shown = [" ".join(text.split())[:_CUT] for text in taken[-_SHOWN:]]
    parts = [
        purpose,
        f"Category: {category}. Its prompts are: {brief.asks}.",
        f"Write {n} new prompts of this category, each of {brief.least} to {brief.most} words, different from one "
        f"another in subject, length and difficulty. Draw on subjects such as {subjects}, and on voices such as "
        f'{voices}. "reveals" says in at most fifteen words which difference between versions the prompt brings out.',
    ]
    if shown:
        parts.append(
            "These exist; neither repeat nor paraphrase them:\n" + "\n".join(f"- {t}" for t in shown)
        )
    shape = _CHAT if brief.turns > 1 else _PLAIN
    parts.append(f"Reply with this JSON and nothing else:\n{shape}")
    return ChatRequest(
        messages=(
            Message(role="system", content=_SYSTEM),
            Message(role="user", content="\n\n".join(parts)),
        ),
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
