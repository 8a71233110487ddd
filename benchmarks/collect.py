"""How fast the collector is, held against a bare loop over the same client in the same run; and its memory.

    python benchmarks/collect.py --calls 3000 --rounds 3 --memory 10000

The server is a process of its own and takes 200 ms for each answer; 50 requests are in flight. Bare and
collected segments alternate, and each rate is read from the server's clock over the middle of a segment,
without start and end. The collector writes, flushes and retries as always; the bare loop keeps texts only.
On a machine with other work to do both rates sink below what the server allows and scatter; processor time
per call, start and end included, then says what the collector adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.fault_server import FaultServer
from whatchanged import Prompt, PromptSet, collect
from whatchanged.responses.collect import CollectProgress

MODELS = ("gemini-2.0-flash-001", "gemini-2.5-flash")
PARAGRAPH = "Say what you think of this and give your reasons. " * 4


def prompts(n: int) -> PromptSet:
    return PromptSet(
        prompts=tuple(Prompt(id=f"q{i}", text=f"{i}. {PARAGRAPH}", cluster=f"q{i}") for i in range(n))
    )


def bare(url: str, calls: int, in_flight: int) -> None:
    from openai import AsyncOpenAI

    async def work() -> list[str | None]:
        texts: list[str | None] = []
        todo = iter([(model, p.text) for p in prompts(calls // 2) for model in MODELS])
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def worker() -> None:
                for model, text in todo:
                    done = await client.chat.completions.create(
                        model=model, max_tokens=64, messages=[{"role": "user", "content": text}], seed=1
                    )
                    texts.append(done.choices[0].message.content)

            await asyncio.gather(*(worker() for _ in range(in_flight)))
        return texts

    assert len(asyncio.run(work())) == calls // 2 * 2


def rate(server: FaultServer, since: int) -> float:
    """Answers per second over the middle of a segment, by the server's clock."""
    times = [r["time"] for r in server.requests()[since:] if r["event"] == "answered"]
    low, high = len(times) // 4, len(times) * 9 // 10
    return (high - low) / (times[high] - times[low])


def throughput(calls: int, rounds: int, in_flight: int, latency: float) -> dict[str, float]:
    rates: dict[str, list[float]] = {"bare": [], "collected": []}
    work: dict[str, list[float]] = {"bare": [], "collected": []}
    with tempfile.TemporaryDirectory() as folder, FaultServer(Path(folder), latency=latency) as server:
        for i in range(rounds):
            for kind in ("bare", "collected") if i % 2 == 0 else ("collected", "bare"):
                since, began = len(server.requests()), time.process_time()
                if kind == "bare":
                    bare(server.url, calls, in_flight)
                else:
                    collect(
                        prompts(calls // 2), server.name(MODELS[0]), server.name(MODELS[1]),
                        out=Path(folder) / f"run-{i}", concurrency=in_flight, max_tokens=64,
                    )  # fmt: skip
                work[kind].append((time.process_time() - began) / calls * 1e3)
                rates[kind].append(rate(server, since))
                said = f"{rates[kind][-1]:.1f} answers/s, {work[kind][-1]:.2f} ms of processor time each"
                print(f"round {i + 1} {kind}: {said}", flush=True)
    ratios = [c / b for b, c in zip(rates["bare"], rates["collected"], strict=True)]
    return {
        "bare_per_s": round(median(rates["bare"]), 1),
        "collected_per_s": round(median(rates["collected"]), 1),
        "ratio": round(median(ratios), 3),
        "ratio_lowest": round(min(ratios), 3),
        "bare_cpu_ms": round(median(work["bare"]), 2),
        "collected_cpu_ms": round(median(work["collected"]), 2),
        "most_possible_per_s": in_flight / latency,
    }


def memory(calls: int, in_flight: int) -> dict[str, float]:
    """Resident memory after a tenth of the calls and at the end of the sending, in MB."""
    seen: list[tuple[int, float]] = []

    def note(progress: CollectProgress) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        seen.append((progress.done, pages * resource.getpagesize() / 1e6))

    with tempfile.TemporaryDirectory() as folder, FaultServer(Path(folder), latency=0.02) as server:
        began = time.monotonic()
        collect(
            prompts(calls // 2), server.name(MODELS[0]), server.name(MODELS[1]),
            out=Path(folder) / "run", concurrency=in_flight, max_tokens=64, progress=note,
        )  # fmt: skip
    at_tenth = next(mb for done, mb in seen if done >= calls / 10)
    return {
        "calls": calls,
        "seconds": round(time.monotonic() - began, 1),
        "mb_after_a_tenth": round(at_tenth, 1),
        "mb_at_the_end": round(seen[-1][1], 1),
        "mb_highest": round(max(mb for _, mb in seen), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=3000, help="calls of each segment")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of segments")
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds the server takes")
    parser.add_argument("--memory", type=int, default=10_000, help="calls of the memory run; 0 leaves it out")
    a = parser.parse_args()
    found: dict[str, object] = {"throughput": throughput(a.calls, a.rounds, a.in_flight, a.latency)}
    if a.memory:
        found["memory"] = memory(a.memory, a.in_flight)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
