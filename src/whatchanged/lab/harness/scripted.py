"""An agent without a model: plays a plan through the same loop, servers and notebook as any other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from whatchanged.errors import InputError, MissingExtra, PlanFailed
from whatchanged.lab.harness.plan import Plan, fill
from whatchanged.lab.harness.providers import Thinker

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ToolReturnPart
    from pydantic_ai.models.function import AgentInfo

__all__ = ["scripted_thinker"]

_TOLD = re.compile(r"^\s*remember (\w+): (.*?)\s*$", re.MULTILINE)
_RUNNING = re.compile(r"call wait\(handle=(\d+)\)")
_WAIT = 300.0
_EXCERPT = 3000


def scripted_thinker(plan: Plan) -> Thinker:
    """A model that plays a plan.

    A cell that is still running is waited for. The plan stops at the first answer that is not as expected. A word from
    the user begins it anew.

    Raises:
        MissingExtra: If pydantic-ai is not installed.
    """
    try:
        from pydantic_ai.models.function import FunctionModel
    except ImportError as error:
        raise MissingExtra("pydantic_ai", extra="lab", purpose="run an agent") from error
    player = _Player(plan)
    return Thinker(
        name="scripted",
        model=FunctionModel(player.answer, model_name="scripted"),
        settings={},
        secrets={},
        free=True,
    )


@dataclass(slots=True)
class _Player:
    """What was played so far follows from the history alone, apart from what outputs told."""

    plan: Plan
    known: dict[str, str] = field(default_factory=dict)
    at: int = 0
    calls: int = 0

    def answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The next call, or the last word."""
        from pydantic_ai.messages import ModelResponse, TextPart

        came = list(_returns(messages))
        if not came:
            self.at, self.known = 0, dict(self.plan.values)
        for part in came:
            text = part.model_response_str(wrap_if_error=False)
            self.known |= dict(_TOLD.findall(text))
            if running := _RUNNING.search(text.splitlines()[0] if text else ""):
                return self._call("wait", {"handle": int(running[1]), "wait_seconds": _WAIT}, info)
            step = self.plan.steps[self.at]
            if part.outcome != "success" or not re.search(step.expect, text):
                raise PlanFailed(f"{self._where()}, a call of {step.tool}, came to: {text[-_EXCERPT:]}")
            self.at += 1
        if self.at == len(self.plan.steps):
            return ModelResponse(parts=[TextPart(fill(self.plan.last, self.known, "the last word"))])
        step = self.plan.steps[self.at]
        return self._call(step.tool, fill(dict(step.arguments), self.known, self._where()), info)

    def _call(self, tool: str, arguments: dict[str, object], info: AgentInfo) -> ModelResponse:
        from pydantic_ai.messages import ModelResponse, ToolCallPart

        names = [one.name for one in info.function_tools]
        fitting = [name for name in names if name == tool or name.endswith(f"_{tool}")]
        if len(fitting) != 1:
            raise InputError(
                f"{len(fitting)} tools are called {tool}; the tools are {', '.join(names) or 'none'}",
                where=self._where(),
            )
        self.calls += 1
        return ModelResponse(parts=[ToolCallPart(fitting[0], arguments, f"call-{self.calls}")])

    def _where(self) -> str:
        return f"step {self.at + 1} of {len(self.plan.steps)}"


def _returns(messages: list[ModelMessage]) -> Iterator[ToolReturnPart]:
    """What came back since the last call; nothing if the user has spoken since."""
    from pydantic_ai.messages import ToolReturnPart, UserPromptPart

    if not any(isinstance(part, UserPromptPart) for part in messages[-1].parts):
        yield from (part for part in messages[-1].parts if isinstance(part, ToolReturnPart))
