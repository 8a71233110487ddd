"""The Claude Code program as the agent, confined to the session's tools."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from whatchanged.errors import AccessDenied, BadReply, MissingExtra, Unavailable
from whatchanged.lab.harness.limits import Limits
from whatchanged.lab.harness.messages import Asked, Message, Said, Thought, ToolCalled, ToolReturned
from whatchanged.lab.harness.stop import Finished, OutOfMoney, OutOfSteps, Spent
from whatchanged.llm.failures import failure
from whatchanged.llm.keys import secret

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

__all__ = ["ClaudeCodeAgent"]

_BUILT_IN = (
    "Agent", "AskUserQuestion", "Bash", "BashOutput", "Edit", "ExitPlanMode", "Glob", "Grep", "KillShell",
    "ListMcpResources", "MultiEdit", "NotebookEdit", "NotebookRead", "Read", "ReadMcpResource", "Skill", "SlashCommand",
    "Task", "TodoWrite", "WebFetch", "WebSearch", "Write",
)  # fmt: skip
_PATIENCE = 20.0
_BUFFER = 64 * 2**20  # a tool's answer with pictures is one line


class ClaudeCodeAgent:
    """A conversation with the Claude Code program, which sees the session's tools and none of its own.

    Its own tools are switched off, named as disallowed, and refused by a hook, each of which is enough; it loads no
    settings of the user or the project, no further servers, and works in an empty folder.

    Args:
        mcp_config: Servers, as sessions give them.
        model: Its model; ``None`` takes the program's own.
        instructions: What holds for the whole conversation.
        limits: How much may be used.
        redact: Takes secrets out of what it says as errors.
        program: Path of the program; ``None`` takes the one that comes with the SDK.

    Raises:
        MissingExtra: If claude-agent-sdk is not installed.
    """

    def __init__(
        self,
        mcp_config: Mapping[str, Any],
        *,
        model: str | None,
        instructions: str,
        limits: Limits,
        redact: Callable[[str], str],
        program: str | Path | None = None,
    ) -> None:
        try:
            import claude_agent_sdk  # noqa: F401
        except ImportError as error:
            raise MissingExtra(
                "claude_agent_sdk", extra="claude-code", purpose="let Claude Code drive the agent"
            ) from error
        self._servers = dict(mcp_config)
        self._model = model
        self._instructions = instructions
        self._limits = limits
        self._redact = redact
        self._program = program
        self._open = AsyncExitStack()
        self._client: ClaudeSDKClient | None = None
        self._began = time.monotonic()
        self._spent = Spent()
        self._tools: dict[str, str] = {}
        self._counted: str | None = None

    async def __aenter__(self) -> Self:
        """Start the program.

        Raises:
            Unavailable: If it cannot be started.
        """
        from claude_agent_sdk import ClaudeSDKClient, ClaudeSDKError

        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="wcc-"))
        problem: str
        try:
            self._client = await self._open.enter_async_context(ClaudeSDKClient(self._options(folder)))
        except ClaudeSDKError as error:
            problem = self._redact(str(error))
        else:
            self._began = time.monotonic()
            return self
        await self._open.aclose()
        raise Unavailable(f"Claude Code cannot be started: {problem}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def spent(self) -> Spent:
        """What was used so far."""
        spent = self._spent
        return Spent(
            steps=spent.steps, input_tokens=spent.input_tokens, output_tokens=spent.output_tokens, cost=spent.cost,
            seconds=time.monotonic() - self._began,
        )  # fmt: skip

    async def turn(self, text: str) -> AsyncIterator[Message]:
        """Say something and let it work until it is done, or a limit is reached; errors as in `ModelAgent.turn`."""
        from claude_agent_sdk import AssistantMessage, ClaudeSDKError, ResultMessage, UserMessage

        assert self._client is not None
        yield Asked(text, self._instructions if not self._spent.steps else "")
        if stop := self._limits.reached(self.spent(), model=self._model or "Claude Code"):
            yield stop
            return
        problem = ""
        try:
            await self._client.query(text)
            came = self._client.receive_response()
            while True:
                try:
                    async with asyncio.timeout(self._left()):
                        one = await anext(came)
                except TimeoutError:
                    await self._client.interrupt()
                    yield self._limits.out_of_time(self.spent())
                    return
                except StopAsyncIteration:
                    break
                if isinstance(one, AssistantMessage):
                    self._count(one)
                    for message in self._answered(one.content):
                        yield message
                    over = self._limits.reached(self.spent(), model=one.model)
                    if over and not isinstance(over, OutOfMoney):  # the program itself keeps to the cost
                        await self._client.interrupt()
                        yield over
                        return
                elif isinstance(one, UserMessage) and isinstance(one.content, list):
                    for message in self._returned(one.content):
                        yield message
                elif isinstance(one, ResultMessage):
                    yield self._ended(one)
                    return
        except asyncio.CancelledError:
            await self._leave()
            raise
        except ClaudeSDKError as error:
            problem = self._redact(str(error))
        raise Unavailable(f"Claude Code ended early: {problem or 'it said no more'}")

    async def _leave(self) -> None:
        """End the turn under way, so that its end is not taken for that of the next one."""
        assert self._client is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._client.interrupt()
                async for _ in self._client.receive_response():
                    pass

    def _options(self, folder: str) -> ClaudeAgentOptions:
        from claude_agent_sdk import ClaudeAgentOptions, HookMatcher

        key = secret("ANTHROPIC_API_KEY")
        own = tuple(f"mcp__{name}__" for name in self._servers)

        async def only_ours(call: Any, call_id: str | None, context: Any) -> Any:
            if str(call.get("tool_name", "")).startswith(own):
                return {}
            return {
                "hookSpecificOutput": {
                    "hookEventName": "PreToolUse",
                    "permissionDecision": "deny",
                    "permissionDecisionReason": "only the session's tools may be used",
                }
            }

        return ClaudeAgentOptions(
            tools=[],
            allowed_tools=[f"mcp__{name}" for name in self._servers],
            disallowed_tools=list(_BUILT_IN),
            hooks={"PreToolUse": [HookMatcher(hooks=[only_ours])]},
            mcp_servers=cast(Any, self._servers),
            strict_mcp_config=True,
            setting_sources=[],
            permission_mode="dontAsk",
            system_prompt=self._instructions or None,
            model=self._model,
            max_turns=self._limits.steps,
            max_budget_usd=self._limits.cost,
            cwd=folder,
            cli_path=self._program,
            env={"ANTHROPIC_API_KEY": key} if key else {},
            max_buffer_size=_BUFFER,
        )

    def _left(self) -> float | None:
        if self._limits.seconds is None:
            return None
        return max(0.0, self._limits.seconds - (time.monotonic() - self._began))

    def _count(self, message: Any) -> None:
        """Add one answer of the model, which comes as one message for each of its blocks."""
        if message.message_id is not None and message.message_id == self._counted:
            return
        self._counted = message.message_id
        told = message.usage or {}
        read = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        self._spent = Spent(
            steps=self._spent.steps + 1,
            input_tokens=self._spent.input_tokens + sum(int(told.get(name) or 0) for name in read),
            output_tokens=self._spent.output_tokens + int(told.get("output_tokens") or 0),
            cost=self._spent.cost,
        )

    def _answered(self, blocks: list[Any]) -> list[Message]:
        from claude_agent_sdk import TextBlock, ThinkingBlock, ToolUseBlock

        found: list[Message] = []
        for block in blocks:
            if isinstance(block, TextBlock) and block.text.strip():
                found.append(Said(block.text))
            elif isinstance(block, ThinkingBlock) and block.thinking.strip():
                found.append(Thought(block.thinking))
            elif isinstance(block, ToolUseBlock):
                self._tools[block.id] = block.name
                found.append(ToolCalled(block.id, block.name, block.input))
        return found

    def _returned(self, blocks: list[Any]) -> list[Message]:
        from claude_agent_sdk import ToolResultBlock

        found: list[Message] = []
        for block in blocks:
            if isinstance(block, ToolResultBlock):
                parts = block.content if isinstance(block.content, list) else []
                text = (
                    block.content
                    if isinstance(block.content, str)
                    else "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
                )
                pictures = sum(part.get("type") == "image" for part in parts)
                name = self._tools.get(block.tool_use_id, "")
                found.append(
                    ToolReturned(
                        block.tool_use_id, name, text, pictures=pictures, failed=bool(block.is_error)
                    )
                )
        return found

    def _ended(self, result: Any) -> Message:
        """What the program says at the end of a turn."""
        cost = result.total_cost_usd if result.total_cost_usd is not None else self._spent.cost
        self._spent = Spent(
            steps=self._spent.steps, input_tokens=self._spent.input_tokens,
            output_tokens=self._spent.output_tokens, cost=cost,
        )  # fmt: skip
        if result.subtype == "error_max_turns":
            return OutOfSteps(f"the limit of {self._limits.steps} steps is reached", spent=self.spent())
        if result.subtype == "error_max_budget_usd":
            return OutOfMoney(f"the limit of ${self._limits.cost:g} is reached", spent=self.spent())
        if not result.is_error:
            return Finished(result.result or "", spent=self.spent())
        words = self._redact(result.result or json.dumps(result.errors or result.subtype))
        if result.api_error_status is not None:
            raise failure(result.api_error_status, words, redact=self._redact)
        if "login" in words.lower() or "api key" in words.lower():
            raise AccessDenied(f"ANTHROPIC_API_KEY is needed, or a login of Claude Code: {words}")
        raise BadReply(f"Claude Code: {words}")
