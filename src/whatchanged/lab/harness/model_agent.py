"""An agent whose thinking is a model of pydantic-ai: one linear loop over its steps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from whatchanged.errors import BadReply, ContentRefused, LabError, LLMError, Unavailable
from whatchanged.lab.harness.limits import Limits
from whatchanged.lab.harness.messages import Asked, Message, Said, Thought, ToolCalled, ToolReturned
from whatchanged.lab.harness.providers import Thinker
from whatchanged.lab.harness.stop import Finished, Spent
from whatchanged.llm.failures import failure
from whatchanged.llm.redact import Redactor

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
    from pydantic_ai.toolsets import AbstractToolset

__all__ = ["ModelAgent", "toolsets"]

_PATIENCE = 900.0  # seconds for one tool call; a cell is waited for at most 600
_TOOL_RETRIES = 5


class _TimeUp(Exception):
    """The limit of time passed during a step."""


class ModelAgent:
    """A conversation with a model that has the tools of some MCP servers, and nothing else.

    Args:
        thinker: The model.
        mcp_config: Servers, as sessions give them.
        instructions: What holds for the whole conversation.
        limits: How much may be used.
    """

    def __init__(
        self, thinker: Thinker, mcp_config: Mapping[str, Any], *, instructions: str, limits: Limits
    ) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.usage import RunUsage

        self._thinker = thinker
        self._limits = limits
        self._instructions = instructions
        self._redact = Redactor(thinker.secrets)
        self._agent: Agent[object, str] = Agent(
            thinker.model,
            instructions=instructions or None,
            toolsets=toolsets(mcp_config),
            model_settings=cast(Any, dict(thinker.settings)),
            retries=_TOOL_RETRIES,
        )
        self._usage = RunUsage()
        self._history: list[ModelMessage] = []
        self._began = time.monotonic()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect to the servers.

        Raises:
            LabError: If one cannot be reached.
        """
        try:
            await self._open.enter_async_context(self._agent)
        except (OSError, RuntimeError) as error:
            raise LabError(f"an MCP server of the session cannot be reached: {error}") from error
        self._began = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def spent(self) -> Spent:
        """What was used so far."""
        cost = 0.0 if self._thinker.free else self._usage.cost
        return Spent(
            steps=self._usage.requests,
            input_tokens=self._usage.input_tokens,
            output_tokens=self._usage.output_tokens,
            cost=None if cost is None else float(cost),
            seconds=time.monotonic() - self._began,
        )

    async def turn(self, text: str) -> AsyncIterator[Message]:
        """Say something to the agent and let it work until it is done, or a limit is reached.

        Raises:
            LLMError: If the provider fails; the message holds no key.
        """
        from pydantic_ai import CallToolsNode, ModelRequestNode
        from pydantic_ai.usage import UsageLimits
        from pydantic_graph import End

        yield Asked(text, self._instructions if not self._history else "")
        # The limits are ours, kept below before every request: theirs would end the run with an exception.
        unlimited = UsageLimits(request_limit=None)
        try:
            async with self._agent.iter(
                text, message_history=self._history, usage=self._usage, usage_limits=unlimited
            ) as run:
                try:
                    node = run.next_node
                    while not isinstance(node, End):
                        if isinstance(node, ModelRequestNode):
                            for message in _returned(node.request):
                                yield message
                            if stop := self._limits.reached(self.spent(), model=self._thinker.name):
                                yield stop
                                return
                        elif isinstance(node, CallToolsNode):
                            for message in _answered(node.model_response):
                                yield message
                        node = await self._advance(run, node)
                    yield Finished(node.data.output, spent=self.spent())
                finally:
                    self._history = _closed(list(run.all_messages()))
        except _TimeUp:  # caught here, where leaving the run has ended the call that was under way
            yield self._limits.out_of_time(self.spent())

    def _left(self) -> float | None:
        if self._limits.seconds is None:
            return None
        return max(0.0, self._limits.seconds - (time.monotonic() - self._began))

    async def _advance(self, run: Any, node: Any) -> Any:
        """One step: a request to the model, or its tool calls."""
        from pydantic_ai.exceptions import (
            ContentFilterError,
            ModelAPIError,
            ModelHTTPError,
            UnexpectedModelBehavior,
        )

        problem: LLMError | _TimeUp
        try:
            async with asyncio.timeout(self._left()) as limit:
                return await run.next(node)
        except TimeoutError:
            if not limit.expired():
                raise
            problem = _TimeUp()
        except ModelHTTPError as error:
            problem = failure(error.status_code, error.body, redact=self._redact, text=str(error))
        except ModelAPIError as error:
            problem = Unavailable(f"{self._thinker.name}: {self._redact(str(error))}")
        except ContentFilterError as error:
            problem = ContentRefused(f"{self._thinker.name}: {self._redact(str(error))}")
        except UnexpectedModelBehavior as error:
            problem = BadReply(f"{self._thinker.name}: {self._redact(str(error))}")
        raise problem  # outside of the handler: the cause holds the request, and so the key


