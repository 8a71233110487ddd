"""Do offline labels name what was planted? Findings that an edit made, and the labels the report gives them.

    python benchmarks/naming.py --data alpaca_eval/results --out naming.json

Before and after are two independent samplings of one model, edited as in `planted.py`: the same draws, the
same rule for what an edit made (at least half of a row's net change). Each draw is compared and interpreted
by the product itself, once as the whole report and once with SAE features alone, so that labels of features
are asked and not only observables, which say what they are. `naming_rule.py` decides whether a label names
the planted thing. Results are written as they come: run the same command again to resume.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edits import EDITS
from methods import TOP
from naming_tables import REPORTS, section
from planting import Bench, EditedPair, contrast_of, differences, gather, load_pair, plant
from program import ALPHA, Reading, bar, finish, opened, options_of, settings_of
from whatchanged.artifacts import Diff, Features, Finding, Occurrences, TokenActivations
from whatchanged.diff import compare
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import STATISTICS, Family
from whatchanged.encode.tokens import ShardTokens
from whatchanged.interpret import interpret
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import Candidate, moves, thresholds
from whatchanged.interpret.context import ContextReader
from whatchanged.interpret.labels import label, within
from whatchanged.interpret.profile import profiles
from whatchanged.store import fingerprint, write_json
from whatchanged.text import lexical

NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")
RANDOM = 300  # features of the unedited pair, labelled to see what a rule passes by chance
HELD = 512  # answers whose tokens stay in memory


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    pair = load_pair(options.data, *NULL_PAIR, prompts=options.prompts)
    planted = plant(pair, EDITS)
    settings = settings_of(options) | {
        "pair": list(NULL_PAIR),
        "prompts": len(pair.prompts),
        "answers": fingerprint([[a.prompt_id, a.model, a.text] for a in planted.answers]),
        "dose": options.dose,
    }
    result = opened(options.out, settings, draws={})
    edited = max(1, round(options.dose * len(pair.prompts)))
    applies = {name: len(planted.rows(name)) for name in EDITS}
    result["applies"] = applies
    todo = [
        (name, draw)
        for name in options.edits
        if edited <= applies[name]
        for draw in range(len(result["draws"].get(name, [])), options.draws)
    ]
    if todo or "random" not in result:
        features = Reading(options, console)(planted)
        bench = Bench.of(features, alpha=ALPHA)
        tokens = ShardTokens(features, keep=HELD)
        if "random" not in result:
            result["random"] = _random(bench, tokens, options.seed)
        _draws(bench, tokens, todo, edited, result, options, console)
    write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.set_defaults(prompts=300)
    parser.add_argument("--dose", type=float, default=0.2, help="share of the prompts that is edited")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--edits", nargs="+", default=list(EDITS), choices=list(EDITS), metavar="EDIT")
    options = parser.parse_args()
    if not 0 < options.dose <= 1 or options.draws < 1 or options.prompts < 1:
        parser.error("the dose must lie between 0 and 1, draws and prompts be at least 1")
    return options


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Tokens of chosen answers out of all that were encoded, each read once for all draws."""

    all: ShardTokens
    rows: NDArray[np.int64]

    def document(self, answer_index: int) -> TokenActivations:
        return self.all.document(int(self.rows[answer_index]))

    def decoder(self, columns: Sequence[int]) -> NDArray[np.float32] | None:
        return self.all.decoder(columns)


def _draws(
    bench: Bench,
    tokens: ShardTokens,
    todo: Sequence[tuple[str, int]],
    edited: int,
    result: dict[str, Any],
    options: argparse.Namespace,
    console: Console,
) -> None:
    pair: EditedPair | None = None
    plain: tuple[Family, ...] = ()
    began = time.perf_counter()
    with bar(console) as shown:
        task = shown.add_task("draws", total=len(todo))
        for i, (name, draw) in enumerate(todo):
            shown.update(task, description=f"{name} {draw}", completed=i)
            if pair is None or pair.name != name:
                pair = bench.edited(name)
                plain = contrast_of(pair.families, pair.pairing, bench.signs, bench.alpha).families
            chosen = pair.chosen(edited, seed=options.seed, draw=draw)
            found = contrast_of(pair.families, pair.with_edits(chosen), bench.signs, bench.alpha)
            features, rows = bench.as_answered(name, {pair.prompts[i] for i in chosen})
            shares = _Shares(found, plain)
            extra = {"report": _counted(bench, features, rows), "features": ()}
            told = {
                report: _told(features, extra[report], _Tokens(tokens, rows), shares, options.seed)
                for report in REPORTS
            }
            result["draws"].setdefault(name, []).append(told)
            result["timing"]["seconds_per_draw"] = round((time.perf_counter() - began) / (i + 1), 2)
            write_json(options.out, result)


