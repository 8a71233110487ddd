"""Answers in which a behaviour has known counts."""

from __future__ import annotations

import whatchanged as wc


def answers(
    both: int, candidate_only: int, baseline_only: int, neither: int, *, mark: str = "Sorry, no."
) -> wc.Responses:
    """Prompts of four kinds; `mark` begins an answer that has the behaviour."""
    kinds = [(True, True)] * both + [(False, True)] * candidate_only
    kinds += [(True, False)] * baseline_only + [(False, False)] * neither
    found = []
    for i, kind in enumerate(kinds):
        for model, has in zip(("old", "new"), kind, strict=True):
            text = f"{mark} Here is item {i}." if has else f"Here is item {i}."
            found.append(wc.Answer(prompt_id=f"p{i}", model=model, text=text))
    prompts = tuple(wc.Prompt(id=f"p{i}", text=f"question number {i}") for i in range(len(kinds)))
    return wc.Responses(prompts=wc.PromptSet(prompts=prompts), models=("old", "new"), answers=tuple(found))
