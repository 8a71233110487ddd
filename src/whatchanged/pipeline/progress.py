"""Where long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whatchanged.responses.collect import CollectProgress

__all__ = ["Progress"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where long work tells how far it is; both calls may be left out.

    Attributes:
        stage: Called with a line when something begins.
        tokens: Called with tokens done and tokens in all while answers are read.
        calls: Called with how far a collection is while models are asked.
    """

    stage: Callable[[str], None] | None = None
    tokens: Callable[[int, int], None] | None = None
    calls: Callable[[CollectProgress], None] | None = None
