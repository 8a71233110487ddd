"""Prompts: from our own bank, a user's file, or written by a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import Json, Seed
from whatchanged.cli.told import say

if TYPE_CHECKING:
    from whatchanged.artifacts import PromptSet


@app.command()
def prompts(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write them here as JSON Lines; else they are shown.")
    ] = None,
    number: Annotated[int | None, typer.Option("--number", "-n", help="How many; all by default.")] = None,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only these categories; repeat for several.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Check and convert a file of prompts instead of using the bank."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--write-with", help="Let this model write them, for --question or two names."),
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", help='What they shall bring out: "does it hedge more?"')
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", help="Name of the baseline, for the writer.")
    ] = None,
    after: Annotated[str | None, typer.Option("--after", help="Name of the other, for the writer.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Choose prompts from our bank, convert a file of yours, or let a model write them."""
    from whatchanged.prompts import load_prompts, prompt_bank, write_prompts

    if model is None and (question or before or after):
        raise ValueError("--question, --before and --after are for a writer; name it with --write-with MODEL")
    if model is not None and source is not None:
        raise ValueError("--from reads prompts and --write-with writes them; give one of the two")
    facts: dict[str, object] = {}
    if model is not None:
        written = write_prompts(
            model,
            question=question,
            before=before,
            after=after,
            n=number or 64,
            categories=category,
            seed=seed,
        )
        found = written.prompts
        facts = {"calls": written.calls, "thrown_away": written.counts, "missing": written.missing}
        if not as_json:
            typer.echo(str(written), err=True)
    elif source is not None:
        found = _chosen(load_prompts(source), number, category)
    else:
        found = prompt_bank(number, categories=category, seed=seed)
    _show(found, out, facts, as_json)


def _chosen(found: PromptSet, number: int | None, categories: list[str] | None) -> PromptSet:
    from dataclasses import replace

    kept = tuple(p for p in found if categories is None or p.category in categories)[:number]
    if not kept:
        known = sorted({p.category for p in found if p.category})
        raise ValueError(f"no prompt is of category {categories}; the file has {known or 'no categories'}")
    return replace(found, prompts=kept)


def _show(found: PromptSet, out: Path | None, facts: dict[str, object], as_json: bool) -> None:
    from collections import Counter

    from whatchanged.prompts import save_prompts

    if out is None and not as_json:
        for p in found:
            text = " ".join(p.text.split())
            typer.echo(f"{p.id}  [{p.category or '-'}]  {text[:100]}{'…' if len(text) > 100 else ''}")
        return
    if out is not None:
        save_prompts(found, out)
        facts = {"file": str(out), **facts}
    counts = Counter(p.category or "-" for p in found)
    dropped = Counter(d.reason for d in found.dropped)
    say({"prompts": len(found), **facts, "categories": dict(counts), "dropped": dict(dropped)}, as_json)
