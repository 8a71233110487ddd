"""Questions to a chat model that want a reply in JSON: kept, retried a little, counted."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from whatchanged.artifacts import Message
from whatchanged.errors import AccessDenied, BudgetExhausted, LLMError, RequestRejected
from whatchanged.interpret.label_store import LabelStore
from whatchanged.llm import ChatModel, ChatRequest, Reply, Usage
from whatchanged.llm.blocking import run_blocking
from whatchanged.store import fingerprint

__all__ = ["Asker", "Line", "Question", "read_json_reply", "shortened"]

ATTEMPTS = 3
AT_ONCE = 8
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
ROOMIER = 8  # times the tokens, for a model that spent them on reasoning
_AGAIN = "That was not the JSON object asked for. Reply with that JSON object and nothing else."
_FATAL = (AccessDenied, BudgetExhausted)
_DECODER = json.JSONDecoder()

T = TypeVar("T", bound=BaseModel)


def _line(said: Any) -> Any:
    """White space made single, and lone surrogates, which no file can hold, written as their escape."""
    if not isinstance(said, str):
        return said
    return " ".join(said.encode("utf-8", "backslashreplace").decode("utf-8").split())


Line = Annotated[str, BeforeValidator(_line)]
"""A text on one line, as a model's words are kept and shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """One question.

    Attributes:
        key: What the reply depends on besides the model, as JSON; equal keys are asked once, ever.
        system: Who the model is to be.
        text: The question.
        reply: Shape of the reply.
        max_tokens: Most tokens of the reply.
    """

    key: Mapping[str, Any]
    system: str
    text: str
    reply: type[T]
    max_tokens: int = 400


def read_json_reply(text: str, shape: type[T]) -> T | None:
    """The first JSON object in a reply that has the shape asked for, whatever stands around it."""
    for start in re.finditer(r"\{", text):
        try:
            found, _ = _DECODER.raw_decode(text, start.start())
            return shape.model_validate(found)
        except (json.JSONDecodeError, RecursionError, ValidationError):
            continue
    return None


def shortened(text: str, most: int) -> str:
    """At most so many characters of a text: its beginning and its end, for endings are behaviours too."""
    if len(text) <= most:
        return text
    head = most * 3 // 5
    return f"{text[:head]} [...] {text[len(text) - (most - head) :]}"


@dataclass(kw_only=True)
class Asker:
    """Asks one model, and remembers what it took.

    Attributes:
        model: Whom to ask.
        store: Where replies are kept; ``None`` keeps none.
        attempts: Most calls for one question.
        temperature: Of sampling; left to the model from when it says that it takes none.
        calls: Calls made, failed ones included.
        kept: Questions answered from the store.
        malformed: Replies that were not the JSON asked for.
        failures: Calls that failed, by kind.
        unanswered: Questions left without an answer: missing data.
        usages: What every call took, as far as the provider said.
    """

    model: ChatModel
    store: LabelStore | None = None
    attempts: int = ATTEMPTS
    temperature: float | None = 0.0
    calls: int = 0
    kept: int = 0
    malformed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    usages: list[Usage] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1; got {self.attempts}")

    def ask(self, questions: Sequence[Question[T]]) -> list[T | None]:
        """One reply per question, in their order; ``None`` where none could be had. Equal questions are one.

        Raises:
            AccessDenied, BudgetExhausted: No further question could be answered; what was answered before
                is in the store.
        """
        found = [self._from_store(question) for question in questions]
        self.kept += sum(reply is not None for reply in found)
        open_: dict[str, list[int]] = {}  # the places of each question that is to be asked
        for i, reply in enumerate(found):
            if reply is None:
                open_.setdefault(fingerprint(self._key(questions[i])), []).append(i)
        if open_:
            replies = run_blocking(lambda: self._all([questions[i] for i, *_ in open_.values()]))
            for places, reply in zip(open_.values(), replies, strict=True):
                self.unanswered += reply is None
                for i in places:
                    found[i] = reply
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """Calls, failures, tokens and cost, for a manifest; sums leave out what nobody told."""
        costs = [u.cost for u in self.usages if u.cost is not None]
        return {
            "model": self.model.name,
            "calls": self.calls,
            "from_store": self.kept,
            "malformed": self.malformed,
            "failures": dict(sorted(self.failures.items())),
            "unanswered": self.unanswered,
            "prompt_tokens": sum(u.prompt_tokens or 0 for u in self.usages),
            "completion_tokens": sum(u.completion_tokens or 0 for u in self.usages),
            "cost": sum(costs) if costs else None,
            "calls_of_unknown_cost": self.calls - len(costs),
        }

    def _key(self, question: Question[T]) -> dict[str, Any]:
        return {"model": dict(self.model.identity), "question": dict(question.key)}

    def _from_store(self, question: Question[T]) -> T | None:
        kept = self.store.get(self._key(question)) if self.store else None
        if kept is None:
            return None
        try:
            return question.reply.model_validate(kept)
        except ValidationError:  # written by another version; ask again
            return None

    async def _all(self, questions: Sequence[Question[T]]) -> list[T | None]:
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.ensure_future(self._one(question, gate)) for question in questions]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.model.close()

    async def _one(self, question: Question[T], gate: asyncio.Semaphore) -> T | None:
        asked = [
            Message(role="system", content=question.system),
            Message(role="user", content=question.text),
        ]
        reminder: list[Message] = []
        room, wait, tries = question.max_tokens, FIRST_WAIT, 0
        async with gate:
            while tries < self.attempts:
                tries += 1
                request = ChatRequest(
                    messages=(*asked, *reminder), max_tokens=room, temperature=self.temperature
                )
                self.calls += 1
                try:
                    reply = await self.model.reply(request)
                except _FATAL:
                    raise
                except LLMError as error:
                    self._fail(error)
                    if _dislikes_temperature(error, request):
                        self.temperature = None
                        tries -= 1
                    elif not error.retryable:
                        return None
                    elif tries < self.attempts:
                        await asyncio.sleep(min(error.retry_after or wait, LONGEST_WAIT))
                        wait *= 2
                    continue
                self.usages.append(reply.usage)
                found = read_json_reply(reply.text, question.reply)
                if found is not None:
                    if self.store:
                        self.store.put(self._key(question), found.model_dump(mode="json"))
                    return found
                self.malformed += 1
                if reply.finish_reason == "length" and (reply.reasoning or not reply.text.strip()):
                    room *= ROOMIER  # it thought until there was no room left to answer
                else:
                    reminder = _reminded(reply)
        return None

    def _fail(self, error: LLMError) -> None:
        self.failures[error.kind] += 1
        if error.usage is not None:
            self.usages.append(Usage(cost=error.usage.get("cost")))
        elif error.free:
            self.usages.append(Usage(cost=0.0))


def _dislikes_temperature(error: LLMError, request: ChatRequest) -> bool:
    """Whether a model takes no temperature, as reasoning models often do; then it is left to the model."""
    rejected = isinstance(error, RequestRejected) and request.temperature is not None
    return rejected and "temperature" in str(error).casefold()


def _reminded(reply: Reply) -> list[Message]:
    """The malformed reply, and a reminder of what was asked."""
    said = reply.text.strip()[:2000] or "(empty)"
    return [Message(role="assistant", content=said), Message(role="user", content=_AGAIN)]
