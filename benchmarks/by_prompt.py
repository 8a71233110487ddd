"""E3: planted by system prompt. One model told to be concise, told nothing, told to be verbose; and truncation.

    python benchmarks/by_prompt.py --data alpaca_eval/results --out by_prompt.json

The three checkpoints differ by their system prompt alone, so their order is known: word count and two
observables named beforehand must rise at both steps, and the trend over the three must be found. Second,
answers are set against answers cut to 60 % of their words, which is a change of length and nothing else: no
behaviour may be found beyond 5 % of draws. Results are written as they come: the same command again resumes.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from cutting import CutPair, answers_of, cell_of, fill, with_cuts
from cutting_tables import HEAD, bar_of, left_grid, line_of
from planting import first_prompts
from program import ALPHA, Reading, bar, finish, opened, options_of, settings_of
from section import Bar, Grid, Section
from whatchanged.artifacts import Features, Responses
from whatchanged.diff import compare, discovered, trend
from whatchanged.pipeline import interpret
from whatchanged.responses import load
from whatchanged.store import write_json
from whatchanged.text import OBSERVABLES, observables

SERIES = ("claude-2.1_concise", "claude-2.1", "claude-2.1_verbose")
NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")
REAL = ("gpt4_1106_preview", "claude-2.1", "phi-2-dpo", "zephyr-7b-beta")
CUT = "words 60 %"

# Named before any result was looked at.
NAMED: Mapping[str, str] = {
    "words": "the system prompts ask for it",
    "paragraphs": "whoever says more lays it out in more paragraphs, whatever the subject",
    "hedges": "perhaps, might and it seems are what a concise answer leaves out first",
}

_RESAMPLES = 2000


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = settings_of(options) | {
        "series": list(SERIES), "named": [list(x) for x in NAMED.items()], "cut": CUT, "cut_prompts": options.cut_prompts,
    }  # fmt: skip
    result = opened(options.out, settings, truncation={})
    reading = Reading(options, console)
    files = [options.data / name / "model_outputs.json" for name in SERIES]
    responses = load(files[0], list(files[1:]), names=SERIES)
    if options.prompts is not None:
        responses = first_prompts(responses, options.prompts)
    answers = answers_of(responses)
    if result.get("series", {}).get("answers") != answers:
        result["series"] = _series(reading(responses), options.seed, console) | {"answers": answers}
        _write(result, reading, options.out)
    for models in (NULL_PAIR, *((m,) for m in options.models)):
        _truncation(result, models, reading, options, console)
    _write(result, reading, options.out)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__ or "")
    parser.add_argument("--draws", type=int, default=200, help="of each truncated model")
    parser.add_argument("--cut-prompts", type=int, default=300, help="prompts whose answers are cut")
    parser.add_argument(
        "--models", nargs="*", default=REAL, help="models that are also cut against themselves"
    )
    options = parser.parse_args()
    if options.draws < 1 or options.cut_prompts < 2:
        parser.error("at least one draw and two prompts are needed")
    return options


def _write(result: dict[str, Any], reading: Reading, out: Path) -> None:
    for key, value in reading.timing.items():
        if value:
            result["timing"][key] = value
    write_json(out, result)


def _series(features: Features, seed: int, console: Console) -> dict[str, Any]:
    """The three checkpoints: amounts, pairs, trend."""
    began = time.perf_counter()
    pairs = []
    for before, after in ((0, 1), (1, 2), (0, 2)):
        console.print(f"{SERIES[before]} → {SERIES[after]}")
        diff = compare(
            features, before=SERIES[before], after=SERIES[after], alpha=ALPHA, draws=1, splits=0, seed=seed
        )
        findings = interpret(diff, seed=seed)
        shown = {
            "pair": f"{SERIES[before]} → {SERIES[after]}",
            "units": diff.summary["n_units"],
            "length_before": diff.summary["length_before"],
            "length_after": diff.summary["length_after"],
            "tested": sum(diff.summary["tested"].values()),
            "significant": diff.summary["significant"],
            "length_driven": diff.summary["length_driven"],
            "not_identifiable": diff.summary["not_identifiable"],
            "behaviour_rows": int(discovered(diff).sum()),
            "findings": len(findings),
            "left_out": findings.summary["left_out"],
            "aside": len(findings.aside),
            "first": [{"id": f.id, "delta": f.delta, "q": f.q} for f in findings.items[:10]],
            "named": {
                name: _row(diff.table, name, ("statistic", "delta", "lo", "hi", "q", "length"))
                for name in NAMED
            },
        }
        pairs.append(shown)
    console.print("trend")
    found = trend(features, models=SERIES, alpha=ALPHA, draws=1, splits=0, seed=seed)
    mine = discovered(found)
    return {
        "amounts": _amounts(features.responses, seed),
        "pairs": pairs,
        "trend": {
            "units": found.summary["n_units"],
            "lengths": list(found.summary["lengths"]),
            "significant": found.summary["significant"],
            "length_driven": found.summary["length_driven"],
            "not_identifiable": found.summary["not_identifiable"],
            "behaviour_rows": int(mine.sum()),
            "monotone": int((found.table["monotone"].to_numpy(dtype=bool) & mine).sum()),
            "named": {
                name: _row(
                    found.table, name, ("statistic", "slope", "lo", "hi", "delta", "q", "monotone", "length")
                )
                for name in NAMED
            },
        },
        "seconds": round(time.perf_counter() - began, 1),
    }


def _row(table: Any, name: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """Some cells of an observable's row; a number that is not there is ``None``."""
    row = table[(table["kind"] == "observable") & (table["feature"] == name)].iloc[0]
    cells = {}
    for column in columns:
        value = row[column].item() if isinstance(row[column], np.generic) else row[column]
        cells[column] = None if isinstance(value, float) and math.isnan(value) else value
    return cells


