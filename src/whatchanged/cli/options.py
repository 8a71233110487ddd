"""Options that several verbs share, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "After",
    "Alone",
    "Alpha",
    "Before",
    "Device",
    "Draws",
    "Dtype",
    "Json",
    "NoCheck",
    "Out",
    "ReaderName",
    "Run",
    "Sae",
    "Seed",
    "Tokens",
]

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
