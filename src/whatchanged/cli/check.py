"""The gate of a model release."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import Dtype, Json, Limit, MaxTokens, Prompts, Sae, Samples, Seed, Temperature


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

    from whatchanged.gate import check as judge
    from whatchanged.gate import github, lines, read_rules
    from whatchanged.gate import junit as as_junit
    from whatchanged.pipeline import answers_run, encode_run
    from whatchanged.store import write_json, write_text
    from whatchanged.terminal import watching

    guarded = read_rules(rules)
    with tempfile.TemporaryDirectory(prefix="whatchanged-") as scratch, watching(silent=as_json) as progress:
        folder = out or Path(scratch)
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
        verdicts = judge(responses, guarded, features=features)
        if out is not None:
            write_json(out / "check.json", [v.to_dict() for v in verdicts])
    if junit is not None:
        write_text(junit, as_junit(verdicts))
    failed = any(v.failed for v in verdicts)
    if as_json:
        typer.echo(json.dumps({"failed": failed, "rules": [v.to_dict() for v in verdicts]}))
    else:
        for line in lines(verdicts):
            typer.echo(line)
    if annotate or (annotate is None and os.environ.get("GITHUB_ACTIONS") == "true"):
        for line in github(verdicts):
            typer.echo(line, err=as_json)
    if failed:
        raise typer.Exit(1)
