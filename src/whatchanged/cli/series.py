"""``trend``: ordered checkpoints of a run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from whatchanged.cli.app import app
from whatchanged.cli.options import Alpha, Draws, Json, Run, Seed

if TYPE_CHECKING:
    from whatchanged.diff import Trend

SHOWN = 20


@app.command()
def trend(
    folder: Run,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", help="The checkpoints in order, with commas between; as in the run by default."
        ),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option("--steps", help="Where each stands (0,500,2000): slopes are per unit of it."),
    ] = None,
    alpha: Alpha = 0.05,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Test an encoded run folder for what rises or falls over its checkpoints, in order."""
    from whatchanged.pipeline import trend_run
    from whatchanged.terminal import watching

    with watching(silent=as_json) as progress:
        found = trend_run(
            folder,
            models=None if order is None else [name.strip() for name in order.split(",")],
            steps=None if steps is None else _numbers(steps),
            alpha=alpha,
            draws=draws,
            seed=seed,
            progress=progress,
        )
    lines = _lines(found)
    if as_json:
        s = found.summary
        facts = {
            name: s[name] for name in ("models", "steps", "n_units", "rows", "significant", "discovered")
        }
        typer.echo(json.dumps(facts | {"monotone_by_chance": s["monotone_by_chance"], "trends": lines}))
        return
    _tell(found, lines)
    typer.echo(f"\nevery row: {folder / 'trend.csv'}")


def _numbers(steps: str) -> list[float]:
    try:
        return [float(step) for step in steps.split(",")]
    except ValueError:
        raise ValueError(
            f"steps must be numbers with commas between; got {steps!r}; write 0,500,2000"
        ) from None


def _lines(found: Trend) -> list[dict[str, object]]:
    """The behaviour findings, strongest first, each with its levels."""
    from whatchanged.diff import discovered

    table = found.table[discovered(found)]
    table = table.iloc[table["q"].to_numpy().argsort(kind="stable")]
    names = ("kind", "feature", "statistic", "slope", "lo", "hi", "q", "n_rising", "n_falling", "monotone")
    levels = {
        key: part["level"].tolist() for key, part in found.levels.groupby(["kind", "feature"], sort=False)
    }
    return [
        {**{name: row[name] for name in names}, "levels": levels[row["kind"], row["feature"]]}
        for row in table.to_dict("records")
    ]


def _tell(found: Trend, lines: list[dict[str, object]]) -> None:
    from whatchanged.report.visible import visible

    s = found.summary
    typer.echo(
        f"{' -> '.join(visible(m) for m in s['models'])}: {s['discovered']} rows with a trend, of "
        f"{sum(s['tested'].values()):,} tested on {s['n_units']:,} prompts; {s['length_driven']} more are "
        f"explained by length"
    )
    for line in lines[:SHOWN]:
        levels = line["levels"]
        assert isinstance(levels, list), "every finding has its levels"
        typer.echo(
            f"  {line['kind']:10} {visible(str(line['feature'])):28} {line['statistic']:13} "
            f"{line['slope']:+.3g} a step ({line['lo']:+.3g} to {line['hi']:+.3g}), q {line['q']:.2g}: "
            f"{' -> '.join(f'{level:.3g}' for level in levels)}{'' if line['monotone'] else ' (not monotone)'}"
        )
    if len(lines) > SHOWN:
        typer.echo(f"  and {len(lines) - SHOWN} more")
    typer.echo(
        f"of rows in which nothing happens, {100 * s['monotone_by_chance']:.3g} % are monotone over "
        f"{len(s['models'])} checkpoints by chance"
    )
