"""Prompts with a truncated answer, left out in pairs."""

from __future__ import annotations

from dataclasses import replace

from whatchanged.artifacts import Dropped, Responses
from whatchanged.errors import InputError

__all__ = ["without_truncated"]


def without_truncated(responses: Responses) -> Responses:
    """The same without the prompts that any checkpoint's answer was cut off on.

    All answers to such a prompt leave, so that both sides lose the same prompts: what is truncated
    as ``truncated``, what is whole as ``partner_truncated``. Swapping the sides changes nothing.

    Raises:
        InputError: No prompt is left.
    """
    cut = {a.prompt_id for a in responses.answers if a.truncated}
    if not cut:
        return responses
    kept = tuple(p for p in responses.prompts if p.id not in cut)
    if not kept:
        raise InputError(
            f"all of {len(cut)} prompts have a truncated answer; collect again with more tokens, or keep truncated "
            "answers"
        )
    left = tuple(
        Dropped(
            reason="truncated" if a.truncated else "partner_truncated",
            prompt_id=a.prompt_id,
            model=a.model,
            sample=a.sample,
        )
        for a in responses.answers
        if a.prompt_id in cut
    )
    return replace(
        responses,
        prompts=replace(responses.prompts, prompts=kept),
        answers=tuple(a for a in responses.answers if a.prompt_id not in cut),
        dropped=(*responses.dropped, *left),
    )
