"""A chat model that says what it was told to: for tests, demonstrations and recorded runs."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from whatchanged.errors import (
    AccessDenied,
    BadReply,
    ContentRefused,
    InputError,
    LLMError,
    RateLimited,
    RequestRejected,
    Unavailable,
)
from whatchanged.llm.prices import FREE, Price
from whatchanged.llm.protocol import ChatRequest, Reply, Usage

__all__ = ["Rule", "ScriptedModel"]

_FAILURES: Mapping[str, type[LLMError]] = {
    kind.kind: kind
    for kind in (RateLimited, Unavailable, BadReply, ContentRefused, RequestRejected, AccessDenied)
}

Says = str | Reply | LLMError
"""What one turn of a script gives: a text, a whole reply, or a failure to raise."""

Script = Callable[[ChatRequest], Says | Awaitable[Says]] | Sequence[Says]


class Rule(BaseModel):
    """One line of a script file: when the last message matches, say this.

    Attributes:
        match: Regular expression searched in the last message; empty matches everything.
        text: The answer.
        finish_reason: Why it ended.
        reasoning: Reasoning text.
        fail: A failure instead of an answer: ``rate_limited``, ``unavailable``, ``bad_reply``,
            ``content_refused``, ``request_rejected`` or ``access_denied``.
        times: How often the rule may be used; ``None`` is without limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    match: str = ""
    text: str = ""
    finish_reason: str = "stop"
    reasoning: str | None = None
    fail: str | None = None
    times: int | None = None


class ScriptedModel:
    """A chat model with a script.

    Args:
        script: A function of the request, plain or a coroutine, or a sequence of turns given out in
            order; a turn is a text, a `Reply`, or an `LLMError` to be raised.
        name: Name of the model.
        identity: What else tells it apart from other scripts, for logs and caches.
        price: What it costs, to try out limits; nothing by default. Words count as tokens.

    Attributes:
        requests: Every request it was asked, in order.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        identity: Mapping[str, Any] | None = None,
        price: Price = FREE,
    ) -> None:
        self._script, self._name, self._price = script, name, price
        self._identity = {"kind": "scripted", "name": name, **(identity or {})}
        self.requests: list[ChatRequest] = []

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, name: str | None = None) -> ScriptedModel:
        """A model that follows the rules of a JSONL file, one `Rule` a line; the first that matches answers.

        Raises:
            InputError: A line is no rule, or its expression or failure is unknown.
        """
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"the script cannot be read: {error.strerror}", where=str(path)) from error
        rules = [
            _rule(line, f"{path.name}:{number}")
            for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1)
            if line.strip()
        ]
        digest = hashlib.sha256(data).hexdigest()[:16]
        return cls(_Rules(rules), name=name or f"scripted:{path}", identity={"script": digest})

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Its name, and of a script file the checksum."""
        return self._identity

    async def reply(self, request: ChatRequest) -> Reply:
        """The script's next turn.

        Raises:
            LLMError: The failure the script gives, or `RequestRejected` when it has nothing left to say.
        """
        turn = len(self.requests)
        self.requests.append(request)
        if callable(self._script):
            said = self._script(request)
            if inspect.isawaitable(said):
                said = await said
        elif turn < len(self._script):
            said = self._script[turn]
        else:
            said = RequestRejected(
                f"the script of {self._name} has only {len(self._script)} turns", free=True
            )
        if isinstance(said, LLMError):
            raise said
        if isinstance(said, Reply):
            return said
        words = sum(len(m.content.split()) for m in request.messages), len(said.split())
        usage = Usage(prompt_tokens=words[0], completion_tokens=words[1])
        return Reply(
            text=said,
            finish_reason="stop",
            served_model=self._name,
            usage=Usage(prompt_tokens=words[0], completion_tokens=words[1], cost=self._price.cost(usage)),
        )

    async def price(self) -> Price:
        """What it costs."""
        return self._price

    async def close(self) -> None:
        """Nothing is held."""


class _Rules:
    """The first rule that matches and is not used up."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [(re.compile(rule.match), rule) for rule in rules]
        self._left = [rule.times for rule in rules]

    def __call__(self, request: ChatRequest) -> Says:
        said = request.messages[-1].content
        for i, (pattern, rule) in enumerate(self._rules):
            left = self._left[i]
            if left == 0 or not pattern.search(said):
                continue
            if left is not None:
                self._left[i] = left - 1
            if rule.fail is not None:
                return _FAILURES[rule.fail]("the script says so", free=True)
            return Reply(text=rule.text, finish_reason=rule.finish_reason, reasoning=rule.reasoning)
        return RequestRejected("no rule of the script matches the last message", free=True)


def _rule(line: str, where: str) -> Rule:
    try:
        rule = Rule.model_validate(json.loads(line))
        re.compile(rule.match)
    except (json.JSONDecodeError, ValidationError, re.error) as error:
        reason = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(
            f'a line of a script is {{"match": EXPRESSION, "text": ANSWER}}; {reason}', where=where
        ) from None
    if rule.fail is not None and rule.fail not in _FAILURES:
        raise InputError(f"fail is one of {', '.join(_FAILURES)}; got {rule.fail!r}", where=where)
    return rule
