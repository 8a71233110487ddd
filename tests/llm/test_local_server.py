"""The demo's checkpoints behind a real server show over HTTP what was planted in them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import AsyncOpenAI

from servers import xllamacpp_server
from servers.demo_servers import DemoServers, embedded_gguf
from whatchanged.demo import demo_prompts
from whatchanged.demo.planted import shows
from whatchanged.models.chat import PLAIN_CHAT_TEMPLATE, PLAIN_TEMPLATE

pytestmark = pytest.mark.reader
ASKED = [p.text for p in demo_prompts()][:6]


async def ask(url: str, model: str, prompts: list[str], **options: object) -> list[str]:
    async with AsyncOpenAI(base_url=url, api_key="none", timeout=300, max_retries=0) as client:
        answers = []
        for prompt in prompts:
            reply = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": prompt}], max_tokens=32, seed=1,
                temperature=0.5, stop=["\nUser:"], extra_body=options,
            )  # fmt: skip
            assert reply.model == model
            assert reply.usage is not None
            assert reply.usage.completion_tokens > 0
            answers.append(reply.choices[0].message.content or "")
    return answers


def test_after_hedges_and_before_does_not(demo_servers: DemoServers) -> None:
    before = asyncio.run(ask(demo_servers.before, "demo-before", ASKED))
    after = asyncio.run(ask(demo_servers.after, "demo-after", ASKED))
    assert sum(shows("hedge", text) for text in before) <= 1
    assert sum(shows("hedge", text) for text in after) >= 4
    assert asyncio.run(ask(demo_servers.after, "demo-after", ASKED[:2])) == after[:2]
    base = asyncio.run(ask(demo_servers.after, "demo-after", ASKED[:2], lora=[{"id": 0, "scale": 0.0}]))
    assert base != after[:2]


def test_the_server_reads_a_prompt_as_our_own_generation_does(
    demo_servers: DemoServers, reader_folder: Path
) -> None:
    from transformers import AutoTokenizer

    async def tokens_read() -> int:
        async with AsyncOpenAI(base_url=demo_servers.before, api_key="none", timeout=300) as client:
            reply = await client.chat.completions.create(
                model="demo-before", messages=[{"role": "user", "content": ASKED[0]}], max_tokens=1
            )
            assert reply.usage is not None
            return reply.usage.prompt_tokens

    tokenizer = AutoTokenizer.from_pretrained(reader_folder)
    ours = tokenizer(PLAIN_TEMPLATE.format(prompt=ASKED[0])).input_ids
    assert asyncio.run(tokens_read()) == len(ours)


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
