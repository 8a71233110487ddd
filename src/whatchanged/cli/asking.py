"""How models are asked, as options of the command line say it, and what that would take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

__all__ = ["asking", "foresee", "show_diagnosis"]


def asking(
    *,
    samples: int,
    max_tokens: int,
    temperature: float | None,
    concurrency: int,
    cost_limit: float | None,
    deadline: float | None,
    prices: Path | None,
    provider: Sequence[str] | None,
    quantization: Sequence[str] | None,
    exclude_truncated: bool,
    seed: int,
) -> dict[str, Any]:
    """Options of `whatchanged.collect`."""
    routing: dict[str, Any] = {}
    if provider:
        routing |= {"order": list(provider), "allow_fallbacks": False}
    if quantization:
        routing |= {"quantizations": list(quantization)}
    return {
        "samples": samples,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "concurrency": concurrency,
        "cost_limit": cost_limit,
        "deadline": deadline,
        "prices": prices,
        "provider": routing or None,
        "exclude_truncated": exclude_truncated,
        "seed": seed,
    }


def show_diagnosis(found: Any, as_json: bool) -> None:
    """Print what the doctor found; exit code 3 if a run would stop.

    Args:
        found: A `whatchanged.doctor.Diagnosis`.
        as_json: Whether to print one JSON object.
    """
    import json

    if as_json:
        typer.echo(json.dumps(found.to_dict(), default=str))
    else:
        for check in found.checks:
            typer.echo(f"{check.status:4}  {check.name}: {check.message}")
        for m in found.estimate.models if found.estimate else ():
            done = f" ({m.done:,} are there already)" if m.done else ""
            typer.echo(
                f"      {m.model}: {m.calls:,} calls{done}, about {m.prompt_tokens:,} tokens read and "
                f"{m.completion_tokens:,} written"
            )
        if found.estimate:
            typer.echo(
                f"      about {found.estimate.seconds / 60:.1f} minutes in all; guesses from typical answers"
            )
    if not found.ok:
        raise typer.Exit(3)


def foresee(
    before: str | None,
    after: str | Sequence[str] | None,
    out: Path | None,
    prompts: str | None,
    limit: int | None,
    collecting: dict[str, Any],
    **reading: Any,
) -> Any:
    """What a run would need and take; nothing is asked."""
    from whatchanged.doctor import examine
    from whatchanged.pipeline import asked, choose_prompts

    afters = [] if after is None else [after] if isinstance(after, str) else list(after)
    every = before is not None and bool(afters) and all(asked(name) for name in (before, *afters))
    wanted = ("samples", "max_tokens", "concurrency", "prices", "cost_limit")
    return examine(
        before,
        afters or None,
        prompts=choose_prompts(prompts, limit=limit, seed=collecting["seed"]) if every else None,
        out=out,
        **{name: collecting[name] for name in wanted},
        **reading,
    )
