"""E4, E6, E8 and E9 on real pairs of models: replication, concordance, redundancy, order of magnitude.

    python benchmarks/real_pairs.py --data alpaca_eval/results --out real_pairs.json

Each pair is encoded, compared and interpreted once, as a run is, and everything is asked of that one report.
The constructed case of E6 is planted in the null pair. Results are written after each measurement: run the
same command again to resume, or with `--only` to make some of them first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

import real_concordance
import real_concordance_section
import real_magnitude
import real_redundancy
import real_replication
from planting import load_pair
from program import ALPHA, Reading, opened, options_of, settings_of
from real_constructed import constructed
from real_reading import DEFAULT_PAIRS, PairReport, class_of, key_of, read
from section import Section, markdown, show
from whatchanged.artifacts import Responses
from whatchanged.store import fingerprint, write_json, write_text

CONSTRUCTED = ("vicuna-13b-v1.5-togetherai", "vicuna-13b-v1.5")
MEASUREMENTS = ("magnitude", "concordance", "redundancy", "replication", "constructed")


def sections(result: Mapping[str, Any]) -> tuple[Section, ...]:
    """Everything that was measured, E4 to E9."""
    return (
        real_replication.section(result),
        real_concordance_section.section(result),
        real_redundancy.section(result),
        real_magnitude.section(result),
    )


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = settings_of(options) | {
        "splits": options.splits,
        "finding_splits": options.finding_splits,
        "constructed_prompts": options.constructed_prompts,
    }
    result = opened(options.out, settings, pairs={})
    encoded = Reading(options, console)
    for names in options.pair or DEFAULT_PAIRS:
        _pair((names[0], names[1]), result, options, encoded, console)
    if "constructed" in options.only:
        _constructed(result, options, encoded, console)
    told = sections(result)
    write_text(options.out.with_suffix(".md"), "\n".join(markdown(s) for s in told))
    for s in told:
        show(s, Console())
    console.print(f"wrote {options.out} and {options.out.with_suffix('.md')}")


def _options() -> argparse.Namespace:
    parser = options_of(__doc__ or "")
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument("--splits", type=int, default=10, help="half splits for rows")
    parser.add_argument("--finding-splits", type=int, default=3, help="half splits for merged findings")
    parser.add_argument(
        "--constructed-prompts", type=int, default=300, help="prompts of the constructed case"
    )
    parser.add_argument("--only", nargs="+", default=list(MEASUREMENTS), choices=MEASUREMENTS)
    options = parser.parse_args()
    if options.splits < 1 or options.finding_splits < 1:
        parser.error("splits and finding-splits must be at least 1")
    return options


def _measurements(options: argparse.Namespace) -> dict[str, Callable[[PairReport], dict[str, Any]]]:
    """What is asked of every pair, quickest first."""
    seed = options.seed
    return {
        "magnitude": lambda r: real_magnitude.measure(r, seed=seed),
        "concordance": real_concordance.measure,
        "redundancy": lambda r: real_redundancy.measure(r, seed=seed),
        "replication": lambda r: real_replication.measure(
            r, splits=options.splits, finding_splits=options.finding_splits, seed=seed
        ),
    }


def _pair(
    names: tuple[str, str],
    result: dict[str, Any],
    options: argparse.Namespace,
    encoded: Reading,
    console: Console,
) -> None:
    """Make what is lacking of one pair, writing after each measurement."""
    responses = load_pair(options.data, *names, prompts=options.prompts)
    key, answers = key_of(*names), _identity(responses)
    kept = result["pairs"].get(key, {})
    if kept.get("answers") != answers:
        kept = {}
    lacking = {
        name: ask for name, ask in _measurements(options).items() if name in options.only and name not in kept
    }
    if not lacking:
        return
    console.print(f"{key}: {len(responses.answers):,} answers")
    report = read(responses, encoded, alpha=ALPHA, seed=options.seed)
    summary = report.diff.summary
    entry = {
        "class": class_of(*names),
        "answers": answers,
        "units": summary["n_units"],
        "tested": dict(summary["tested"]),
        "length_before": summary["length_before"],
        "length_after": summary["length_after"],
        "encoded": report.features.encoded,
        **kept,
    }
    for name, ask in lacking.items():
        console.print(f"  {name}")
        with report.timed(name):
            entry[name] = ask(report)
        result["pairs"][key] = entry
        result["timing"][key] = result["timing"].get(key, {}) | report.seconds
        write_json(options.out, result)


def _identity(responses: Responses) -> str:
    return fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])


def _constructed(
    result: dict[str, Any], options: argparse.Namespace, encoded: Reading, console: Console
) -> None:
    """The constructed case of E6."""
    prompts = options.constructed_prompts if options.prompts is None else options.prompts
    responses = load_pair(options.data, *CONSTRUCTED, prompts=prompts)
    answers = _identity(responses)
    if result.get("constructed", {}).get("answers") == answers:
        return
    console.print(f"constructed case: {len(responses.answers):,} answers")
    made = constructed(responses, encoded, alpha=ALPHA, seed=options.seed)
    result["constructed"] = made | {"answers": answers}
    write_json(options.out, result)


if __name__ == "__main__":
    main()
