"""E2: planted edits. How small a planted change is found, and what else is reported besides.

    python benchmarks/planted.py --data alpaca_eval/results --out planted.json

Before and after are two independent samplings of one model (a true null pair), so run-to-run noise is
present. Each edit of `edits.EDITS` changes the after-answers of a share (the dose) of the prompts, drawn
among those to which it applies; all methods of `methods.METHODS` then look at the same draws. Only edited
answers that a draw uses are encoded. Results are written as they come: run the same command again to resume,
or with more doses or draws to add to them.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from edits import EDITS
from methods import judge, listings, named
from planted_section import section
from planting import Bench, EditedPair, contrast_of, load_pair, needed, plant
from program import ALPHA, bar, finish, opened, options_of
from whatchanged.artifacts import Responses
from whatchanged.diff import compare
from whatchanged.encode.encode import Encoder, encode
from whatchanged.encode.registry import load_sae
from whatchanged.stats import exact_limit
from whatchanged.store import fingerprint, write_json

NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    edits = {name: EDITS[name] for name in options.edits}
    pair = load_pair(options.data, *options.pair, prompts=options.prompts)
    planted = plant(pair, edits)
    sae = load_sae(options.sae)
    settings = {
        "pair": list(options.pair),
        "prompts": len(pair.prompts),
        "answers": fingerprint([[a.prompt_id, a.model, a.text] for a in pair.answers]),
        "sae": {"name": options.sae, "fingerprint": sae.fingerprint},
        "dtype": options.dtype,
        "seed": options.seed,
        "alpha": ALPHA,
    }
    result = opened(options.out, settings, edits={}, cells={})
    applies = {name: len(planted.rows(name)) for name in edits}
    texts = {name: fingerprint([a.text for a in planted.answers if a.model == name]) for name in edits}
    for name in edits:
        if result["edits"].get(name, {}).get("texts", texts[name]) != texts[name]:
            raise SystemExit(f"{options.out} holds results of another edit {name!r}; choose another --out")
        result["edits"][name] = {"applies": applies[name], "texts": texts[name]}
    most = max(_doses_of(options, len(pair.prompts), exact_limit(sae.width, alpha=ALPHA)).values())
    planted, prompts_of = needed(planted, list(edits), most=most, draws=options.draws, seed=options.seed)
    began = time.perf_counter()
    if "null" not in result or _todo(result, options, applies):
        bench = _encoded(planted, prompts_of, options, result, console)
        _null(bench, result, options.out)
        _check(bench, result, options)
        _cells(bench, result, options, applies, console)
        result["timing"]["last_run_s"] = round(time.perf_counter() - began, 1)
    write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.set_defaults(prompts=300)
    parser.add_argument("--pair", nargs=2, default=NULL_PAIR, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--doses", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.5])
    parser.add_argument(
        "--multiples",
        type=float,
        nargs="*",
        default=[],
        help="further doses, as multiples of what an oracle column needs",
    )
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--edits", nargs="+", default=list(EDITS), choices=list(EDITS), metavar="EDIT")
    options = parser.parse_args()
    if any(not 0 < d <= 1 for d in options.doses) or options.draws < 1 or options.prompts < 1:
        parser.error("doses must lie between 0 and 1, draws and prompts be at least 1")
    return options


def _doses(result: dict[str, Any], options: argparse.Namespace) -> dict[str, int]:
    """Prompts to edit by name of the dose; the oracle's limit is known once the null is."""
    oracle = result.get("null", {}).get("oracle", 0)
    return _doses_of(options, result["settings"]["prompts"], oracle)


def _doses_of(options: argparse.Namespace, prompts: int, oracle: int) -> dict[str, int]:
    doses = {f"{d:g}": max(1, round(d * prompts)) for d in options.doses}
    return doses | {f"x{m:g}": math.ceil(m * oracle) for m in options.multiples}


def _todo(result: dict[str, Any], options: argparse.Namespace, applies: dict[str, int]) -> int:
    """Draws not yet made."""
    return sum(
        max(0, options.draws - len(result["cells"].get(f"{edit}|{dose}", {}).get("draws", [])))
        for edit in applies
        for dose, edited in _doses(result, options).items()
        if edited <= applies[edit]
    )


