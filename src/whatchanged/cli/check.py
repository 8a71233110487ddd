"""The gate of a model release."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import (
    Dtype,
    Json,
    Limit,
    MaxTokens,
    Prices,
    Prompts,
    Sae,
    Samples,
    Seed,
    Temperature,
)


@app.command()
def check(
    baseline: Annotated[
        str,
        typer.Argument(help="What to hold it against: a run folder, a file of answers, or a model to ask."),
    ],
    candidate: Annotated[str, typer.Argument(help="What may be released, in the same ways.")],
    rules: Annotated[Path, typer.Option("--rules", help="TOML file of guarded behaviours (docs/check.md).")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep answers, features and verdicts in this run folder.")
    ] = None,
    prompts: Prompts = None,
    limit: Limit = None,
    samples: Samples = 1,
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            help="Chat model (a name as in --before of run) for hypotheses that their rules neither count nor "
            "have judged.",
        ),
    ] = None,
    judge_cost_limit: Annotated[
        float | None,
        typer.Option(
            "--judge-cost-limit",
            help="US dollars for all judges together; nothing is sent that could pass it, at its worst.",
        ),
    ] = None,
    prices: Prices = None,
    sae: Sae = "gemma-3-270m",
    dtype: Dtype = "float32",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the verdicts as JUnit XML.")] = None,
    annotate: Annotated[
        bool | None,
        typer.Option(
            "--github/--no-github", help="Print GitHub annotations; by itself only inside GitHub Actions."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Exit with 1 when a guarded behaviour changed beyond its tolerance."""
    import tempfile

    from whatchanged.gate import check as verdicts_of
    from whatchanged.gate import claims_of, github, judges_of, judges_said, lines, read_known, read_rules
    from whatchanged.gate import junit as as_junit
    from whatchanged.llm import read_prices
    from whatchanged.pipeline import answers_run, encode_run
    from whatchanged.store import write_json, write_text
    from whatchanged.terminal import watching

    guarded = read_rules(rules)
    known = read_known(guarded, baseline=baseline, here=rules.parent)
    claims = claims_of(guarded, judge=judge, known=known)  # before anything is asked
    with tempfile.TemporaryDirectory(prefix="whatchanged-") as scratch, watching(silent=as_json) as progress:
        folder = out or Path(scratch)
        judges = judges_of(
            claims,
            cost_limit=judge_cost_limit,
            prices=None if prices is None else read_prices(prices),
            copies=None if out is None else out / "replies",
        )
        responses = answers_run(
            baseline,
            candidate,
            folder,
            prompts=prompts,
            limit=limit,
            seed=seed,
            progress=progress,
            collecting={
                "samples": samples,
                "max_tokens": max_tokens,
                "temperature": temperature,
                "seed": seed,
            },
        )
        features = None
        if guarded.needs_features:
            features = encode_run(folder, sae=sae, dtype=dtype, progress=progress)
        if progress.stage:
            for name in judges:
                progress.stage(f"ask {name} which answers do more of what hypotheses say")
        verdicts = verdicts_of(responses, guarded, features=features, claims=claims, judges=judges, seed=seed)
        failed = any(v.failed for v in verdicts)
        asked = {name: one.summary for name, one in judges.items()}
        result = {"failed": failed, "rules": [v.to_dict() for v in verdicts], "judges": asked}
        if out is not None:
            write_json(out / "check.json", result)
    if junit is not None:
        write_text(junit, as_junit(verdicts))
    if as_json:
        typer.echo(json.dumps(result))
    else:
        for line in [*lines(verdicts), *judges_said(asked)]:
            typer.echo(line)
    if annotate or (annotate is None and os.environ.get("GITHUB_ACTIONS") == "true"):
        for line in github(verdicts):
            typer.echo(line, err=as_json)
    if failed:
        raise typer.Exit(1)
