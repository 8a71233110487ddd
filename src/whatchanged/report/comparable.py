"""Whether the answers are fit to be compared, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from whatchanged.artifacts import Responses
from whatchanged.text.screen import SHARES, screen

__all__ = ["Screened", "Share", "screened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of one kind of answers on both sides; `apart` says whether they differ notably."""

    name: str
    before: float | None
    after: float | None
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What could pass for a behaviour in one comparison: answers that are cut, refused, empty, repeated.

    Attributes:
        after: The checkpoint compared with the baseline.
        shares: Every share that was looked at.
        prompts: Prompts that both answered.
        identical, near_identical: Share of them with the same answer on both sides, and nearly the same.
        warnings: Sentences about what differs notably.
    """

    after: str
    shares: tuple[Share, ...]
    prompts: int
    identical: float
    near_identical: float
    warnings: tuple[str, ...]


def screened(responses: Responses, before: str, afters: Iterable[str]) -> tuple[Screened, ...]:
    """Whether the answers of each comparison with the baseline are fit to be compared."""
    return tuple(_screened(responses, before, after) for after in afters)


def _screened(responses: Responses, before: str, after: str) -> Screened:
    result = screen(responses, after, before=before)
    return Screened(
        after=after,
        shares=tuple(
            Share(
                name=words,
                before=getattr(result.before, share),
                after=getattr(result.after, share),
                apart=share in result.differing,
            )
            for share, words in SHARES.items()
        ),
        prompts=result.prompts,
        identical=result.identical,
        near_identical=result.near_identical,
        warnings=result.warnings,
    )
