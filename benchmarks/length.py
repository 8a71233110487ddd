"""E7: length. A change of nothing but length is no behaviour; and a behaviour is found although lengths differ.

    python benchmarks/length.py --data alpaca_eval/results --out length.json

Answers are cut after a share of their words (in mid-sentence) or at the end of a sentence, on either side:
what is significant before the length rule is counted, and what the rule leaves. Then edits are planted in half
of the answers while the others are cut, to see what the rule costs. Results are written as they come: run the
same command again to resume, or with more draws to add to them.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from cutting import CUTS, CutPair, answers_of, cell_of, fill, with_cuts
from cutting_tables import HEAD, bar_of, left_grid, line_of
from edits import EDITS
from methods import TOP, judge, listings
from planting import Bench, contrast_of, plant
from program import ALPHA, Reading, bar, finish, opened, options_of, settings_of
from section import Bar, Grid, Section
from whatchanged.artifacts import Responses
from whatchanged.diff.units import Pairing
from whatchanged.stats import wilson
from whatchanged.store import write_json

NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")
REAL = ("gpt4_1106_preview", "claude-2.1", "phi-2-dpo")
WORDS, SENTENCES = "words 60 %", "sentences 60 %"
DIRECTIONS = {"shorter": False, "longer": True}

PLANTED: Mapping[str, str] = {
    "closing_question": "at the end",
    "certainly": "at the beginning",
    "hedge": "in the second sentence",
    "bold_headings": "throughout",
}
"""Edits planted beside cuts, and where they stand in an answer."""

DOSE = 0.5


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = settings_of(options) | {"pair": list(NULL_PAIR), "dose": DOSE}
    result = opened(options.out, settings, cells={}, cost={})
    reading = Reading(options, console)
    _cells(result, NULL_PAIR, list(CUTS), list(DIRECTIONS), reading, options, console)
    for model in options.models:
        _cells(result, (model,), [WORDS, SENTENCES], ["shorter"], reading, options, console)
    _costs(result, reading, options, console)
    _write(result, reading, options)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__ or "")
    parser.set_defaults(prompts=300)
    parser.add_argument("--draws", type=int, default=100, help="of each cut and direction")
    parser.add_argument("--cost-draws", type=int, default=20, help="of each planted edit and cut")
    parser.add_argument(
        "--models", nargs="*", default=REAL, help="models that are also cut against themselves"
    )
    options = parser.parse_args()
    if options.draws < 1 or options.cost_draws < 1 or options.prompts < 2:
        parser.error("at least one draw and two prompts are needed")
    return options


def _write(result: dict[str, Any], reading: Reading, options: argparse.Namespace) -> None:
    for key, value in reading.timing.items():
        if value:
            result["timing"][key] = value
    write_json(options.out, result)


def _cells(
    result: dict[str, Any],
    models: tuple[str, ...],
    cuts: Sequence[str],
    directions: Sequence[str],
    reading: Reading,
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Answers of one model, or of two samplings of one, against cut ones: every cut in every direction."""
    responses = with_cuts(options.data, models, cuts, prompts=options.prompts)
    of, todo = answers_of(responses), []
    for cut in cuts:
        for direction in directions:
            name = f"{' / '.join(models)}, {cut}, {direction}"
            cell = result["cells"].setdefault(
                name, cell_of(name, models, responses) | {"cut": cut, "to": direction}
            )
            if cell["of"] != of:
                raise SystemExit(
                    f"{options.out} holds results of other answers of {name}; choose another --out"
                )
            if len(cell["draws"]) < options.draws:
                todo.append(cell)
    if not todo:
        return
    console.print(f"{' / '.join(models)}: {len(responses.answers):,} answers")
    features, began = reading(responses), time.perf_counter()
    with bar(console) as shown:
        task = shown.add_task("draws", total=sum(options.draws - len(c["draws"]) for c in todo))
        made = 0
        for cell in todo:
            shown.update(task, description=f"{cell['cut']} {cell['to']}")
            longer = DIRECTIONS[cell["to"]]
            pair = CutPair.of(features, models, cell["cut"], longer=longer, alpha=ALPHA)
            missing = options.draws - len(cell["draws"])
            fill(cell, pair, draws=options.draws, seed=options.seed, step=lambda: shown.advance(task))
            made += missing
            result["timing"]["seconds_per_draw"] = round((time.perf_counter() - began) / made, 2)
            _write(result, reading, options)


