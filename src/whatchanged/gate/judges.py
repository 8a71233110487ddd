"""The judges of a gate: asked once, limited together, and what they took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.gate.claims import Claim

if TYPE_CHECKING:
    from whatchanged.interpret import Asker
    from whatchanged.llm import Price

__all__ = ["judges_of", "judges_said"]


def judges_of(
    claims: Mapping[str, Claim],
    *,
    cost_limit: float | None = None,
    prices: Mapping[str, Price] | None = None,
    copies: Path | None = None,
) -> dict[str, Asker]:
    """The chat models that claims name, ready to be asked; what one said before is not paid for again.

    Args:
        claims: What hypotheses rest on.
        cost_limit: US dollars for all of them together; nothing is sent that could pass it.
        prices: Prices by model name, for providers that list none.
        copies: Folder that gets a copy of every reply, beside the cache.

    Raises:
        ValueError: A name is no chat model's.
        AccessDenied: A key is missing.
        InputError: There is a limit, and no price.
    """
    from whatchanged.interpret import Asker, LabelStore
    from whatchanged.llm import chat_model
    from whatchanged.llm.limited import Limited, Purse

    purse = None if cost_limit is None else Purse(cost_limit)
    found = {}
    for name in dict.fromkeys(claim.judge for claim in claims.values() if claim.judge is not None):
        model = chat_model(name)
        limited = model if purse is None else Limited(model, purse, prices)
        found[name] = Asker(model=limited, store=LabelStore(copies=copies))
    return found


def judges_said(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each judge that was asked: calls, cost, and what did not come."""
    lines = []
    for name, one in summaries.items():
        cost = "cost unknown" if one["cost"] is None else f"${one['cost']:,.4f}"
        if one["cost"] is not None and one["calls_of_unknown_cost"]:
            cost += f" and {one['calls_of_unknown_cost']:,} calls of unknown cost"
        kept = f", {one['from_store']:,} decisions kept from before" if one["from_store"] else ""
        lost = f", {one['unanswered']:,} pairs undecided" if one["unanswered"] else ""
        lines.append(f"judge {name}: {one['calls']:,} calls, {cost}{kept}{lost}")
    return lines
