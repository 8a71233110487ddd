"""A model with a limit: hand-worked sums, shared purses, and what failures count as."""

from __future__ import annotations

import asyncio

import pytest

from whatchanged.artifacts import Message
from whatchanged.errors import BadReply, BudgetExhausted, InputError, Unavailable
from whatchanged.llm import ChatRequest, Price, ScriptedModel
from whatchanged.llm.limited import Limited, Purse

PER_REQUEST = Price(prompt=0.0, completion=0.0, request=1.0)
"""A dollar a call at worst, and by the list."""


def ask(model: Limited, n: int = 1) -> list[str]:
    request = ChatRequest(messages=(Message(role="user", content="hello"),))

    async def all_() -> list[str]:
        return [reply.text for reply in await asyncio.gather(*(model.reply(request) for _ in range(n)))]

    return asyncio.run(all_())


def test_nothing_is_sent_that_could_pass_the_limit_even_at_once() -> None:
    purse = Purse(2.5)
    within = ScriptedModel(lambda r: "yes", price=PER_REQUEST)
    model = Limited(within, purse)
    assert ask(model, 2) == ["yes", "yes"]
    assert (purse.spent, purse.reserved, purse.left) == (2.0, 0.0, 0.5)
    with pytest.raises(BudgetExhausted, match=r"could cost \$1\.0000, and \$0\.5000 of \$2\.5 are left"):
        ask(model)
    assert len(within.requests) == 2
    assert (model.name, model.identity) == (within.name, within.identity)


def test_models_share_a_purse_and_prices_may_come_from_a_file() -> None:
    purse = Purse(1.0)
    first = Limited(ScriptedModel(lambda r: "a", price=PER_REQUEST), purse)
    second = Limited(ScriptedModel(lambda r: "b"), purse, {"scripted": PER_REQUEST})
    assert ask(second) == ["b"]
    assert purse.spent == 0.0, "it told that it cost nothing, and what is told counts"
    assert ask(first) == ["a"]
    with pytest.raises(BudgetExhausted):
        ask(second)


def test_failures_cost_what_was_told_nothing_where_free_and_else_the_worst() -> None:
    purse = Purse(10.0)
    turns = [
        Unavailable("never reached", free=True),
        BadReply("cut", usage={"cost": 0.25}),
        BadReply("who knows"),
    ]
    model = Limited(ScriptedModel(turns, price=PER_REQUEST), purse)
    for spent in (0.0, 0.25, 1.25):
        with pytest.raises((Unavailable, BadReply)):
            ask(model)
        assert purse.spent == spent


class Silent(ScriptedModel):
    """A model whose provider lists no price."""

    async def price(self) -> None:  # type: ignore[override]
        return None


def test_without_a_price_a_limit_is_refused() -> None:
    with pytest.raises(InputError, match="no price of scripted is known"):
        Limited(Silent([]), Purse(1.0))
    with pytest.raises(ValueError, match="0 or more US dollars; got -1"):
        Purse(-1)
