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
    "Concurrency",
    "CostLimit",
    "Deadline",
    "Device",
    "Draws",
    "DryRun",
    "Dtype",
    "Json",
    "Judge",
    "LabelWith",
    "Labels",
    "Limit",
    "MaxTokens",
    "NoCheck",
    "NoTruncated",
    "Out",
    "Prices",
    "Prompts",
    "Provider",
    "Quantization",
    "ReaderName",
    "Run",
    "Sae",
    "Samples",
    "Seed",
    "Temperature",
    "Tokens",
    "WithHypotheses",
]

Before = Annotated[
    str,
    typer.Option(
        "--before",
        help="Baseline: a model (google/gemini-2.0-flash-001, openai:NAME, google:NAME, http://host/v1#NAME, "
        "hf:ID[+ADAPTER], gguf:PATH), or its answers: FILE, file:FILE#COLUMN, a run folder.",
    ),
]
After = Annotated[
    list[str],
    typer.Option(
        "--after",
        help="The checkpoint compared with it, in the same ways. Positive means more here. Repeat it to compare "
        "several (all of them models, or all with their answers kept).",
    ),
]
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

Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts", help="What to ask: a file of prompts (CSV, JSONL, TXT, ...); by default our own bank."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", help="Use only the first N prompts (of the bank: a balanced sample of N)."),
]
Samples = Annotated[int, typer.Option("--samples", help="Answers per prompt and model.")]
MaxTokens = Annotated[int, typer.Option("--max-tokens", help="Most tokens of an answer.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", help="Of sampling; the model's own by default.")
]
Concurrency = Annotated[int, typer.Option("--concurrency", help="Most requests under way at once.")]
CostLimit = Annotated[
    float | None,
    typer.Option("--cost-limit", help="US dollars; nothing is sent that could pass it, at its worst."),
]
Deadline = Annotated[
    float | None, typer.Option("--deadline", help="Seconds after which nothing more is asked.")
]
Prices = Annotated[
    Path | None,
    typer.Option("--prices", help="TOML or JSON of prices, for providers that list none (docs/collect.md)."),
]
Provider = Annotated[
    list[str] | None,
    typer.Option("--provider", help="OpenRouter: only this host (repeat for a preference); no fallbacks."),
]
Quantization = Annotated[
    list[str] | None,
    typer.Option("--quantization", help="OpenRouter: only weights of this type, such as bf16."),
]
NoTruncated = Annotated[
    bool,
    typer.Option(
        "--exclude-truncated", help="Leave out prompts with an answer that ran out of tokens, on both sides."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say calls, tokens, money, time and missing keys; ask nothing.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help="Labels of the SAE's features: a Neuronpedia export (folder, file, URL), a Goodfire map, CSV.",
    ),
]
LabelWith = Annotated[
    str | None,
    typer.Option(
        "--label-with",
        help="Chat model that writes labels, and hypotheses if asked for (a name as in --before).",
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        help="Chat model that scores labels and judges hypotheses; that of --label-with by default.",
    ),
]
WithHypotheses = Annotated[
    bool,
    typer.Option(
        "--hypotheses",
        help="Also write hypotheses.json: discovered on half of the prompts, verified on the other half; counted "
        "where no model is named.",
    ),
]
