"""E5: held-out discriminability. Which of two answers is the newer model's, from the report's first rows alone.

    python benchmarks/discriminability.py --data alpaca_eval/results --out discriminability.json

The report is made on half of the prompts. The rows that lead its first 20 findings, and nothing else, are
given to a small scorer (see `pairwise`) fitted on the same half, which then says of held-out pairs of
answers of equal length which one is *after*'s. Results are written split by split: run the same command
again to resume.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.feature_extraction.text import CountVectorizer

from discriminability_section import LISTS, NULL_PAIR, TOP, section
from pairwise import differences_of, outcomes, scorer
from planting import load_pair
from program import ALPHA, Reading, bar, finish, opened, options_of, settings_of
from whatchanged.artifacts import Diff, Features, Occurrences
from whatchanged.diff import compare
from whatchanged.diff.units import pair
from whatchanged.encode import ShardTokens
from whatchanged.interpret import features_of, interpret, split_prompts
from whatchanged.store import fingerprint, write_json
from whatchanged.text import lexical, observables

PAIRS = (
    ("gpt4_0613", "gpt4_1106_preview"),
    ("gpt4_1106_preview", "gpt-4-0125-preview"),
    ("gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106"),
    ("phi-2-sft", "phi-2-dpo"),
    ("zephyr-7b-alpha", "zephyr-7b-beta"),
    ("claude-2.1_concise", "claude-2.1_verbose"),
    NULL_PAIR,
)
EQUAL = 0.1

Rows = dict[str, NDArray[np.int64]]


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = settings_of(options) | {"equal_length": EQUAL, "top": TOP}
    result = opened(options.out, settings, pairs={})
    reading = Reading(options, console)
    for names in options.pair or PAIRS:
        responses = load_pair(options.data, *names, prompts=options.prompts)
        key = " → ".join(names)
        answers = fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])
        kept = result["pairs"].setdefault(key, {"answers": answers, "splits": {}})
        if kept["answers"] != answers:
            raise SystemExit(f"{options.out} holds results of other answers of {key}; choose another --out")
        todo = [s for s in range(options.splits) if str(s) not in kept["splits"]]
        if not todo:
            continue
        console.print(f"{key}: {len(responses.answers):,} answers")
        pool = _Pool.of(reading(responses))
        with bar(console) as shown:
            for split in shown.track(todo, description="splits"):
                began = time.perf_counter()
                kept["splits"][str(split)] = pool.split(seed=options.seed + split)
                result["timing"]["seconds_per_split"] = round(time.perf_counter() - began, 1)
                write_json(options.out, result)
    write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    if options.splits < 1:
        parser.error("splits must be at least 1")
    return options


class _Pool:
    """One pair of models with everything counted once, whatever the split."""

    def __init__(
        self, features: Features, tables: Mapping[str, Occurrences], at: NDArray[np.int64], unit: Any
    ) -> None:
        self.features = features
        self.tables = tables
        self.before, self.after = at
        self.unit = unit
        words = tables["feature"].n_units.astype(np.float64)
        self.length = np.log1p(words[self.after]) - np.log1p(words[self.before])
        self.prompt = [features.responses.answers[i].prompt_id for i in self.before]

    @classmethod
    def of(cls, features: Features) -> _Pool:
        """Count words and pair the answers."""
        responses = features.responses
        pairing = pair(responses, responses.before, responses.after)
        assert pairing.single, "one answer of either model to each prompt"
        # Every term that any half can keep.
        words = lexical(responses, min_prompts=5, max_terms=10**9)
        rows = np.stack([pairing.answers[pairing.side == s] for s in (-1, 1)])
        tables = {"feature": features.occurrences, "observable": observables(responses), "lexical": words}
        return cls(features, tables, rows, pairing.unit[pairing.side < 0])

    def split(self, *, seed: int) -> dict[str, Any]:
        """Discover and fit on one half, tell apart on the other."""
        discovery, _ = split_prompts(self.features.responses, seed)
        known = {p.id for p in discovery.prompts}
        fit = np.array([p in known for p in self.prompt])
        asked = ~fit & (np.abs(self.length) < EQUAL)
        diff = compare(features_of(self.features, discovery), alpha=ALPHA, draws=1, splits=1, seed=seed)
        found: dict[str, Any] = {}
        for name, rows in _lists(diff, seed).items():
            inputs = [
                differences_of(self.tables[kind], self._columns(kind, names), self.before, self.after)
                for kind, names in rows.items()
            ]
            found[name] = {
                "rows": sum(len(names) for names in rows.values()),
                "told": self._told(np.hstack(inputs), fit, asked, seed)
                if inputs
                else outcomes(np.zeros(int(asked.sum()))),
            }
            if name in ("features", "lexical", "observables", "report"):
                found[name]["leading"] = [f"{kind}:{n}" for kind, names in rows.items() for n in names]
        every = differences_of(self.tables["feature"], None, self.before, self.after)
        found["all_features"] = {"rows": every.shape[1] // 2, "told": self._told(every, fit, asked, seed)}
        words = self._bag(fit)
        found["bag_of_words"] = {"rows": words.shape[1], "told": self._told(words, fit, asked, seed)}
        # With one input the fit says no more than which direction is after's.
        longer = np.sign(self.length[fit].sum()) * self.length[asked]
        found["length"] = {"rows": 1, "told": outcomes(longer)}
        return {
            "discovered_on": int(fit.sum()),
            "held_out": int((~fit).sum()),
            "units": [int(u) for u in self.unit[asked]],
            "lists": {name: found[name] for name in LISTS},
        }

    def _columns(self, kind: str, names: Sequence[str]) -> NDArray[np.int64]:
        table = self.tables[kind]
        place = {n: i for i, n in enumerate(table.names)} if table.names is not None else None
        return np.array([int(n) if place is None else place[n] for n in names], dtype=np.int64)

    def _told(
        self, inputs: NDArray[np.float64], fit: NDArray[np.bool_], asked: NDArray[np.bool_], seed: int
    ) -> str:
        weights = scorer(inputs[fit], self.length[fit], self.unit[fit], seed=seed)
        return outcomes(inputs[asked] @ weights[:-1])

    def _bag(self, fit: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Differences of log(1 + count) of the words in 5 or more answers of the discovery half."""
        texts = [a.text for a in self.features.responses.answers]
        mine = [texts[i] for i in np.concatenate([self.before[fit], self.after[fit]])]
        counter = CountVectorizer(min_df=5, token_pattern=r"(?u)\b\w+\b").fit(mine)
        counts = np.log1p(counter.transform(texts).toarray().astype(np.float64))
        difference: NDArray[np.float64] = counts[self.after] - counts[self.before]
        return difference


