"""A chat model that cannot cost more than it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatchanged.errors import BudgetExhausted, InputError, LLMError
from whatchanged.llm.blocking import run_blocking
from whatchanged.llm.prices import Price, Priced
from whatchanged.llm.protocol import ChatModel, ChatRequest, Reply, Usage

__all__ = ["Limited", "Purse"]


class Purse:
    """Money for one or several models, in US dollars.

    Args:
        limit: Most that may be spent.

    Raises:
        ValueError: The limit is negative or no number.
    """

    def __init__(self, limit: float) -> None:
        if not limit >= 0:
            raise ValueError(f"cost_limit must be 0 or more US dollars; got {limit}")
        self.limit, self.spent, self.reserved = limit, 0.0, 0.0

    @property
    def left(self) -> float:
        """What is neither spent nor reserved; never negative."""
        return max(self.limit - self.spent - self.reserved, 0.0)


class Limited:
    """A chat model that reserves the worst case of every request before it is sent.

    What a failed or cancelled call came to counts as its worst case, unless the provider told.

    Args:
        model: The model.
        purse: What it may spend; models can share one.
        prices: Prices by name, for providers that list none.

    Raises:
        InputError: No price is known, so a limit could not be kept.
    """

    def __init__(self, model: ChatModel, purse: Purse, prices: Mapping[str, Price] | None = None) -> None:
        self._model, self._purse = model, purse
        price = (prices or {}).get(model.name) or run_blocking(self._ask_price)
        if price is None:
            raise InputError(
                f"no price of {model.name} is known, so no cost limit can be kept; name it in a file of prices"
            )
        self._price = price

    @property
    def name(self) -> str:
        """Name of the model within."""
        return self._model.name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identity of the model within: its answers are the same."""
        return self._model.identity

    async def reply(self, request: ChatRequest) -> Reply:
        """Answer one request.

        Raises:
            BudgetExhausted: It could cost more than is left; nothing was sent.
            LLMError: The model's own failure.
        """
        worst = self._price.worst(request)
        if worst > self._purse.left:
            raise BudgetExhausted(
                f"the next call to {self.name} could cost ${worst:.4f}, and ${self._purse.left:.4f} of "
                f"${self._purse.limit:g} are left; raise the limit and run it again, nothing is paid twice",
                free=True,
            )
        self._purse.reserved += worst
        cost = worst
        try:
            reply = await self._model.reply(request)
            cost = self._cost(reply.usage, worst)
            return reply
        except LLMError as error:
            told = error.usage or {}
            cost = 0.0 if error.free else worst if told.get("cost") is None else float(told["cost"] or 0.0)
            raise
        finally:
            self._purse.reserved = max(0.0, self._purse.reserved - worst)
            self._purse.spent += cost

    async def close(self) -> None:
        """Let go of what the model within holds."""
        await self._model.close()

    def _cost(self, usage: Usage, worst: float) -> float:
        if usage.cost is not None:
            return usage.cost
        listed = self._price.cost(usage)
        return worst if listed is None else listed

    async def _ask_price(self) -> Price | None:
        try:
            return await self._model.price() if isinstance(self._model, Priced) else None
        finally:
            await self._model.close()