def _encoded(
    planted: Responses,
    applies: dict[str, frozenset[str]],
    options: argparse.Namespace,
    result: dict[str, Any],
    console: Console,
) -> Bench:
    """Everything encoded, or read from the cache."""
    console.print(f"{len(planted.answers):,} answers, {len(planted.models) - 2} edits")
    began = time.perf_counter()
    encoder = Encoder(options.sae, dtype=options.dtype)
    loaded = time.perf_counter()
    with bar(console) as shown:
        task = shown.add_task("reading tokens", total=None)
        features = encode(
            planted,
            encoder=encoder,
            progress=lambda done, all_: shown.update(task, completed=done, total=all_),
        )
    read = time.perf_counter()
    bench = Bench.of(features, alpha=ALPHA, applies=applies)
    timing = result["timing"]
    if features.encoded:
        timing["encode"] = {
            "answers": features.encoded,
            "answer_tokens_in_all": int(features.occurrences.n_units.sum()),
            "seconds": round(read - loaded, 1),
        }
    timing["load_reader_s"] = round(loaded - began, 1)
    timing["count_words_s"] = round(time.perf_counter() - read, 1)
    return bench


def _null(bench: Bench, result: dict[str, Any], out: Path) -> None:
    """What every method says of the pair without edits."""
    pair = bench.edited(None)
    found = contrast_of(pair.families, pair.pairing, bench.signs, bench.alpha)
    listed = listings(found)
    result["null"] = {
        "units": bench.pairing.n_units,
        "tested": {k: listed[k].tested for k in ("report", "features", "lexical", "presence")},
        # Prompts an oracle column (1 where the edit was made) needs among the features.
        "oracle": exact_limit(listed["features"].tested, alpha=bench.alpha),
        "methods": {k: {"findings": len(x.rows), "rows": named(found, x)} for k, x in listed.items()},
    }
    write_json(out, result)


def _check(bench: Bench, result: dict[str, Any], options: argparse.Namespace) -> None:
    """Hold one draw against `compare` on answers that really are edited, bit for bit."""
    if "check" in result:
        return
    name = options.edits[0]
    pair = bench.edited(name)
    edited = min(pair.applies, max(1, round(max(options.doses) * bench.pairing.n_units)))
    chosen = pair.chosen(edited, seed=options.seed, draw=0)
    found = contrast_of(pair.families, pair.with_edits(chosen), bench.signs, bench.alpha)
    features, _ = bench.as_answered(name, {pair.prompts[i] for i in chosen})
    table = compare(features, draws=1, splits=1, alpha=bench.alpha).table
    mine = [_row_name(found, r) for r in range(found.signs.n_columns)]
    q = {k: v for k, v in zip(mine, found.tests.q, strict=True) if not np.isnan(v)}
    truth = {
        (k, n): v
        for k, n, v in zip(table["kind"], table["feature"], table["q"], strict=True)
        if not np.isnan(v)
    }
    if q != truth:
        raise SystemExit(f"the draw of {name!r} does not agree with compare(); the benchmark is wrong")
    behaviour = {
        (k, n)
        for k, n, v, length in zip(table["kind"], table["feature"], table["q"], table["length"], strict=True)
        if v <= bench.alpha and length == "ok"
    }
    listed = {mine[int(r)] for r in listings(found)["report_behaviour"].rows}
    if listed != behaviour:
        raise SystemExit(
            f"behaviour findings of {name!r} do not agree with compare(); the benchmark is wrong"
        )
    result["check"] = {"edit": name, "edited": edited, "rows": len(q), "behaviour_findings": len(listed)}


def _row_name(found: Any, row: int) -> tuple[str, str]:
    f = int(np.searchsorted(found.start, row, side="right")) - 1
    table = found.families[f].occurrences
    return table.kind, table.name(row - int(found.start[f]))


def _cells(
    bench: Bench,
    result: dict[str, Any],
    options: argparse.Namespace,
    applies: dict[str, int],
    console: Console,
) -> None:
    """Every edit at every dose, in as many draws as are wanted."""
    began, made = time.perf_counter(), 0
    with bar(console) as shown:
        task = shown.add_task("draws", total=_todo(result, options, applies))
        for name in applies:
            pair: EditedPair | None = None
            for dose, edited in _doses(result, options).items():
                key = f"{name}|{dose}"
                cell = result["cells"].setdefault(
                    key, {"edit": name, "dose": dose, "edited": edited, "draws": []}
                )
                if edited > applies[name]:
                    cell["reason"] = "applies to too few prompts"
                    continue
                if len(cell["draws"]) >= options.draws:
                    continue
                if pair is None:
                    pair = bench.edited(name)
                    plain = contrast_of(pair.families, pair.pairing, bench.signs, bench.alpha).families
                for draw in range(len(cell["draws"]), options.draws):
                    shown.update(task, description=f"{name} {dose}")
                    chosen = pair.chosen(edited, seed=options.seed, draw=draw)
                    found = contrast_of(pair.families, pair.with_edits(chosen), bench.signs, bench.alpha)
                    cell["draws"].append(judge(found, listings(found), plain))
                    made += 1
                    shown.advance(task)
                result["timing"]["seconds_per_draw"] = round((time.perf_counter() - began) / made, 3)
                write_json(options.out, result)


if __name__ == "__main__":
    main()
