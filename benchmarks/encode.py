"""Speed and memory of encoding, against the bare arithmetic it cannot do without and against interp_embed.

    python benchmarks/encode.py [--data model_outputs.json] [--peer PYTHON]

The limit is a bare truncated forward pass (a Hugging Face decoder cut after the hook layer) over the very
batches, padding included, that the product plans, and one encoder matmul (``addmm`` into a buffer made
beforehand, nothing kept) of the answers' tokens. The product is `whatchanged.encode.encode` with a loaded
reader and an empty cache folder: tokenise, forward, SAE, sparse, shards written, verified, read back, pooled.

Other work on a machine disturbs a pass of seconds by a factor of two, so texts are read in small groups, each
as limit, product, limit: the ratio is the mean of the two limits / product, its median is reported, and the
two limits against one another (A/A) are the control. A ratio counts only if the control's median is within
5 % of 1 and its quartiles within 15 %; whatever the ratio, ``DISTURBED`` is printed otherwise. Peak memory is
that of a process of its own that loads the reader and encodes once.

SAEs: the embedded one, and 65,536 random unit directions whose JumpReLU thresholds are set on real residuals
so that 50 to 100 features are active per token (L0 is printed). interp_embed (fp32, its defaults) reads the
same answers in its documented way, without prompts, if ``--peer`` names a Python that can import it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

HERE = Path(__file__).resolve()
WIDE, ACTIVE = (
    65536,
    130,
)  # the mean of a skewed count: tokens beyond the massive threshold take no part in the L0 printed
EMBEDDED = "gemma-3-270m"


# The parent stays free of torch: Linux hands its peak memory down to the processes it starts.
def texts(count: int, data: list[str]) -> list[tuple[str, str]]:
    """Prompts and answers: of alpaca_eval files, or joined from the package's demonstration answers."""
    if data:
        rows = [row for file in data for row in json.loads(Path(file).read_text(encoding="utf-8"))]
        step = max(1, len(rows) // count)  # spread over the files, whatever their order
        return [(row["instruction"], row["output"]) for row in rows[::step][:count]]
    from importlib.resources import files

    folder = files("whatchanged.demo") / "answers"
    lines = [(folder / f"{side}.jsonl").read_text(encoding="utf-8") for side in ("before", "after")]
    rows = [json.loads(line) for text in lines for line in text.splitlines() if line.strip()]
    joined = []
    for i in range(count):
        parts = [rows[(7 * i + 5 * j) % len(rows)]["text"] for j in range(1 + i % 9)]
        joined.append((rows[i % len(rows)]["prompt"], "\n\n".join([f"Part {i}.", *parts])))
    return joined


def responses(pairs: list[tuple[str, str]]) -> Any:
    from whatchanged.artifacts import Answer, Prompt, PromptSet, Responses

    prompts = tuple(Prompt(id=f"p{i}", text=prompt) for i, (prompt, _) in enumerate(pairs[::2]))
    answers = tuple(
        Answer(prompt_id=f"p{i // 2}", model=("before", "after")[i % 2], text=text)
        for i, (_, text) in enumerate(pairs)
    )
    return Responses(prompts=PromptSet(prompts=prompts), models=("before", "after"), answers=answers)


def plan(encoder: Any, data: Any) -> tuple[list[tuple[Any, list[tuple[int, int]]]], dict[str, int]]:
    """The product's own batches as padded ids and answer spans, and how many tokens there are."""
    import torch

    from whatchanged.encode.cache import document_key
    from whatchanged.encode.encode import BATCH_TOKENS
    from whatchanged.encode.plan import shards

    prompts = [data.prompts.by_id[a.prompt_id].text for a in data.answers]
    words = [a.text for a in data.answers]
    keys = [document_key(encoder.fingerprint, p, t) for p, t in zip(prompts, words, strict=True)]
    assert len(set(keys)) == len(keys), "equal texts are read once: the benchmark needs distinct ones"
    documents = encoder.reader.template.tokenise(prompts, words)
    batches = []
    limit = encoder.reader.template.limit
    for shard in shards([len(d.ids) for d in documents], keys, batch_tokens=BATCH_TOKENS, limit=limit):
        for batch in shard:
            ids = torch.zeros(len(batch.documents), batch.tokens, dtype=torch.long)
            for row, i in enumerate(batch.documents):
                ids[row, : len(documents[i].ids)] = torch.tensor(documents[i].ids)
            batches.append((ids, [(documents[i].start, len(documents[i].ids)) for i in batch.documents]))
    return batches, {
        "documents": len(documents),
        "answer": sum(len(d.ids) - d.start for d in documents),
        "real": sum(len(d.ids) for d in documents),
        "padded": sum(ids.numel() for ids, _ in batches),
    }


Spent = tuple[float, float]
"""Seconds by the clock and of processor time."""


def clock() -> Spent:
    return time.perf_counter(), time.process_time()


def since(start: Spent) -> Spent:
    return time.perf_counter() - start[0], time.process_time() - start[1]


def truncated(encoder: Any) -> Any:
    """The reader as transformers loads it, cut after the hook layer."""
    import torch
    from transformers import AutoModelForCausalLM

    from whatchanged.models.embedded import reader_path

    dtype = getattr(torch, encoder.reader.dtype)
    decoder = AutoModelForCausalLM.from_pretrained(reader_path(), dtype=dtype).get_decoder()
    del decoder.layers[encoder.reader.hook.layer + 1 :]
    decoder.norm = torch.nn.Identity()
    return decoder.eval().requires_grad_(False)


def bare(decoder: Any, sae: Any, batches: list[Any], buffer: Any) -> Spent:
    """The limit."""
    import torch

    start = clock()
    with torch.inference_mode():
        for ids, spans in batches:
            hidden = decoder(input_ids=ids, use_cache=False).last_hidden_state
            x = torch.cat([hidden[row, a:b] for row, (a, b) in enumerate(spans)])
            for block in x.split(len(buffer)):
                torch.addmm(sae.encoder_bias, block, sae.encoder, out=buffer[: len(block)])
    return since(start)


def timing(task: dict[str, Any]) -> dict[str, Any]:
    """Limit and product in turn, in one process."""
    import torch

    from whatchanged.encode import Encoder, encode

    if task["threads"]:
        torch.set_num_threads(task["threads"])
    start = clock()
    encoder = Encoder(task["sae"], dtype=task["dtype"], device="cpu", verify=False)
    ready = since(start)[0]
    decoder = truncated(encoder)
    pairs = texts(task["answers"], task["data"])
    groups = [responses(pairs[i : i + task["group"]]) for i in range(0, len(pairs), task["group"])]
    plans = [plan(encoder, group) for group in groups]
    tokens = {name: sum(counts[name] for _, counts in plans) for name in plans[0][1]}
    with torch.inference_mode():
        buffer = encoder.sae.encoder.new_empty(256, encoder.sae.width)
    entries, size, triples = 0, 0, []
    for turn in range(-1, task["repeats"]):  # the first turn warms up and is not counted
        for group, (batches, counts) in list(zip(groups, plans, strict=True))[: 1 if turn < 0 else None]:
            before = bare(decoder, encoder.sae, batches, buffer)
            with tempfile.TemporaryDirectory() as folder:
                start = clock()
                features = encode(group, encoder=encoder, cache=Path(folder))
                product = since(start)
                assert features.encoded == counts["documents"]
                if turn == 0:
                    entries += int(features.occurrences.count.sum())
                    size += sum(path.stat().st_size for path in features.shards)
            after = bare(decoder, encoder.sae, batches, buffer)
            if turn >= 0:
                triples.append((before, product, after, counts["answer"]))
    return {
        "tokens": tokens,
        "ready": ready,
        "threads": torch.get_num_threads(),
        "triples": triples,
        "l0": entries / tokens["answer"],
        "bytes": size / tokens["answer"],
    }


def memory(task: dict[str, Any]) -> dict[str, Any]:
    """Peak memory of a process that does what a user does: load, encode."""
    from whatchanged.encode import Encoder, encode

    encoder = Encoder(task["sae"], dtype=task["dtype"], device="cpu", verify=False)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        encode(responses(texts(task["answers"], task["data"])), encoder=encoder, cache=Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"loaded": loaded / 2**20, "peak": peak / 2**20}


def synthetic(task: dict[str, Any]) -> dict[str, Any]:
    """Write a wide SAE in SAELens format that is as sparse on real residuals as trained ones are."""
    import torch
    from safetensors.torch import save_file

    from whatchanged.encode import Encoder

    encoder = Encoder(EMBEDDED, device="cpu", verify=False)
    batches, _ = plan(encoder, responses(texts(48, task["data"])))
    layer = encoder.reader.hook.layer
    parts = []
    for ids, spans in batches:
        hidden = encoder.reader.residuals(ids)[layer]
        parts += [hidden[row, a:b] for row, (a, b) in enumerate(spans)]
    x = torch.cat(parts)
    x = x[x.norm(dim=1) < 5 * encoder.health.median_norm]
    mean, generator = x.mean(dim=0), torch.Generator().manual_seed(0)
    x = (x - mean)[torch.randperm(len(x), generator=generator)[:1024]]
    decoder = torch.nn.functional.normalize(torch.randn(WIDE, x.shape[1], generator=generator), dim=1)
    spread = (x @ decoder.T).std(dim=0)
    pre = (x @ (decoder / spread[:, None]).T).flatten()
    threshold = float(pre.topk(ACTIVE * len(x)).values[-1])
    weights = {
        "W_enc": (decoder / spread[:, None]).T.contiguous(),
        "b_enc": torch.zeros(WIDE),
        "W_dec": decoder,
        "b_dec": mean.clone(),
        "threshold": torch.full((WIDE,), threshold),
    }
    folder = Path(task["folder"])
    folder.mkdir(parents=True)
    save_file(weights, folder / "sae_weights.safetensors")
    config = {
        "architecture": "jumprelu",
        "d_in": x.shape[1],
        "d_sae": WIDE,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "model_name": f"google/{EMBEDDED}",
            "hook_name": f"blocks.{layer}.hook_resid_post",
            "sae_lens_version": "6.0.0",  # without it sae_lens reads the folder as its older format
        },
    }
    (folder / "cfg.json").write_text(json.dumps(config), encoding="utf-8")
    return {}


