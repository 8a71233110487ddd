"""E0: identity and symmetry. What must hold exactly, whatever the answers are.

    python benchmarks/identity.py --data alpaca_eval/results --out identity.json

Real answers are written to files, changed there, and taken through load, encode, compare and interpret as a user
does. A model against itself yields nothing; exchanging before and after mirrors every number; the order of rows
changes no bit; answers missing on one side pair nothing anew and are counted. Every comparison of two values is
counted, and how many of the rows had a change at all. Pairs are done one by one: the same command resumes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

import whatchanged as wc
from planting import first_prompts, gather, load_pair
from program import ALPHA, Reading, finish, opened, options_of, settings_of
from sameness import bits, mirrored, mirrored_findings, same, same_findings
from section import Bar, Grid, Section
from whatchanged.artifacts import Diff, Features, Findings, Responses
from whatchanged.store import fingerprint, write_json

PAIRS = (("gpt4_0613", "gpt4_1106_preview"), ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai"))
DRAWS, SPLITS = 100, 4
MISSING = 0.05
"""Share of the prompts that lose one side's answer, three times: before's, after's, and after's text."""

Rows = list[dict[str, Any]]


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = settings_of(options) | {
        "draws": DRAWS,
        "splits": SPLITS,
        "missing": MISSING,
        "again": options.again,
    }
    result = opened(options.out, settings, pairs={})
    reading = Reading(options, console)
    for names in options.pair or PAIRS:
        answers = load_pair(options.data, *names, prompts=options.prompts)
        of = fingerprint([[a.prompt_id, a.model, a.text] for a in answers.answers])
        key = " → ".join(names)
        if result["pairs"].get(key, {}).get("of") == of:
            continue
        console.print(f"{key}: {len(answers.answers):,} answers")
        began = time.perf_counter()
        with TemporaryDirectory() as folder:
            bench = _Pair(Path(folder), tuple(names), reading, options.seed, console)
            kept = {p.text for p in answers.prompts}
            rows = [_rows(options.data, name, kept) for name in names]
            result["pairs"][key] = _pair(bench, rows[0], rows[1], options.again) | {"of": of}
        result["pairs"][key]["seconds"] = round(time.perf_counter() - began, 1)
        result["timing"] |= {k: v for k, v in reading.timing.items() if v}
        write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__ or "")
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument(
        "--again",
        type=int,
        default=24,
        help="prompts whose answers are encoded a second time, without the cache",
    )
    return parser.parse_args()


def _rows(data: Path, name: str, prompts: set[str]) -> Rows:
    rows = json.loads((data / name / "model_outputs.json").read_text(encoding="utf-8"))
    return [r for r in rows if r["instruction"].replace("\r\n", "\n").strip() in prompts]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Where files of a pair are written, and how they are read."""

    folder: Path
    names: tuple[str, str]
    reading: Reading
    seed: int
    console: Console

    def load(self, before: Rows, after: Rows, names: Sequence[str] | None = None) -> Responses:
        """Both sides through files."""
        for side, rows in (("before", before), ("after", after)):
            (self.folder / f"{side}.json").write_text(json.dumps(rows), encoding="utf-8")
        return wc.load(
            self.folder / "before.json", self.folder / "after.json", names=list(names or self.names)
        )

    def diff(self, responses: Responses) -> Diff:
        """Encoded (from the cache, where it holds them) and compared."""
        return wc.compare(self.reading(responses), alpha=ALPHA, draws=DRAWS, splits=SPLITS, seed=self.seed)

    def findings(self, diff: Diff) -> Findings:
        """Interpreted."""
        return wc.interpret(diff, seed=self.seed)


def _pair(pair: _Pair, before: Rows, after: Rows, again: int) -> dict[str, Any]:
    """All that is asked of one pair."""
    say = pair.console.print
    result: dict[str, Any] = {"identity": {}}
    for name, rows in zip(pair.names, (before, after), strict=True):
        say(f"  {name} against itself")
        result["identity"][name] = _itself(pair, rows, name)
    say("  before and after")
    diff = pair.diff(pair.load(before, after))
    found = pair.findings(diff)
    result["real"] = {
        "rows": len(diff.table),
        "tested": int(diff.table["p"].notna().sum()),
        "moved": int((diff.table["delta"] != 0).sum()),
        "significant": diff.summary["significant"],
        "findings": len(found),
        "aside": len(found.aside),
    }
    say("  exchanged")
    mirror = pair.diff(pair.load(after, before, pair.names[::-1]))
    result["exchanged"] = mirrored(diff, mirror) | {
        "findings": mirrored_findings(found, pair.findings(mirror))
    }
    say("  rows shuffled")
    rng = np.random.default_rng(pair.seed)
    shuffled = [[rows[i] for i in rng.permutation(len(rows))] for rows in (before, after)]
    other = pair.diff(pair.load(*shuffled))
    result["shuffled"] = same(diff, other) | {"findings": same_findings(found, pair.findings(other))}
    say("  encoded again")
    result["encoded_again"] = _again(pair, other.features, again)
    say("  answers missing")
    result["missing"] = _missing(pair, before, after, rng)
    return result


