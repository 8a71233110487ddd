"""A real OpenAI-compatible server on loopback: llama.cpp serving one GGUF, with one LoRA or none.

As a program it writes its address on one line and serves until its standard input ends, which happens at the
latest when its parent dies: the library has no way to stop a server.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["running_server"]


@contextmanager
def running_server(
    model: Path, *, alias: str, template: str, lora: Path | None = None, seconds: float = 120.0
) -> Iterator[str]:
    """Base URL (``http://127.0.0.1:PORT/v1``) of a server that runs inside the block, and never after it.

    Args:
        model: GGUF file.
        alias: The model's name in requests and replies.
        template: Jinja chat template.
        lora: LoRA as a GGUF file. Its scale is 1, and per request ``"lora": [{"id": 0, "scale": s}]``.
        seconds: Longest wait for its start.
    """
    command = [sys.executable, __file__, "--model", model, "--alias", alias, "--template", template]
    if lora is not None:
        command += ["--lora", lora]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], seconds)
            address = process.stdout.readline().strip() if ready else ""
            assert address, f"no server within {seconds} s; exit code {process.poll()}"
            yield f"{address}/v1"
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--template", required=True)
    parser.add_argument("--lora")
    asked = parser.parse_args()

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked.model
    params.model_alias = {asked.alias}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.use_jinja, params.chat_template = True, asked.template
    params.n_parallel = 1  # with several slots an answer depends on its neighbours
    params.cache_prompt = False  # and with a cached prefix on what was asked before
    params.n_ctx = 4096
    params.cpuparams.n_threads = 1
    params.warmup = False
    params.verbosity = 0
    if asked.lora:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(asked.lora, 1.0)]
    server = xllamacpp.Server(params)
    os.write(1, f"{server.listening_address}\n".encode())
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
