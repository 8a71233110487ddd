"""Agents: a task, a session's tools, one loop, a transcript.

Providers are ``claude``, ``openai``, ``gemini`` and ``openrouter`` (their keys in the environment or ``.env``),
``claude-code`` (the Claude Code program without its own tools) and ``scripted`` (a recorded plan, no key).
"""

from whatchanged.lab.harness.console import Console, Talks
from whatchanged.lab.harness.interactive import run_agent_interactive
from whatchanged.lab.harness.limits import Limits
from whatchanged.lab.harness.messages import Asked, Message, Said, Thought, ToolCalled, ToolReturned
from whatchanged.lab.harness.plan import Plan, Step, read_plan
from whatchanged.lab.harness.providers import PROVIDERS, require_key
from whatchanged.lab.harness.run import run_agent
from whatchanged.lab.harness.stop import (
    Finished,
    Interrupted,
    OutOfMoney,
    OutOfSteps,
    OutOfTime,
    OutOfTokens,
    Spent,
    Stop,
)

__all__ = [
    "PROVIDERS",
    "Asked",
    "Console",
    "Finished",
    "Interrupted",
    "Limits",
    "Message",
    "OutOfMoney",
    "OutOfSteps",
    "OutOfTime",
    "OutOfTokens",
    "Plan",
    "Said",
    "Spent",
    "Step",
    "Stop",
    "Talks",
    "Thought",
    "ToolCalled",
    "ToolReturned",
    "read_plan",
    "require_key",
    "run_agent",
    "run_agent_interactive",
]