def _itself(pair: _Pair, rows: Rows, name: str) -> dict[str, int]:
    """A model against a copy of its file."""
    diff = pair.diff(pair.load(rows, rows, [name, f"{name} again"]))
    table, found = diff.table, pair.findings(diff)
    return {
        "rows": len(table),
        "occurring": int((table["per_1000_before"].fillna(1) > 0).sum()),
        "different": int(((table["n_after"] != 0) | (table["n_before"] != 0) | (table["delta"] != 0)).sum()),
        "tested": int(table["p"].notna().sum()),
        "findings": len(found) + len(found.aside),
    }


def _again(pair: _Pair, features: Features, prompts: int) -> dict[str, Any]:
    """Some answers encoded without the cache, and so in other batches, against what the cache holds."""
    few = first_prompts(features.responses, prompts)
    place = {(a.prompt_id, a.model, a.sample): i for i, a in enumerate(features.responses.answers)}
    rows = np.array([place[a.prompt_id, a.model, a.sample] for a in few.answers])
    cached = gather(features.occurrences, rows)
    with TemporaryDirectory() as empty:
        fresh = pair.reading(few, cache=Path(empty)).occurrences
    names = ("n_units", "indptr", "column", "maximum", "count", "total", "first", "last")
    return {
        "answers": len(rows),
        "values": sum(getattr(fresh, n).size for n in names),
        "differing": [n for n in names if getattr(fresh, n).tobytes() != getattr(cached, n).tobytes()],
    }


def _missing(pair: _Pair, before: Rows, after: Rows, rng: np.random.Generator) -> dict[str, Any]:
    """Answers that are not there, or empty, on one side: the first row of *before* among them."""
    prompts = [r["instruction"] for r in before]
    each = max(1, round(MISSING * len(prompts)))
    order = [prompts[0], *(prompts[i] for i in 1 + rng.permutation(len(prompts) - 1))]
    gone_before, gone_after, emptied = (set(order[k * each : (k + 1) * each]) for k in range(3))
    gone = gone_before | gone_after | emptied
    left = [r for r in before if r["instruction"] not in gone_before]
    right = [
        r | ({"output": ""} if r["instruction"] in emptied else {})
        for r in after
        if r["instruction"] not in gone_after
    ]
    whole, gapped = pair.load(before, after), pair.load(left, right)
    ids = [_with_ids(left, prompts), _with_ids(right, prompts)]
    by_id = pair.load(*ids)
    by_hand = pair.load(*([r for r in rows if r["instruction"] not in gone] for rows in (before, after)))
    truth = {k: v for k, v in _texts(whole).items() if k in _texts(by_hand)}
    counted = {k: gapped.counts.get(k, 0) for k in ("missing", "empty", "unpaired")}
    expected = {"missing": 2 * each, "empty": each, "unpaired": 3 * each}
    one, other = pair.diff(gapped), pair.diff(by_hand)
    wrong = [c for c in one.table.columns if bits(one.table[c]) != bits(other.table[c])]
    return {
        "prompts": len(_texts(whole)),
        "pairs_left": len(_texts(gapped)),
        "pairs_expected": len(truth),
        "wrong_pairs": _wrong(_texts(gapped), truth),
        "wrong_pairs_by_id": _wrong(_texts(by_id), truth),
        "counted": counted,
        "expected": expected,
        "rows": len(one.table),
        "values": one.table.size,
        "differing": wrong,
    }


def _with_ids(rows: Rows, prompts: Sequence[str]) -> Rows:
    """The rows with an id that the prompt has in both files."""
    number = {p: i for i, p in enumerate(prompts)}
    return [r | {"id": f"q{number[r['instruction']]}"} for r in rows]