def toolsets(mcp_config: Mapping[str, Any]) -> Sequence[AbstractToolset[object]]:
    """The servers' tools, each named with its server before it.

    A tool that fails tells so to the model, which goes on.

    Raises:
        ValueError: If a server has neither a command nor an address.
    """
    from fastmcp.client.transports import StdioTransport
    from pydantic_ai.mcp import MCPToolset

    found: list[AbstractToolset[object]] = []
    for name, server in mcp_config.items():
        if command := server.get("command"):
            target: Any = StdioTransport(
                command, list(server.get("args") or []), env=dict(server.get("env") or {}), keep_alive=False
            )
        elif not (target := server.get("url")):
            raise ValueError(f"an MCP server has a command or a url; got {sorted(server)} for {name!r}")
        toolset: MCPToolset[object] = MCPToolset(
            target, id=name, tool_error_behavior="failed", read_timeout=_PATIENCE
        )
        found.append(toolset.prefixed(name))
    return found


def _answered(response: ModelResponse) -> list[Message]:
    from pydantic_ai.messages import TextPart, ThinkingPart, ToolCallPart

    found: list[Message] = []
    for part in response.parts:
        if isinstance(part, TextPart) and part.content.strip():
            found.append(Said(part.content))
        elif isinstance(part, ThinkingPart) and part.content.strip():
            found.append(Thought(part.content))
        elif isinstance(part, ToolCallPart):
            found.append(ToolCalled(part.tool_call_id, part.tool_name, _arguments(part.args)))
    return found


def _arguments(given: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    from pydantic_core import from_json

    if not isinstance(given, str):
        return given or {}
    try:
        parsed = from_json(given)
    except ValueError:
        return {"": given}  # malformed: the model is told, and the transcript shows what it sent
    return parsed if isinstance(parsed, Mapping) else {"": given}


def _returned(request: ModelRequest) -> list[Message]:
    from pydantic_ai.messages import RetryPromptPart, ToolReturnPart

    found: list[Message] = []
    for part in request.parts:
        if isinstance(part, ToolReturnPart):
            files = len(part.files)
            text = part.model_response_str()
            failed = part.outcome in {"failed", "retried"}
            found.append(ToolReturned(part.tool_call_id, part.tool_name, text, pictures=files, failed=failed))
        elif isinstance(part, RetryPromptPart) and part.tool_name:
            text = part.model_response()
            found.append(ToolReturned(part.tool_call_id, part.tool_name, text, failed=True))
    return found


def _closed(history: list[ModelMessage]) -> list[ModelMessage]:
    """The history, with calls that were cut off answered: a provider refuses a call without an answer."""
    from pydantic_ai.messages import ModelRequest, ModelResponse, ToolReturnPart

    if not history or not isinstance(history[-1], ModelResponse) or not history[-1].tool_calls:
        return history
    words = "interrupted before it returned; what it started may still be running"
    parts = [ToolReturnPart(call.tool_name, words, call.tool_call_id) for call in history[-1].tool_calls]
    return [*history, ModelRequest(parts=parts)]
