"""What comes before the answers, and the answers: ``prompts``, ``doctor``, ``collect``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from whatchanged.cli.app import app
from whatchanged.cli.asking import asking, foresee, show_diagnosis
from whatchanged.cli.options import (
    After,
    Before,
    Concurrency,
    CostLimit,
    Deadline,
    Device,
    DryRun,
    Dtype,
    Json,
    Limit,
    MaxTokens,
    NoTruncated,
    Out,
    Prices,
    Prompts,
    Provider,
    Quantization,
    ReaderName,
    Sae,
    Samples,
    Seed,
    Temperature,
)
from whatchanged.cli.told import say


@app.command()
def collect(
    before: Before,
    after: After,
    out: Out,
    prompts: Prompts = None,
    limit: Limit = None,
    samples: Samples = 1,
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = None,
    concurrency: Concurrency = 32,
    cost_limit: CostLimit = None,
    deadline: Deadline = None,
    prices: Prices = None,
    provider: Provider = None,
    quantization: Quantization = None,
    exclude_truncated: NoTruncated = False,
    dry_run: DryRun = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Ask two models or more the same prompts; resumable, and no answer is paid for twice."""
    from whatchanged.pipeline import asked, choose_prompts, collect_run
    from whatchanged.terminal import watching

    for side, name in (("--before", before), *(("--after", name) for name in after)):
        if not asked(name):
            raise ValueError(f"{side} {name!r} is no model to ask; 'run' compares answers that are in files")
    options = asking(
        samples=samples,
        max_tokens=max_tokens,
        temperature=temperature,
        concurrency=concurrency,
        cost_limit=cost_limit,
        deadline=deadline,
        prices=prices,
        provider=provider,
        quantization=quantization,
        exclude_truncated=exclude_truncated,
        seed=seed,
    )
    if dry_run:
        show_diagnosis(foresee(before, after, out, prompts, limit, options), as_json)
        return
    chosen = choose_prompts(prompts, limit=limit, seed=seed)
    with watching(silent=as_json) as progress:
        responses = collect_run(chosen, before, after, out, progress=progress, **options)
    from whatchanged.responses.collect import read_summary

    facts: dict[str, Any] = {
        "prompts": len(responses.prompts),
        "answers": len(responses.answers),
        **responses.counts,
    }
    summary = read_summary(out)
    facts |= {"cost": round(sum(m.cost for m in summary.models), 6)}
    unknown = sum(m.cost_unknown for m in summary.models)
    say(facts | ({"calls_of_unknown_cost": unknown} if unknown else {}) | {"folder": str(out)}, as_json)


@app.command()
def doctor(
    before: Annotated[str | None, typer.Option("--before", help="Baseline, as for run.")] = None,
    after: Annotated[
        list[str] | None,
        typer.Option("--after", help="The checkpoint compared with it; repeat it for several."),
    ] = None,
    prompts: Prompts = None,
    limit: Limit = None,
    samples: Samples = 1,
    max_tokens: MaxTokens = 1024,
    concurrency: Concurrency = 32,
    cost_limit: CostLimit = None,
    prices: Prices = None,
    sae: Sae = "gemma-3-270m",
    reader: ReaderName = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    load: Annotated[
        bool, typer.Option("--load", help="Also load reader and SAE (may download) and run the load check.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say before any spending: keys, access, reader and SAE, memory, disk, time and cost."""
    collecting: dict[str, Any] = {
        "samples": samples,
        "max_tokens": max_tokens,
        "concurrency": concurrency,
        "prices": prices,
        "cost_limit": cost_limit,
        "seed": seed,
    }
    found = foresee(
        before,
        after,
        None,
        prompts,
        limit,
        collecting,
        sae=sae,
        reader=reader,
        dtype=dtype,
        device=device,
        load=load,
    )
    show_diagnosis(found, as_json)