def _lists(diff: Diff, seed: int) -> dict[str, dict[str, list[str]]]:
    """Names of the rows each list may use, by kind."""
    tokens = ShardTokens(diff.features)
    kinds = {"features": "feature", "lexical": "lexical", "observables": "observable"}
    lists: dict[str, dict[str, list[str]]] = {}
    for name, kind in (*kinds.items(), ("report", "")):
        # The report as it would be if it had rows of that kind alone; q stays that of the whole report.
        rows = diff.table[diff.table["kind"] == kind] if kind else diff.table
        alone = replace(diff, table=rows.reset_index(drop=True))
        findings = interpret(alone, tokens=tokens, max_findings=TOP, examples=1, seed=seed, scored=False)
        lists[name] = {}
        for finding in findings:
            led = alone.table.iloc[finding.rows[0]]
            lists[name].setdefault(str(led["kind"]), []).append(str(led["feature"]))
    for name, kind in (("features_any", "feature"), ("lexical_any", "lexical")):
        rows = diff.table[(diff.table["kind"] == kind) & diff.table["p"].notna()]
        rows = rows.assign(size=-rows["delta"].abs()).sort_values(["p", "size"], kind="stable")
        first = [str(n) for n in rows["feature"].head(TOP)]
        lists[name] = {kind: first} if first else {}
    return lists


if __name__ == "__main__":
    main()
