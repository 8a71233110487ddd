"""The stages: ``run`` and each of them alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatchanged.cli.app import app
from whatchanged.cli.asking import asking, foresee, show_diagnosis
from whatchanged.cli.options import (
    After,
    Alone,
    Alpha,
    Before,
    Concurrency,
    CostLimit,
    Deadline,
    Device,
    Draws,
    DryRun,
    Dtype,
    Json,
    Judge,
    Labels,
    LabelWith,
    Limit,
    MaxTokens,
    NoCheck,
    NoTruncated,
    Out,
    Prices,
    Prompts,
    Provider,
    Quantization,
    ReaderName,
    Run,
    Sae,
    Samples,
    Seed,
    Temperature,
    Tokens,
    WithHypotheses,
)
from whatchanged.cli.told import say, tell


@app.command()
def run(
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
    sae: Sae = "gemma-3-270m",
    reader: ReaderName = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    limit_tokens: Tokens = 2048,
    no_prompt: Alone = False,
    no_check: NoCheck = False,
    alpha: Alpha = 0.05,
    draws: Draws = 1000,
    labels: Labels = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Two checkpoints or more in, a report out: asks models, or reads their answers from files."""
    from whatchanged.pipeline import run as run_all
    from whatchanged.terminal import watching

    collecting = asking(
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
        show_diagnosis(
            foresee(
                before,
                after,
                out,
                prompts,
                limit,
                collecting,
                sae=sae,
                reader=reader,
                dtype=dtype,
                device=device,
            ),
            as_json,
        )
        return
    with watching(silent=as_json) as progress:
        made = run_all(
            before,
            list(after),
            out,
            prompts=prompts,
            collecting=collecting,
            sae=sae,
            reader=reader,
            limit=limit,
            alpha=alpha,
            draws=draws,
            seed=seed,
            labels=labels,
            progress=progress,
            dtype=dtype,
            device=device,
            limit_tokens=limit_tokens,
            include_prompt=not no_prompt,
            verify=not no_check,
        )
    tell(made, out, as_json)


@app.command()
def encode(
    folder: Run,
    sae: Sae = "gemma-3-270m",
    reader: ReaderName = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    limit_tokens: Tokens = 2048,
    no_prompt: Alone = False,
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Read a run folder's answers with the reader LLM and the SAE."""
    from whatchanged.pipeline import encode_run
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        features = encode_run(
            folder,
            sae=sae,
            reader=reader,
            progress=progress,
            dtype=dtype,
            device=device,
            limit_tokens=limit_tokens,
            include_prompt=not no_prompt,
            verify=not no_check,
        )
    facts = {
        "answers": len(features.responses.answers),
        "encoded": features.encoded,
        "tokens": int(features.occurrences.n_units.sum()),
        "cut": int(features.cut.sum()),
        "masked_tokens": int(features.masked.sum()),
        **{k: features.health[k] for k in ("l0", "explained_variance")},
    }
    say(facts, as_json)


@app.command()
def compare(
    folder: Run, alpha: Alpha = 0.05, draws: Draws = 1000, seed: Seed = 0, as_json: Json = False
) -> None:
    """Contrast the two sides of an encoded run folder."""
    from whatchanged.pipeline import compare_run
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        diff = compare_run(folder, alpha=alpha, draws=draws, seed=seed, progress=progress)
    names = ("n_pairs", "rows", "significant", "discovered", "length_driven", "not_identifiable")
    say({k: diff.summary[k] for k in names}, as_json)


@app.command()
def interpret(
    folder: Run,
    labels: Labels = None,
    label_with: LabelWith = None,
    judge: Judge = None,
    hypotheses: WithHypotheses = False,
    cost_limit: CostLimit = None,
    prices: Prices = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Turn a compared run folder into findings with evidence, and write its report."""
    from whatchanged.pipeline import interpret_run
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        made = interpret_run(
            folder,
            seed=seed,
            labels=labels,
            label_with=label_with,
            judge=judge,
            hypotheses=hypotheses,
            cost_limit=cost_limit,
            prices=prices,
            progress=progress,
        )
    tell(made, folder, as_json, hypotheses=hypotheses)


@app.command()
def report(
    folder: Run,
    to: Annotated[
        Path | None, typer.Option("--to", help="Where to: a folder, or one file ending in .html or .md.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Write nothing: compute every number again; exit code 1 if one differs."
        ),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Write the report of a compared run folder, there or elsewhere; or check the one that is there."""
    if verify:
        _verify(folder)
        return
    from whatchanged.pipeline import interpret as read
    from whatchanged.pipeline import labels_of, open_run, said_of
    from whatchanged.report import report as make

    diff = open_run(folder)
    findings = read(diff, seed=seed, **labels_of(folder, diff))
    typer.echo(make(findings, **said_of(folder, diff)).save(to or folder))


def _verify(folder: Path) -> None:
    from whatchanged.verify import verify_run

    found = verify_run(folder)
    for m in found.mismatches:
        typer.echo(f"{m.file}, {m.where}\n  says:   {m.says}\n  should: {m.should}")
    for reason in found.unverifiable:
        typer.echo(f"not verifiable: {reason}")
    if found.mismatches:
        differing = len(found.mismatches) + found.left_out
        typer.echo(f"{differing} lines differ from what the run's answers and features give")
    if not found.holds:
        raise typer.Exit(1)
    kept = " and the replies it keeps" if (folder / "replies").exists() else ""
    typer.echo(
        f"all {found.numbers:,} numbers of the report follow from the run's answers and features{kept}"
    )