def _texts(responses: Responses) -> dict[str, tuple[tuple[str, str], ...]]:
    """Answers by prompt text, each with its model."""
    prompt, found = responses.prompts.by_id, {}
    for a in responses.answers:
        text = prompt[a.prompt_id].text
        found[text] = (*found.get(text, ()), (a.model, a.text))
    return found


def _wrong(pairs: Mapping[str, Any], truth: Mapping[str, Any]) -> int:
    """Prompts that have other answers than they should, or are there or not against expectation."""
    return sum(pairs.get(k) != truth.get(k) for k in pairs.keys() | truth.keys())


def section(result: dict[str, Any]) -> Section:
    """What the results say."""
    bars, rows = [], []
    for key, p in result["pairs"].items():
        bars += _bars(key, p)
        real = p["real"]
        rows.append(
            (
                key, f"{real['rows']:,}", f"{real['moved']:,}", f"{real['tested']:,}",
                f"{real['significant']:,}", str(real["findings"]), str(real["aside"]), f"{p['seconds']:.0f} s",
            )
        )  # fmt: skip
    s = result["settings"]
    return Section(
        name="E0",
        title="identity and symmetry",
        lines=(
            "Answers of both models were written to files in the layout of alpaca_eval, changed there, and taken "
            f"through load, encode, compare and interpret. SAE {s['sae']['name']}, {s['dtype']}, seed {s['seed']}. "
            "Nothing here is a statistic: one value that differs misses the bar.",
            "Encodings of equal texts come from the cache; that order and batches do not matter to the encoder "
            f"either is shown on {s['again']} prompts that were encoded a second time, shuffled, without the cache.",
        ),
        bars=tuple(bars),
        grids=(
            Grid(
                title="What there was to compare",
                head=(
                    "pair", "rows", "rows with a net change", "tested", "at q ≤ .05", "findings", "set aside",
                    "took",
                ),
                rows=tuple(rows),
            ),
        ),
    )  # fmt: skip


def _bars(key: str, p: Mapping[str, Any]) -> list[Bar]:
    itself = list(p["identity"].values())
    different = sum(i["different"] + i["tested"] + i["findings"] for i in itself)
    mirror, same, again, gaps = p["exchanged"], p["shuffled"], p["encoded_again"], p["missing"]
    turned, kept = mirror["findings"], same["findings"]
    pairs = gaps["wrong_pairs"] + gaps["wrong_pairs_by_id"] + abs(gaps["pairs_left"] - gaps["pairs_expected"])

    def bar(claim: str, got: str, holds: bool) -> Bar:
        return Bar(claim=f"{key}: {claim}", wanted="no difference", got=got, met=holds)

    counts = ", ".join(f"{n} {reason}" for reason, n in gaps["counted"].items())
    return [
        bar(
            "each model against itself",
            f"{different} rows changed, tested or listed of {sum(i['rows'] for i in itself):,} "
            f"({sum(i['occurring'] for i in itself):,} occur)",
            different == 0,
        ),
        bar(
            "before and after exchanged: effects, intervals, p, q, verdicts",
            f"{_told(mirror['differing'])} of {mirror['values']:,} values in {mirror['rows']:,} rows",
            not mirror["differing"],
        ),
        bar(
            "before and after exchanged: findings, their order and numbers",
            f"{turned['differing']} of {turned['compared']} ({turned['other_labels']} have other words as a label)",
            turned["differing"] == 0,
        ),
        bar(
            "rows of both files shuffled, bit for bit",
            f"{_told(same['differing'])} of {same['values']:,} values; {kept['differing']} of "
            f"{kept['compared']} findings",
            not same["differing"] and kept["differing"] == 0,
        ),
        bar(
            "encoded again without the cache, bit for bit",
            f"{_told(again['differing'])} of {again['values']:,} values of {again['answers']} answers",
            not again["differing"],
        ),
        bar(
            "answers missing on one side: the other pairs, joined by text and by id",
            f"{pairs} of {2 * gaps['pairs_expected']:,} pairs",
            pairs == 0,
        ),
        bar("answers missing on one side: all are counted", counts, gaps["counted"] == gaps["expected"]),
        bar(
            "answers missing on one side: the report is that of the pairs left, bit for bit",
            f"{_told(gaps['differing'])} of {gaps['values']:,} values",
            not gaps["differing"],
        ),
    ]


def _told(differing: Any) -> str:
    if not differing:
        return "0"
    listed = differing.items() if isinstance(differing, dict) else ((name, "some") for name in differing)
    return "; ".join(f"{n} in {name}" for name, n in listed)


if __name__ == "__main__":
    main()
