"""A person and an agent at one session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from whatchanged.lab.harness.console import Console, Talks
from whatchanged.lab.harness.limits import Limits
from whatchanged.lab.harness.plan import Plan
from whatchanged.lab.harness.run import Conversation
from whatchanged.lab.harness.stop import Finished, Interrupted

__all__ = ["run_agent_interactive"]


async def run_agent_interactive(
    prompt: str = "",
    mcp_config: Mapping[str, Any] | None = None,
    provider: str = "claude",
    model: str | None = None,
    user_message: str | None = None,
    *,
    limits: Limits | None = None,
    plan: Plan | str | Path | None = None,
    transcript: str | Path | None = None,
    redact: Callable[[str], str] | None = None,
    console: Talks | None = None,
) -> None:
    """Talk with an agent in the terminal until the input ends, or ``exit`` or ``quit`` is typed.

    Escape interrupts the agent; what it ran in the notebook keeps running, and it can be told to interrupt that.
    Errors as in `run_agent`; limits hold for the conversation as a whole, which ends when one is reached.

    Args:
        prompt: What holds for the whole conversation.
        mcp_config: Servers.
        provider: Who thinks.
        model: Its model.
        user_message: First words of the user; asked for if not given.
        limits: How much may be used.
        plan: What ``scripted`` plays.
        transcript: File of the transcript.
        redact: Takes further secrets out of the transcript.
        console: Where the person is; the terminal by default.
    """
    talk = console or Console()
    conversation = Conversation(
        prompt, mcp_config, provider, model, limits=limits, plan=plan, transcript=transcript, redact=redact
    )
    async with conversation:
        text = user_message if user_message is not None else await talk.ask()
        while text is not None:
            if text:
                turn = asyncio.create_task(_turn(conversation, text, talk))
                with talk.interrupts(turn.cancel):
                    await asyncio.wait([turn])
                if turn.cancelled():
                    stop = Interrupted("interrupted by the user", spent=conversation.spent())
                    conversation.note(stop)
                    talk.show(stop)
                elif not turn.result():
                    return
            text = await talk.ask()


async def _turn(conversation: Conversation, text: str, talk: Talks) -> bool:
    """One turn; ``False`` if a limit ended it."""
    message = None
    async for message in conversation.turn(text):
        talk.show(message)
    return isinstance(message, Finished)
