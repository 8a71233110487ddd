"""The cost limit: every request's worst case is reserved before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from whatchanged.errors import BudgetExhausted, LLMError
from whatchanged.llm.prices import FREE, Price, Priced
from whatchanged.llm.protocol import Batching, ChatModel, ChatRequest, Usage
from whatchanged.responses.collect.calls import Key
from whatchanged.responses.collect.lines import Line

__all__ = ["Bill", "Budget", "known_price", "refuse_unpriced", "spent"]


@dataclass(frozen=True, slots=True)
class Bill:
    """What one request came to.

    Attributes:
        cost: US dollars, where they are known.
        charged: US dollars that count against the limit; the worst case where the cost is unknown
            but could be something, ``None`` where not even a price is known.
    """

    cost: float | None
    charged: float | None


class Budget:
    """Money spent, reserved and allowed, in US dollars.

    Args:
        limit: Most that may be spent, earlier calls of the folder included; ``None`` is no limit.
        spent: What was spent before.
        prices: Price of each model by name; under a limit, of every model.
    """

    def __init__(self, limit: float | None, spent: float, prices: Mapping[str, Price]) -> None:
        if limit is not None and not limit >= 0:
            raise ValueError(f"cost_limit must be 0 or more US dollars; got {limit}")
        self.limit, self.spent, self._prices = limit, spent, prices
        self.reserved = 0.0
        self.known = 0.0
        self.overrun = False

    def worst(self, model: str, request: ChatRequest) -> float:
        """The most a request can cost; 0 where no price is known, which under a limit cannot be."""
        price = self._prices.get(model)
        assert price is not None or self.limit is None, "a limit needs every price"
        return price.worst(request) if price else 0.0

    def reserve(self, worst: float) -> bool:
        """Take the worst case of a request; ``False``, and nothing taken, if it could pass the limit."""
        if self.limit is not None and self.spent + self.reserved + worst > self.limit:
            return False
        self.reserved += worst
        return True

    def settle(self, model: str, worst: float, outcome: Usage | LLMError) -> Bill:
        """Give back what was reserved, and count what the request came to."""
        self.reserved = max(0.0, self.reserved - worst)
        usage = outcome if isinstance(outcome, Usage) else _usage(outcome)
        price = self._prices.get(model)
        cost = usage.cost if usage.cost is not None else price.cost(usage) if price else None
        if cost is None and isinstance(outcome, LLMError) and outcome.free:
            cost = 0.0
        charged = cost if cost is not None else worst if price else None
        self.known += cost or 0.0
        self.spent += charged or 0.0
        if price and charged is not None and charged > worst * (1 + 1e-9) + 1e-12:
            self.overrun = True
        return Bill(cost, charged)


def _usage(error: LLMError) -> Usage:
    told = error.usage or {}
    prompt, completion = told.get("prompt_tokens"), told.get("completion_tokens")
    return Usage(
        prompt_tokens=None if prompt is None else int(prompt),
        completion_tokens=None if completion is None else int(completion),
        cost=told.get("cost"),
    )


def spent(lines: Iterable[Line], prices: Mapping[str, Price], worst: Mapping[str, float]) -> float:
    """What the calls of a log came to, for the limit.

    Args:
        lines: The log.
        prices: Price by model.
        worst: The most one request to a model can cost, for lines that do not say what they came to.
    """
    total = 0.0
    under_way: dict[Key, float] = {}
    for line in lines:
        if line.event == "sent":
            total += under_way.pop(line.key, 0.0)
            under_way[line.key] = line.charged or 0.0
            continue
        under_way.pop(line.key, None)
        charged = line.charged
        if charged is None and line.model in prices:
            charged = prices[line.model].cost(line.tokens)
        total += worst.get(line.model, 0.0) if charged is None else charged
    return total + sum(under_way.values())


async def known_price(name: str, model: ChatModel, table: Mapping[str, Price]) -> Price | None:
    """A model's price: the user's, nothing for weights of this machine, else its provider's."""
    if name in table or model.name in table:
        return table.get(name) or table[model.name]
    if isinstance(model, Batching):
        return FREE
    return await model.price() if isinstance(model, Priced) else None


def refuse_unpriced(names: Iterable[str], limit: float) -> None:
    """Raise `BudgetExhausted` for models without a price."""
    missing = list(names)
    if missing:
        raise BudgetExhausted(
            f"no price is known of {' and '.join(missing)}, so a limit of ${limit:g} cannot be kept; nothing was "
            f'sent; give prices=FILE with ["{missing[0]}"] prompt = ..., completion = ... in dollars per million '
            "tokens"
        )
