"""The command line: ``whatchanged VERB``. The verbs are those of the library.

Exit codes: 0 fine (changes found or not), 2 a mistake in the call, 3 the world failed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whatchanged.errors import InputError, WhatchangedError

if TYPE_CHECKING:
    from whatchanged.artifacts import Findings
    from whatchanged.report import Report

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What changed between two checkpoints of a language model, with evidence a sceptic accepts.",
)
sae_app = typer.Typer(no_args_is_help=True, help="Sparse autoencoders: list, inspect, train.")
app.add_typer(sae_app, name="sae")

Before = Annotated[
    str, typer.Option("--before", help="Baseline answers: FILE, file:FILE#COLUMN, or a run folder.")
]
After = Annotated[str, typer.Option("--after", help="Answers of the checkpoint compared with it.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder; give the same one again to resume.")]
Run = Annotated[Path, typer.Argument(help="Run folder.", exists=True, file_okay=False)]
Sae = Annotated[
    str,
    typer.Option(
        "--sae", help="SAE: gemma-3-270m (embedded), a SAELens release/sae_id, a folder, a .pth file."
    ),
]
ReaderName = Annotated[
    str | None, typer.Option("--reader", help="Reader LLM (id or folder); the SAE's own model by default.")
]
Dtype = Annotated[
    str, typer.Option("--dtype", help="float32 or bfloat16 (faster, flips about 2 % of presences).")
]
Device = Annotated[str, typer.Option("--device", help="Torch device; auto takes a GPU when there is one.")]
Tokens = Annotated[int, typer.Option("--limit-tokens", help="Longest text the reader sees, in tokens.")]
Alone = Annotated[bool, typer.Option("--no-prompt", help="Show the reader the answer without its prompt.")]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Do not refuse an SAE that fails the load check.")]
Alpha = Annotated[float, typer.Option("--alpha", help="False discovery rate.")]
Draws = Annotated[int, typer.Option("--draws", help="Label swaps for the noise floor.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random choice.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text; no progress.")]


def main() -> None:
    """Entry point: run a verb, turn failures into messages and exit codes."""
    try:
        app()
    except InputError as error:
        _fail(error, 2)
    except WhatchangedError as error:
        _fail(error, 3)
    except (ValueError, TypeError) as error:
        _fail(error, 2)


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"whatchanged: {error}", err=True)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("whatchanged"))
        raise typer.Exit


@app.command()
def run(
    before: Before,
    after: After,
    out: Out,
    sae: Sae = "gemma-3-270m",
    reader: ReaderName = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Use only the first N prompts.")] = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    limit_tokens: Tokens = 2048,
    no_prompt: Alone = False,
    no_check: NoCheck = False,
    alpha: Alpha = 0.05,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Answers of two checkpoints in, a report out."""
    from whatchanged.pipeline import run as run_all
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        made = run_all(
            before,
            after,
            out,
            sae=sae,
            reader=reader,
            limit=limit,
            alpha=alpha,
            draws=draws,
            seed=seed,
            progress=progress,
            dtype=dtype,
            device=device,
            limit_tokens=limit_tokens,
            include_prompt=not no_prompt,
            verify=not no_check,
        )
    _tell(made, out, as_json)


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
    _say(facts, as_json)


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
    _say({k: diff.summary[k] for k in names}, as_json)


@app.command()
def interpret(folder: Run, seed: Seed = 0, as_json: Json = False) -> None:
    """Turn a compared run folder into findings with evidence, and write its report."""
    from whatchanged.pipeline import interpret_run
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        made = interpret_run(folder, seed=seed, progress=progress)
    _tell(made, folder, as_json)


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
    from whatchanged.pipeline import open_run
    from whatchanged.report import report as make

    typer.echo(make(read(open_run(folder), seed=seed)).save(to or folder))


def _verify(folder: Path) -> None:
    from whatchanged.verify import verify_run

    found = verify_run(folder)
    for m in found.mismatches:
        typer.echo(f"{m.file}, {m.where}\n  says:   {m.says}\n  should: {m.should}")
    if found.mismatches:
        differing = len(found.mismatches) + found.left_out
        typer.echo(f"{differing} lines differ from what the run's answers and features give")
        raise typer.Exit(1)
    typer.echo(f"all {found.numbers:,} numbers of the report follow from the run's answers and features")