def peer_input(task: dict[str, Any]) -> dict[str, Any]:
    """What the peer's driver needs, with the answers' tokens counted as ours are."""
    from whatchanged.encode.registry import embedded_folder
    from whatchanged.models.embedded import reader_path

    answers = [answer for _, answer in texts(task["answers"], task["data"])]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader_path())
    tokens = sum(len(ids) for ids in tokenizer(answers, add_special_tokens=False)["input_ids"])
    sae = embedded_folder() if task["sae"] == EMBEDDED else task["sae"]
    return {"texts": answers, "tokens": tokens, "reader": str(reader_path()), "sae": str(sae)}


WORK = {f.__name__: f for f in (timing, memory, synthetic, peer_input)}


def worker(name: str, **task: Any) -> dict[str, Any]:
    """Run one piece of work in a fresh process; its last line is its result."""
    order = [sys.executable, str(HERE), "--work", name]
    done = subprocess.run(order, input=json.dumps(task), text=True, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peer(python: str, **task: Any) -> str:
    driver = HERE.with_name("encode_interp_embed.py")
    given = worker("peer_input", **task)
    done = subprocess.run(
        [python, str(driver)], input=json.dumps(given), text=True, stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        return f"interp_embed: failed with exit code {done.returncode}; its error stands above"
    found = json.loads(done.stdout.splitlines()[-1])
    speed = given["tokens"] / found["seconds"]
    return (
        f"interp_embed {found['version']}: {speed:,.0f} answer tokens/s, peak {found['peak']:.2f} GB "
        f"({len(given['texts'])} answers, {given['tokens']:,} tokens, {found['failed']} failed, fp32)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--answers", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own choice")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--width", nargs="+", default=["embedded", "wide"], choices=["embedded", "wide"])
    parser.add_argument("--data", nargs="*", default=[], metavar="FILE", help="alpaca_eval JSON")
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that can import interp_embed")
    parser.add_argument("--peer-answers", type=int, default=16)
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak-memory processes")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(WORK[options.work](json.load(sys.stdin))))
        return
    common = {"answers": options.answers - options.answers % 2, "data": options.data}
    turns = {"repeats": options.repeats, "threads": options.threads, "group": 8}
    with tempfile.TemporaryDirectory() as temporary:
        saes = {"embedded": EMBEDDED, "wide": str(Path(temporary) / "wide")}
        if "wide" in options.width:
            worker("synthetic", folder=saes["wide"], data=options.data)
        for width in options.width:
            for dtype in options.dtype:
                task = common | {"sae": saes[width], "dtype": dtype}
                report(width, dtype, worker("timing", **turns, **task))
                if not options.no_memory:
                    held = worker("memory", **task)
                    peak, loaded = held["peak"], held["loaded"]
                    print(f"    peak memory {peak:.2f} GB, {loaded:.2f} GB once loaded", flush=True)
            if options.peer:
                task = common | {"sae": saes[width], "answers": options.peer_answers}
                print(f"{width:8} {peer(options.peer, **task)}", flush=True)
    if not options.peer:
        print("interp_embed was not measured: give --peer PYTHON")


def spread(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def report(width: str, dtype: str, found: dict[str, Any]) -> None:
    tokens, triples = found["tokens"], found["triples"]
    ratio, processor = (spread([(a[i] + b[i]) / 2 / p[i] for a, p, b, _ in triples]) for i in (0, 1))
    control = spread([a[0] / b[0] for a, _, b, _ in triples])
    valid = abs(control[1] - 1) <= 0.05 and control[0] >= 0.85 and control[2] <= 1.15
    limit = median(2 * n / (a[0] + b[0]) for a, _, b, n in triples)
    product = median(n / p[0] for _, p, _, n in triples)
    padding = tokens["padded"] / tokens["real"] - 1
    show = "{1:.3f} [{0:.3f}, {2:.3f}]".format
    for line in (
        f"{width:8} {dtype:8} ratio {show(*ratio)}, of processor time {show(*processor)}; "
        f"control {show(*control)}{'' if valid else ' DISTURBED: this ratio does not count'}",
        f"    answer tokens/s: limit {limit:,.0f}, product {product:,.0f}; {len(triples)} triples, medians "
        f"[quartiles]; {found['threads']} threads",
        f"    {tokens['documents']} answers, {tokens['answer']:,} answer tokens of {tokens['real']:,} read, "
        f"{padding:.1%} padding; L0 {found['l0']:.0f}; {found['bytes']:.0f} bytes per answer token on disk; "
        f"loading {found['ready']:.1f} s",
    ):
        print(line, flush=True)


if __name__ == "__main__":
    main()
