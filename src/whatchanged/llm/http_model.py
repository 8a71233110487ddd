"""Models behind an OpenAI-compatible HTTP endpoint."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from whatchanged.errors import BadReply, LLMError, Unavailable
from whatchanged.llm.failures import from_openai
from whatchanged.llm.keys import Key
from whatchanged.llm.prices import Price, listed_price
from whatchanged.llm.protocol import ChatRequest, Reply
from whatchanged.llm.redact import Redactor
from whatchanged.llm.served import another_model
from whatchanged.llm.wire import read_reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["Dialect", "HTTPModel"]

Dialect = Literal["openrouter", "openai", "google", "plain"]
"""Whose variant of the protocol is spoken; ``plain`` is what every compatible server understands."""


class HTTPModel:
    """A chat model behind HTTP. It never retries: that is for the caller to decide.

    Connections open with the first request and belong to the running event loop; after `close` the
    model can be used again, also in another loop.

    Args:
        name: Name a user knows it by.
        model: The model as the endpoint calls it.
        base_url: The endpoint, up to and without ``/chat/completions``.
        key: Key to send, if the endpoint wants one.
        dialect: Variant of the protocol.
        timeout: Seconds one request may take in all.
        provider: OpenRouter's routing, such as ``{"order": ["Together"], "allow_fallbacks": False,
            "quantizations": ["bf16"]}``.
        extra: Further fields of every request.
        check_served: Whether an answer that clearly came from another model is a `BadReply`.

    Raises:
        ValueError: `provider` for an endpoint other than OpenRouter, an address that is none or that
            holds a user name, password or query, or a timeout that is not positive.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base_url: str,
        key: Key | None = None,
        dialect: Dialect = "plain",
        timeout: float = 120.0,
        provider: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        check_served: bool = True,
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(f"an endpoint is http(s)://host[:port]/path; got {base_url.split('@')[-1]!r}")
        if address.username or address.password or address.query:
            raise ValueError(
                "an endpoint must not hold a user name, password or query: names stand in reports; put the key "
                "into WHATCHANGED_API_KEY"
            )
        if provider and dialect != "openrouter":
            raise ValueError(f"provider= pins OpenRouter's routing; {name} does not go through OpenRouter")
        if not timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds; got {timeout}")
        self._name, self._model, self._base_url = name, model, base_url.rstrip("/")
        self._key, self._dialect, self._timeout = key, dialect, timeout
        self._provider, self._extra = dict(provider or {}), dict(extra or {})
        self._check_served = check_served
        self.redact = Redactor({key.name: key.value} if key else {})
        self._client: AsyncOpenAI | None = None
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None

    @property
    def name(self) -> str:
        """Name a user knows it by."""
        return self._name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Endpoint, model and pins."""
        pins = {"provider": self._provider} if self._provider else {}
        extra = {"extra": self._extra} if self._extra else {}
        return {"kind": "http", "base_url": self._base_url, "model": self._model, **pins, **extra}

    async def reply(self, request: ChatRequest) -> Reply:
        """Answer one request; see `ChatModel.reply`.

        Raises:
            LLMError: By kind; the message is redacted and the client's exception is not chained to it,
                since that holds the headers.
        """
        reply = read_reply(await self._post(request), self.redact)
        self._verify(reply)
        return reply

    async def price(self) -> Price | None:
        """The endpoint's listed price of this model, the dearest of the hosts that may serve it.

        ``None`` if its ``/models`` does not answer within ten seconds or names no fixed price.
        """
        listed = await self._get("/models")
        entries = listed.get("data") if isinstance(listed, Mapping) else None
        entry = next(
            (e for e in entries or () if isinstance(e, Mapping) and e.get("id") == self._model), None
        )
        price = listed_price(entry.get("pricing")) if entry else None
        if price is None or self._dialect != "openrouter":
            return price
        hosts = await self._get(f"/models/{quote(self._model.split(':')[0], safe='/')}/endpoints")
        data = hosts.get("data") if isinstance(hosts, Mapping) else None
        for host in (data.get("endpoints") if isinstance(data, Mapping) else None) or ():
            rate = listed_price(host.get("pricing")) if isinstance(host, Mapping) else None
            price = price.dearer(rate) if rate else price
        return price

    async def listed(self) -> bool | None:
        """Whether the endpoint's ``/models`` names this model; ``None`` if it does not answer or lists nothing.

        It costs nothing. A wrong key shows as ``None``: most endpoints then refuse the list as well.
        """
        found = await self._get("/models")
        entries = found.get("data") if isinstance(found, Mapping) else None
        if not entries:
            return None
        # Google's endpoint puts "models/" before every name.
        names = {str(e.get("id")).removeprefix("models/") for e in entries if isinstance(e, Mapping)}
        return self._model.split(":")[0] in {n.split(":")[0] for n in names}

    async def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop and self._loop() is asyncio.get_running_loop():
            await client.close()

    async def _post(self, request: ChatRequest) -> bytes:
        import httpx2
        from openai import APIError

        client = self._connected()
        body = self._body(request)
        problem: LLMError
        try:
            async with asyncio.timeout(self._timeout):
                # not chat.completions.create, which would check and copy every message and reply
                response = await client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        except APIError as error:
            problem = from_openai(error, self.redact)
        except TimeoutError:
            problem = Unavailable(f"no answer within {self._timeout:g} s")
        else:
            return response.content
        raise problem

    async def _get(self, path: str) -> Any:
        """JSON below the endpoint, ``None`` where there is none."""
        import httpx2
        from openai import APIError

        try:
            async with asyncio.timeout(10):
                response = await self._connected().get(path, cast_to=httpx2.Response)
                return response.json()
        except (APIError, TimeoutError, ValueError):
            return None

    def _connected(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is None or self._loop() is not loop:
            from openai import AsyncOpenAI

            self._client = AsyncOpenAI(
                api_key=self._key.value if self._key else "none",
                base_url=self._base_url,
                max_retries=0,
                timeout=self._timeout,
            )
            self._loop = weakref.ref(loop)
        return self._client

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_completion_tokens" if self._dialect == "openai" else "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": None if self._dialect == "google" else request.seed,  # refused there as an unknown field
            "stop": list(request.stop) or None,
        }
        if self._dialect == "openrouter":
            fields |= {"usage": {"include": True}, "provider": self._provider or None}
        return {k: v for k, v in fields.items() if v is not None} | self._extra | dict(request.extra)

    def _verify(self, reply: Reply) -> None:
        if not (self._check_served and reply.served_model and another_model(self._model, reply.served_model)):
            return
        usage = reply.usage
        raise BadReply(
            f"asked for {self._model}, another model answered: {reply.served_model}",
            usage={
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost": usage.cost,
            },
        )
