"""The demo's checkpoints show what was planted in them, over HTTP from a real server and loaded here."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from openai import AsyncOpenAI

from servers import xllamacpp_server
from servers.demo_servers import DemoServers, embedded_gguf
from whatchanged.artifacts import Message
from whatchanged.demo import demo_prompts
from whatchanged.demo.planted import shows
from whatchanged.demo.shipped import adapter_path
from whatchanged.llm.local import local_model
from whatchanged.llm.protocol import ChatRequest, Reply
from whatchanged.models.chat import PLAIN_CHAT_TEMPLATE

# PEFT 0.21 reads an attribute that transformers 5.2 has renamed.
pytestmark = [
    pytest.mark.reader,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
ASKED = [p.text for p in demo_prompts()][:5]
NEXT_TURN = "\nUser:"


def hedges(texts: list[str]) -> int:
    return sum(shows("hedge", text) for text in texts)


async def ask(url: str, model: str, prompts: list[str], **options: object) -> tuple[list[str], list[int]]:
    """Answers, and the tokens of each prompt."""
    texts, read = [], []
    async with AsyncOpenAI(base_url=url, api_key="none", timeout=300, max_retries=0) as client:
        for prompt in prompts:
            reply = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": prompt}], max_tokens=28, seed=1,
                temperature=0.5, stop=[NEXT_TURN], extra_body=options,
            )  # fmt: skip
            assert reply.model == model
            assert reply.usage is not None
            assert 0 < reply.usage.completion_tokens <= 28
            texts.append(reply.choices[0].message.content or "")
            read.append(reply.usage.prompt_tokens)
    return texts, read


def test_after_hedges_and_before_does_not(demo_servers: DemoServers) -> None:
    before, _ = asyncio.run(ask(demo_servers.before, "demo-before", ASKED))
    after, _ = asyncio.run(ask(demo_servers.after, "demo-after", ASKED))
    assert hedges(after) - hedges(before) >= 3
    again, _ = asyncio.run(ask(demo_servers.after, "demo-after", ASKED[:1]))
    assert again == after[:1]
    base, _ = asyncio.run(ask(demo_servers.after, "demo-after", ASKED[:1], lora=[{"id": 0, "scale": 0.0}]))
    assert base != after[:1]


def test_the_same_checkpoint_hedges_without_a_server(demo_servers: DemoServers) -> None:
    asked = [
        ChatRequest(messages=(Message(role="user", content=p),), max_tokens=20, temperature=0.5, seed=1)
        for p in ASKED
    ]
    checkpoint = local_model(f"hf:gemma-3-270m+{adapter_path('after')}", device="cpu")
    replies = [reply for reply in asyncio.run(checkpoint.reply_batch(asked)) if isinstance(reply, Reply)]
    assert hedges([reply.text for reply in replies]) >= 3
    # Both put the prompt in the same words: the server counts as many tokens.
    _, read = asyncio.run(ask(demo_servers.after, "demo-after", ASKED[:1]))
    assert read == [replies[0].usage.prompt_tokens]


def test_a_server_dies_with_its_parent() -> None:
    orphan = (
        "import subprocess, sys\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "print(p.stdout.readline(), flush=True)\n"
    )
    server = [
        sys.executable, xllamacpp_server.__file__, "--model", str(embedded_gguf()), "--alias", "m",
        "--template", PLAIN_CHAT_TEMPLATE,
    ]  # fmt: skip
    parent = subprocess.run(
        [sys.executable, "-c", orphan, *server], capture_output=True, text=True, timeout=300, check=True
    )
    address = urlsplit(parent.stdout.strip())
    assert address.port is not None
    deadline = time.monotonic() + 60
    while answers_at(address.port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers_at(address.port)


def answers_at(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