@app.command()
def demo(
    out: Out = Path("demo-out"),
    live: Annotated[
        bool, typer.Option("--live", help="Generate the answers again from the two checkpoints first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two small checkpoints of our own; one has behaviours planted on purpose."""
    from whatchanged.demo import PLANTED, answers_paths
    from whatchanged.pipeline import run as run_all
    from whatchanged.terminal import watching

    paths: tuple[Path, Path] = answers_paths()
    with watching(silent=as_json) as progress:
        if live:
            paths = _generate(out, progress)
        made = run_all(str(paths[0]), str(paths[1]), out, progress=progress)
    _tell(made, out, as_json)
    if not as_json:
        typer.echo("\nPlanted in the after checkpoint, so that you can see what was found:")
        for description in PLANTED.values():
            typer.echo(f"  - {description}")


def _generate(out: Path, progress: Any) -> tuple[Path, Path]:
    from whatchanged.demo import generate_answers
    from whatchanged.store import write_text

    paths = []
    sides: tuple[Literal["before", "after"], ...] = ("before", "after")
    for side in sides:
        path = out / "live" / f"{side}.jsonl"
        if not path.exists():
            progress.stage(f"generate answers: {side}")
            rows = generate_answers(side, progress=progress.tokens)
            write_text(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
        paths.append(path)
    return paths[0], paths[1]


@sae_app.command("list")
def sae_list(
    registry: Annotated[
        str | None, typer.Option("--registry", help="Also list SAELens names that contain this text.")
    ] = None,
) -> None:
    """List SAEs to start with; any SAELens name, folder or Goodfire file works as well."""
    from whatchanged.encode import KNOWN
    from whatchanged.encode.load_sae import registry_names

    for name, description in KNOWN.items():
        typer.echo(f"{name:58} {description}")
    if registry is not None:
        for name in registry_names(registry):
            typer.echo(name)


@sae_app.command("inspect")
def sae_inspect(
    name: Annotated[str, typer.Argument(help="Name of the SAE.")],
    reader: ReaderName = None,
    check: Annotated[
        bool, typer.Option("--check", help="Load the reader too and run the load check.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what an SAE is, and with --check whether it belongs to its model, layer and hook point."""
    from whatchanged.encode import Encoder, load_sae

    sae = load_sae(name)
    facts: dict[str, Any] = {
        "name": sae.name,
        "architecture": sae.architecture,
        "model": sae.model_name,
        "hook_point": str(sae.hook),
        "d_in": sae.d_in,
        "features": sae.width,
        "k": sae.k or None,
        **{f"claimed_{k}": v for k, v in sae.claims.items()},
        "fingerprint": sae.fingerprint,
    }
    if check:
        facts |= {f"measured_{k}": v for k, v in Encoder(sae, reader=reader).health.to_dict().items()}
    _say({k: v for k, v in facts.items() if v is not None}, as_json)


@sae_app.command("train")
def sae_train(
    corpus: Annotated[Path, typer.Argument(help="Parquet, JSONL or CSV with a column text (and prompt).")],
    out: Out,
    reader: Annotated[str, typer.Option("--reader", help="Reader LLM (id or folder).")] = "gemma-3-270m",
    layer: Annotated[
        int, typer.Option("--layer", help="Decompose the residual stream after this layer.")
    ] = 9,
    width: Annotated[int, typer.Option("--width", help="Number of features.")] = 8192,
    k: Annotated[int, typer.Option("--k", help="Features active per token.")] = 32,
    tokens: Annotated[int, typer.Option("--tokens", help="Training tokens.")] = 5_000_000,
    batch: Annotated[int, typer.Option("--batch", help="Tokens per step.")] = 2048,
    lr: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 1e-3,
    context: Annotated[int, typer.Option("--context", help="Longest text in tokens.")] = 512,
    dtype: Annotated[str, typer.Option("--dtype", help="Number type of the reader.")] = "bfloat16",
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Train an SAE on a reader's residual stream; run again to resume."""
    from whatchanged.encode.train.corpus import Corpus
    from whatchanged.encode.train.trainer import TrainConfig, train_sae
    from whatchanged.terminal import watching

    config = TrainConfig(
        reader=reader,
        layer=layer,
        width=width,
        k=k,
        tokens=tokens,
        batch=batch,
        lr=lr,
        context=context,
        dtype=dtype,
        seed=seed,
    )
    with watching(silent=False) as progress:

        def log(figures: Any) -> None:
            with (out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(figures)) + "\n")
            if progress.stage:
                progress.stage(", ".join(f"{k} {v:.4g}" for k, v in figures.items()))

        train_sae(
            Corpus.read(corpus, seed=seed), config, out, device=device, log=log, progress=progress.tokens
        )
    typer.echo((out / "README.md").read_text(encoding="utf-8"))


def _say(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, default=str))
        return
    for name, value in facts.items():
        typer.echo(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")


def _tell(made: Report, out: Path, as_json: bool) -> None:
    """End with the first findings and where the report lies."""
    findings: Findings = made.findings
    if as_json:
        facts = {
            "report": str(out / "report.html"),
            "findings": [{"id": f.id, "label": f.label, "delta": f.delta, "q": f.q} for f in findings],
            "aside": len(findings.aside),
        }
        typer.echo(json.dumps(facts))
        return
    from whatchanged.terminal import show_findings

    show_findings(findings)
    typer.echo(f"\nreport: {out / 'report.html'}")
