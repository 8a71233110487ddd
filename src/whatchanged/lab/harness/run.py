"""Let an agent work: connect it, give it the task, pass on what it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from whatchanged.lab.harness.claude_code import ClaudeCodeAgent
from whatchanged.lab.harness.limits import Limits
from whatchanged.lab.harness.messages import Message, Said, ToolCalled, ToolReturned
from whatchanged.lab.harness.model_agent import ModelAgent
from whatchanged.lab.harness.plan import Plan, read_plan
from whatchanged.lab.harness.providers import require_key, thinker
from whatchanged.lab.harness.scripted import scripted_thinker
from whatchanged.lab.harness.stop import Spent, Stop
from whatchanged.lab.harness.transcript import Transcript, host_redactor, transcript_path

__all__ = ["Conversation", "Converses", "run_agent"]

_log = logging.getLogger("whatchanged.lab.harness")
_SHOWN = 200


class Converses(Protocol):
    """An agent that is connected: says what it does, turn by turn."""

    def turn(self, text: str) -> AsyncIterator[Message]:
        """Say something to it, and hear what it does until it stops."""
        ...

    def spent(self) -> Spent:
        """What was used so far."""
        ...


async def run_agent(
    prompt: str,
    mcp_config: Mapping[str, Any] | None = None,
    provider: str = "claude",
    model: str | None = None,
    user_message: str | None = None,
    *,
    limits: Limits | None = None,
    plan: Plan | str | Path | None = None,
    transcript: str | Path | None = None,
    redact: Callable[[str], str] | None = None,
) -> AsyncGenerator[Message, None]:
    """Let an agent work on a task, and hear what it does.

    It has the tools of `mcp_config` and nothing else: no shell, no files, no network of this machine. Every message is in
    the transcript before it is yielded; the last one is a `Stop` that says why there is nothing more.

    Args:
        prompt: The task.
        mcp_config: Servers, as sessions give them (``session.mcp_config``); without any, it can only answer.
        provider: ``claude``, ``openai``, ``gemini``, ``openrouter``, ``claude-code`` or ``scripted``.
        model: The provider's name of a model; its own choice by default (``openrouter`` has none).
        user_message: First words of the user. If given, `prompt` becomes the standing instructions.
        limits: How much may be used.
        plan: What ``scripted`` plays: a `Plan`, or the path of one.
        transcript: File of the transcript; by default a new one in ``outputs/transcripts``.
        redact: Takes further secrets out of the transcript, for example ``sandbox.redactor``. Keys in the environment
            and in ``.env`` are always taken out.

    Raises:
        ValueError: If there is no such provider, or `plan` is missing or not for it.
        AccessDenied: If the provider's key is set nowhere (the message names it), or is refused.
        LLMError: If the provider fails otherwise.
        LabError: If a server of the session cannot be reached.
        PlanFailed: If an answer is not what the plan expects.
        MissingExtra: If a package is not installed.
    """
    conversation = Conversation(
        prompt if user_message is not None else "", mcp_config, provider, model,
        limits=limits, plan=plan, transcript=transcript, redact=redact,
    )  # fmt: skip
    waiting: asyncio.Queue[Message | None] = asyncio.Queue(1)

    async def work() -> None:
        # In a task of its own: connections are to be closed by the task that opened them, and a generator that is
        # not read to its end is closed by another one.
        try:
            async with conversation:
                async for message in conversation.turn(prompt if user_message is None else user_message):
                    await waiting.put(message)
        finally:
            if not (task := asyncio.current_task()) or not task.cancelling():
                await waiting.put(None)

    worker = asyncio.create_task(work())
    try:
        while (message := await waiting.get()) is not None:
            yield message
        await worker
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


class Conversation:
    """An agent with its transcript, for one turn or many; arguments and errors as in `run_agent`.

    Use it as an asynchronous context manager, by one task.

    Attributes:
        transcript: Path of the transcript.
    """

    def __init__(
        self,
        instructions: str,
        mcp_config: Mapping[str, Any] | None,
        provider: str,
        model: str | None,
        *,
        limits: Limits | None = None,
        plan: Plan | str | Path | None = None,
        transcript: str | Path | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        require_key(provider)
        if (provider == "scripted") != (plan is not None):
            raise ValueError(
                f"a plan is for provider 'scripted', and it needs one; got {provider!r} and {plan!r}"
            )
        self.transcript = transcript_path(transcript)
        limits = limits or Limits()
        hide = host_redactor({})
        self._redact = hide if redact is None else (lambda text: hide(redact(text)))
        self._agent: ModelAgent | ClaudeCodeAgent
        if provider == "claude-code":
            self._agent = ClaudeCodeAgent(
                mcp_config or {}, model=model, instructions=instructions, limits=limits, redact=self._redact
            )
            name = model
        else:
            if plan is not None:
                chosen = scripted_thinker(plan if isinstance(plan, Plan) else read_plan(plan))
            else:
                chosen = thinker(provider, model)
            self._agent = ModelAgent(chosen, mcp_config or {}, instructions=instructions, limits=limits)
            name = chosen.name
        self._started = {"provider": provider, "model": name, "limits": {
            key: getattr(limits, key) for key in ("steps", "tokens", "cost", "seconds")
        }}  # fmt: skip
        self._open = AsyncExitStack()
        self._writer: Transcript | None = None

    async def __aenter__(self) -> Conversation:
        """Connect, and begin the transcript."""
        await self._open.enter_async_context(self._agent)
        self._writer = Transcript(self.transcript, self._redact)
        self._open.callback(self._writer.close)
        self._writer.start(**self._started)
        return self

    async def __aexit__(self, *error: Any) -> None:
        """Disconnect."""
        await self._open.aclose()

    async def turn(self, text: str) -> AsyncIterator[Message]:
        """Say something to the agent, and hear what it does until it stops."""
        async for message in self._agent.turn(text):
            self.note(message)
            yield message

    def note(self, message: Message) -> None:
        """Write a message into the transcript and the log."""
        assert self._writer is not None
        self._writer.add(message)
        if line := _line(message):
            _log.info("%s", self._redact(line))

    def spent(self) -> Spent:
        """What was used so far."""
        return self._agent.spent()


def _line(message: Message) -> str:
    """A message in one line, for people who watch."""
    match message:
        case Said(text):
            return f"says: {_short(text)}"
        case ToolCalled(tool=tool, arguments=arguments):
            said = next((value for value in arguments.values() if isinstance(value, str)), "")
            return f"calls {tool}: {_short(said)}" if said else f"calls {tool}"
        case ToolReturned(text=text, failed=failed):
            return f"{'failed' if failed else 'got'}: {_short(text)}"
        case Stop(reason):
            return f"stops ({type(message).__name__}): {_short(reason)}"
        case _:
            return ""


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _SHOWN else one[:_SHOWN] + " ..."
