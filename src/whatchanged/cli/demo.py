"""The demonstration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import Json, Out
from whatchanged.cli.told import tell


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
    tell(made, out, as_json)
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