def _costs(result: dict[str, Any], reading: Reading, options: argparse.Namespace, console: Console) -> None:
    """Edits planted in half of the after-answers while the others are cut, or left as they are."""
    cuts = ("", WORDS, SENTENCES)
    cut_ones = with_cuts(options.data, NULL_PAIR, [c for c in cuts if c], prompts=options.prompts)
    planted = _planted(cut_ones)
    of, cells = answers_of(planted), {}
    for edit in PLANTED:
        for cut in cuts:
            name = f"{edit}, {cut or 'others uncut'}"
            empty = {"edit": edit, "cut": cut, "of": of, "draws": []}
            cells[edit, cut] = result["cost"].setdefault(name, empty)
            if cells[edit, cut]["of"] != of:
                raise SystemExit(
                    f"{options.out} holds results of other answers of {name}; choose another --out"
                )
    todo = {k: options.cost_draws - len(c["draws"]) for k, c in cells.items()}
    if max(todo.values()) <= 0:
        return
    console.print(f"planted edits beside cuts: {len(planted.answers):,} answers")
    bench = Bench.of(reading(planted), alpha=ALPHA)
    with bar(console) as shown:
        task = shown.add_task("draws", total=sum(max(0, t) for t in todo.values()))
        for (edit, cut), cell in cells.items():
            shown.update(task, description=f"{edit} {cut}")
            for draw in range(len(cell["draws"]), options.cost_draws):
                with_edit, without, edited = _half(bench, edit, cut, seed=options.seed, draw=draw)
                found = contrast_of(bench.families, with_edit, bench.signs, bench.alpha)
                plain = contrast_of(bench.families, without, bench.signs, bench.alpha).families
                judged = judge(found, listings(found), plain)
                cell["edited"] = edited
                cell["draws"].append({k: judged[k] for k in ("report", "report_behaviour")})
                shown.advance(task)
            _write(result, reading, options)


def _planted(cut_ones: Responses) -> Responses:
    """The pair, its cut answers, and its edited after-answers."""
    pair = replace(
        cut_ones, models=NULL_PAIR, answers=tuple(a for a in cut_ones.answers if a.model in NULL_PAIR)
    )
    edited = plant(pair, {name: EDITS[name] for name in PLANTED})
    answers = [a for a in edited.answers if a.model in PLANTED]
    return replace(cut_ones, models=(*cut_ones.models, *PLANTED), answers=(*cut_ones.answers, *answers))


def _half(bench: Bench, edit: str, cut: str, *, seed: int, draw: int) -> tuple[Pairing, Pairing, int]:
    """Half of the prompts edited and the others cut; the same unedited; and how many are edited."""
    pairing, responses = bench.pairing, bench.responses
    after = np.flatnonzero(pairing.side > 0)
    prompts = [pairing.prompts[p] for p in pairing.prompt[after]]
    edits = responses.rows(edit)
    apply = np.array([i for i, p in enumerate(prompts) if p in edits])
    rng = np.random.default_rng([seed, zlib.crc32(f"{edit}, {cut}".encode()), draw])
    chosen = rng.permutation(apply)[: round(DOSE * len(prompts))]
    others = np.setdiff1d(np.arange(len(prompts)), chosen)

    def put(rows: Mapping[str, list[int]], where: NDArray[np.int64], into: NDArray[np.int64]) -> None:
        into[after[where]] = [rows[prompts[i]][0] for i in where]

    without = pairing.answers.copy()
    if cut:
        put(responses.rows(f"{NULL_PAIR[1]}, {cut}"), others, without)
    edited = without.copy()
    put(edits, chosen, edited)
    return replace(pairing, answers=edited), replace(pairing, answers=without), len(chosen)