def _amounts(responses: Responses, seed: int) -> dict[str, Any]:
    """Mean amount per answer of what was named, and its paired change at both steps."""
    table, names = observables(responses), list(OBSERVABLES)
    rows = [responses.rows(m) for m in SERIES]
    common = [p.id for p in responses.prompts if all(p.id in r for r in rows)]
    result = {}
    for name in NAMED:
        amount = np.zeros(len(responses.answers))
        mine = table.column == names.index(name)
        amount[table.row[mine]] = table.maximum[mine]
        mean = np.array([[amount[r[p]].mean() for p in common] for r in rows])
        steps = [_bootstrap(mean[k + 1] - mean[k], seed) for k in range(len(SERIES) - 1)]
        result[name] = {"means": [float(m) for m in mean.mean(axis=1)], "steps": steps}
    return result


def _bootstrap(change: NDArray[np.float64], seed: int) -> dict[str, float]:
    """Mean over prompts with a 95 % percentile interval."""
    rng = np.random.default_rng(seed)
    means = [change[rng.integers(0, len(change), len(change))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(change.mean()), "lo": float(low), "hi": float(high)}


def _truncation(
    result: dict[str, Any],
    models: tuple[str, ...],
    reading: Reading,
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Answers of one model, or of two samplings of one, against cut ones."""
    name = " / ".join(models)
    responses = with_cuts(options.data, models, [CUT], prompts=options.cut_prompts)
    cell = result["truncation"].setdefault(name, cell_of(name, models, responses))
    if cell["of"] != answers_of(responses):
        raise SystemExit(f"{options.out} holds results of other answers of {name}; choose another --out")
    if len(cell["draws"]) >= options.draws:
        return
    console.print(f"{name} against answers cut to 60 % of their words")
    pair = CutPair.of(reading(responses), models, CUT, longer=False, alpha=ALPHA)
    with bar(console) as shown:
        task = shown.add_task("draws", total=options.draws, completed=len(cell["draws"]))

        def step() -> None:
            shown.advance(task)
            if len(cell["draws"]) % 20 == 0:
                _write(result, reading, options.out)

        began, before = time.perf_counter(), len(cell["draws"])
        fill(cell, pair, draws=options.draws, seed=options.seed, step=step)
        made = len(cell["draws"]) - before
        result["timing"]["seconds_per_draw"] = round((time.perf_counter() - began) / made, 2)
    _write(result, reading, options.out)


def section(result: dict[str, Any]) -> Section:
    """What the results say."""
    s, series = result["settings"], result["series"]
    # Two samplings of one model first: "coin flips" come before "random halves".
    cells = sorted((c for c in result["truncation"].values() if c["draws"]), key=lambda c: c["by"])
    names = [name for name, _ in s["named"]]
    named = {name: series["trend"]["named"][name] for name in names}
    bars = [
        Bar(
            claim=f"{name}: concise < plain < verbose, mean per answer",
            wanted="both steps above 0 (paired 95 % interval)",
            got=" < ".join(f"{m:.2f}" for m in a["means"])
            + "; steps "
            + ", ".join(map(_interval, a["steps"])),
            met=all(step["lo"] > 0 for step in a["steps"]),
        )
        for name, a in ((name, series["amounts"][name]) for name in names)
    ]
    bars.append(
        Bar(
            claim="the trend over the three is found in " + ", ".join(named),
            wanted="q ≤ .05, rising, means monotone",
            got="; ".join(
                f"{n}: {_q(r['q'])}, {'monotone' if r['monotone'] else 'not monotone'}"
                for n, r in named.items()
            ),
            met=all(
                r["q"] is not None and r["q"] <= s["alpha"] and r["delta"] > 0 and r["monotone"]
                for r in named.values()
            ),
        )
    )
    bars += [
        bar_of(f"{cell['name']}: P(any behaviour finding) after truncation to 60 % of the words", cell)
        for cell in cells
    ]
    return Section(
        name="E3",
        title="planted by system prompt, and truncation",
        lines=_lines(result),
        bars=tuple(bars),
        grids=(
            *_series_grids(series),
            Grid(
                title="Answers against answers cut to 60 % of their words",
                head=HEAD,
                rows=tuple(line_of(c, s["cut"]) for c in cells),
            ),
            *left_grid("Rows left as behaviour findings after truncation", ((c["name"], c) for c in cells)),
        ),
    )


def _lines(result: dict[str, Any]) -> tuple[str, ...]:
    s, series = result["settings"], result["series"]
    units = series["trend"]["units"]
    reasons = "; ".join(f"{name} ({why})" for name, why in s["named"])
    trended = series["trend"]["named"]
    driven = [n for n, _ in s["named"] if trended[n]["length"] not in ("", "ok")]
    return (
        f"{', '.join(s['series'])} on {units} prompts; SAE {s['sae']['name']}, {s['dtype']}. Named before the "
        f"results were looked at: {reasons}. Means are over prompts, intervals a bootstrap over prompts.",
        "The trend is the product's: the sign of each prompt's linear contrast over the three, "
        "Benjamini-Hochberg over every row. "
        + (
            f"Of what was named the length rule sets {', '.join(driven)} aside: the change is found and reported, "
            "as one that length explains or could explain."
            if driven
            else "The length rule sets nothing aside of what was named."
        ),
        "Truncation: of two samplings of one model each prompt decides by a coin which is cut, on all prompts, "
        "so every draw is another data set with run-to-run noise in it; a model cut against itself is read on "
        "random halves of the prompts. A draw is a whole report with the length rule; one reading of each was "
        "held against compare() on answers that really were cut, bit for bit. Bounds are one-sided 95 % "
        "Clopper-Pearson over draws, given these answers. A bar is met when the upper one is at most .05, missed "
        "when the share is above; between the two the run was too small to say.",
    )


def _q(q: float | None) -> str:
    return "not tested" if q is None else f"q {q:.2g}"


def _interval(step: Mapping[str, float]) -> str:
    return f"{step['mean']:+.2f} [{step['lo']:.2f}, {step['hi']:.2f}]"


def _series_grids(series: dict[str, Any]) -> tuple[Grid, ...]:
    pairs, found = series["pairs"], series["trend"]
    rows = tuple(
        (
            p["pair"], str(p["units"]), f"{p['length_before']:g} → {p['length_after']:g}", f"{p['significant']:,}",
            f"{p['length_driven']:,}", f"{p['not_identifiable']:,}", f"{p['behaviour_rows']:,}",
            f"{p['findings']} + {p['left_out']} left out", str(p["aside"]),
        )
        for p in pairs
    )  # fmt: skip
    trend_row = (
        "trend over the three", str(found["units"]), " → ".join(f"{x:g}" for x in found["lengths"]),
        f"{found['significant']:,}", f"{found['length_driven']:,}", f"{found['not_identifiable']:,}",
        f"{found['behaviour_rows']:,} ({found['monotone']:,} monotone)", "", "",
    )  # fmt: skip
    named = tuple(
        (
            name,
            p["pair"],
            r["statistic"],
            f"{r['delta']:+.3f} [{r['lo']:.3f}, {r['hi']:.3f}]",
            _q(r["q"]),
            r["length"],
        )
        for name in sorted(series["amounts"])
        for p in pairs
        for r in (p["named"][name],)
    )
    return (
        Grid(
            title="What each pair yields",
            head=(
                "pair", "prompts", "median tokens", "rows at q ≤ .05", "length-driven", "not identifiable",
                "behaviour rows", "findings after merging", "set aside",
            ),
            rows=(*rows, trend_row),
        ),
        Grid(
            title="What was named, in the report: net share of prompts with more of it (Tango interval)",
            head=("observable", "pair", "statistic", "after − before", "q", "length rule"),
            rows=named,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