@dataclass(frozen=True, slots=True)
class _Shares:
    """What part of a row's net change the edit made."""

    found: Contrast
    plain: tuple[Family, ...]

    def of(self, wanted: Sequence[tuple[str, str, str]]) -> list[float]:
        """Shares of rows given by kind, name and statistic."""
        number = {
            (f.occurrences.kind, f.occurrences.name(c)): int(start) + c
            for f, start in zip(self.found.families, self.found.start, strict=False)
            for c in range(f.occurrences.n_columns)
        }
        rows = np.array([number[kind, name] for kind, name, _ in wanted], dtype=np.int64)
        statistic = np.array([STATISTICS.index(s) for *_, s in wanted], dtype=np.int64)
        same = [
            replace(u, threshold=f.threshold) for u, f in zip(self.plain, self.found.families, strict=True)
        ]
        net, old = (
            np.sign(differences(self.found, rows, statistic, families)).sum(axis=1)
            for families in (self.found.families, same)
        )
        return [float((n - o) / n) if n else 0.0 for n, o in zip(net, old, strict=True)]


def _counted(bench: Bench, features: Features, rows: NDArray[np.int64]) -> tuple[Occurrences, ...]:
    """Observables and lexical terms of the answers; the former were counted before, answer by answer."""
    return gather(bench.families[1], rows), lexical(features.responses)


def _told(
    features: Features, extra: Sequence[Occurrences], tokens: _Tokens, shares: _Shares, seed: int
) -> dict[str, Any]:
    """What one report says: findings the edit made among the first, and the first of all."""
    diff = compare(features, extra=extra, alpha=ALPHA, draws=1, splits=0, seed=seed)
    # Scores say how good a label is and leave its words alone.
    items = interpret(diff, tokens=tokens, seed=seed, scored=False).items
    made = shares.of([_row(diff, f) for f in items])
    hits = [
        {
            "rank": i + 1,
            "kind": f.kind,
            "name": _row(diff, f)[1],
            "statistic": f.statistic,
            "delta": round(f.delta, 3),
            "share": round(s, 3),
            "label": f.label,
            "line": _line(f),
        }
        for i, (f, s) in enumerate(zip(items, made, strict=True))
        if s >= 0.5
    ]
    kept = [h for i, h in enumerate(hits) if i == 0 or h["rank"] <= TOP]
    return {"findings": len(items), "hits": kept}


def _row(diff: Diff, finding: Finding) -> tuple[str, str, str]:
    return finding.kind, str(diff.table["feature"].iloc[finding.rows[0]]), finding.statistic


def _line(finding: Finding) -> str:
    """The line that says what the leading row fires on; never the one that quotes an answer."""
    return " ".join(n for n in finding.notes if n.startswith(("Fires ", "It fires on")))


def _random(bench: Bench, tokens: ShardTokens, seed: int) -> list[dict[str, str]]:
    """Labels of features drawn at random from the unedited pair: findings that are none."""
    features, rows = bench.as_answered(bench.responses.after, set())
    table = features.occurrences
    often = np.flatnonzero(np.bincount(table.column, minlength=table.n_columns) >= 0.1 * len(rows))
    drawn = np.random.default_rng(seed).permutation(often)[:RANDOM]
    diff = compare(features, extra=[], alpha=ALPHA, draws=1, splits=0, seed=seed)
    row_of = {int(c): i for i, c in enumerate(diff.table["column"])}
    chosen = [_candidate(diff, row_of[int(c)]) for c in drawn]
    source = _Tokens(tokens, rows)
    reader = ActivityReader(diff.responses, chosen, thresholds(diff, chosen), source)
    contexts = ContextReader(reader, moves(diff, chosen, thresholds(diff, chosen)), seed=seed)
    profiled = profiles(diff, reader, seed=seed)
    said = [
        within(label(c, p), contexts.of(i)) for i, (c, p) in enumerate(zip(chosen, profiled, strict=True))
    ]
    return [{"label": x.text, "line": x.note} for x in said]


def _candidate(diff: Diff, row: int) -> Candidate:
    r = diff.table.iloc[row]
    return Candidate(
        row=row,
        kind="feature",
        name=str(r["feature"]),
        column=int(r["column"]),
        statistic=str(r["statistic"]) if str(r["statistic"]) in STATISTICS else "presence",
        before=str(r["before"]),
        after=str(r["after"]),
        delta=float(r["delta"]),
        q=float(r["q"]),
        length="",
        tags=(),
    )


if __name__ == "__main__":
    main()