def section(result: dict[str, Any]) -> Section:
    """What the results say."""
    cells = sorted(
        (c for c in result["cells"].values() if c["draws"]),
        key=lambda c: (c["by"], c["answers"], list(CUTS).index(c["cut"]), list(DIRECTIONS).index(c["to"])),
    )
    costs = sorted(
        (c for c in result["cost"].values() if c["draws"]),
        key=lambda c: (list(PLANTED).index(c["edit"]), bool(c["cut"]), c["cut"] == SENTENCES),
    )
    bars = [
        bar_of(f"{c['answers']}, {c['cut']}, answers become {c['to']}: P(any behaviour finding)", c)
        for c in cells
    ]
    if costs:
        beside = [c for c in costs if c["cut"]]
        hits, draws = sum(map(_hits, beside)), sum(len(c["draws"]) for c in beside)
        visible = sum(_hits(c, "report") for c in beside)
        bars.append(
            Bar(
                claim="planted edits beside cuts: draws in which the edit is still a behaviour finding",
                wanted="more than none",
                got=f"{_share(hits, draws)}; {visible} before the length rule",
                met=hits > 0 if visible else None,
            )
        )
    return Section(
        name="E7",
        title="a change of length is no behaviour",
        lines=_lines(result),
        bars=tuple(bars),
        grids=(
            Grid(
                title="Significant before the length rule, and what it says of them",
                head=("answers become", *HEAD),
                rows=tuple((c["to"], *line_of(c, c["cut"])) for c in cells),
            ),
            Grid(
                title="The same on all prompts, once (the first sampling whole, the other cut)",
                head=(
                    "answers", "cut", "answers become", "prompts", "features by presence", "by rate",
                    "by default p", "behaviour findings left",
                ),
                rows=tuple(
                    (
                        c["answers"], c["cut"], c["to"], str(c["units"]),
                        *(f"{c['all'][k]:,}" for k in ("presence", "rate", "features", "ok")),
                    )
                    for c in cells
                ),
            ),
            *left_grid(
                "Rows the length rule left", ((f"{c['answers']}, {c['cut']}, {c['to']}", c) for c in cells)
            ),
            _cost_grid(costs),
        ),
    )  # fmt: skip


def _lines(result: dict[str, Any]) -> tuple[str, ...]:
    s = result["settings"]
    return (
        f"{' / '.join(s['pair'])} are two samplings of one model: each prompt decides by a coin which of the two "
        f"is cut, on {s['prompts']} prompts, so that every draw is another data set with run-to-run noise in it. "
        "Other models are cut against themselves, and a draw is a random half of the prompts. Answers under 20 "
        f"words stay uncut. SAE {s['sae']['name']}, {s['dtype']}.",
        "A draw is a whole report (features, observables, words, the length rule); one reading of each cell was "
        "held against compare() on answers that really were cut, bit for bit. Features by presence and by rate (active "
        "tokens per 1,000) are sign tests with Benjamini-Hochberg over the features alone, as tools that ask one "
        "of them would have it; by default p: features at q ≤ .05 in the report. Bounds are one-sided 95 % "
        "Clopper-Pearson over draws, given these answers; a bar is met when the upper one is at most .05, missed "
        "when the share is above, and else the run was too small to say.",
        "A cut at a sentence takes more than length: the last sentences are gone, so closings and the mean length "
        "of sentences differ in fact. It is held to the same bar; the rows left are listed.",
        f"The cost: an edit in {s['dose']:.0%} of the after-answers, the others cut or not. A row belongs to the "
        "edit when at least half of its net change is the change from unedited to edited answers.",
    )


def _hits(cell: Mapping[str, Any], method: str = "report_behaviour") -> int:
    return sum(d[method]["top_attributable"] > 0 for d in cell["draws"])


def _share(hits: int, draws: int) -> str:
    low, high = (float(x) for x in wilson(hits, draws))
    return f"{hits / draws:.2f} ({hits} of {draws}; {low:.2f}, {high:.2f})"


def _cost_grid(costs: Sequence[Mapping[str, Any]]) -> Grid:
    rows = []
    for c in costs:
        before, after = ([d[m] for d in c["draws"]] for m in ("report", "report_behaviour"))
        ours = [float(np.median([d["attributable"] for d in side])) for side in (before, after)]
        others = [
            float(np.median([d["findings"] - d["attributable"] for d in side])) for side in (before, after)
        ]
        rows.append(
            (
                f"{c['edit']} ({PLANTED[c['edit']]})",
                str(c["edited"]),
                c["cut"] or "uncut",
                _share(_hits(c, "report"), len(before)),
                _share(_hits(c), len(after)),
                f"{ours[0]:,.0f} → {ours[1]:,.0f}",
                f"{others[0]:,.0f} → {others[1]:,.0f}",
            )
        )
    return Grid(
        title="Planted edits beside cuts: before the length rule → after it",
        head=(
            "edit", "answers edited", "the others", f"hit in the first {TOP}, before the rule (Wilson)",
            "after it", "rows of the edit (median)", "other rows (median)",
        ),
        rows=tuple(rows),
    )  # fmt: skip


if __name__ == "__main__":
    main()
