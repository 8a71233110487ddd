"""Sparse autoencoders: list, inspect, train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import Device, Json, Out, ReaderName, Seed
from whatchanged.cli.told import say

sae_app = typer.Typer(no_args_is_help=True, help="Sparse autoencoders: list, inspect, train.")
app.add_typer(sae_app, name="sae")


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
    say({k: v for k, v in facts.items() if v is not None}, as_json)


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
