"""E4, E6, E8 and E9 on real pairs of models: replication, concordance, redundancy, order of magnitude.

    python benchmarks/real_pairs.py --data alpaca_eval/results --out real_pairs.json

Each pair is encoded, compared and interpreted once, as a run is, and everything is asked of that one report.
The constructed case of E6 is planted in the null pair. Results are written after each measurement: run the
same command again to resume, or with `--only` to make some of them first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import real_concordance
import real_concordance_section
import real_magnitude
import real_redundancy
import real_replication
from planting import load_pair
from real_constructed import constructed
from real_reading import DEFAULT_PAIRS, Reading, class_of, key_of, read
from section import Section, markdown, show
from whatchanged.artifacts import Responses
from whatchanged.encode.encode import Encoder
from whatchanged.encode.registry import load_sae
from whatchanged.store import fingerprint, read_json, write_json, write_text

ALPHA = 0.05
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
    settings = {
        "prompts": options.prompts,
        "splits": options.splits,
        "finding_splits": options.finding_splits,
        "constructed_prompts": options.constructed_prompts,
        "sae": {"name": options.sae, "fingerprint": load_sae(options.sae).fingerprint},
        "dtype": options.dtype,
        "seed": options.seed,
        "alpha": ALPHA,
    }
    result: dict[str, Any] = {"schema": 1, "settings": settings, "timing": {}, "pairs": {}}
    if options.out.exists():
        result = read_json(options.out)
        if result.get("settings") != settings:
            raise SystemExit(f"{options.out} holds results of other settings; choose another --out")
    encoder = _Encoders(options)
    for names in options.pair or DEFAULT_PAIRS:
        _pair((names[0], names[1]), result, options, encoder, console)
    if "constructed" in options.only and "constructed" not in result:
        _constructed(result, options, encoder, console)
    told = sections(result)
    write_text(options.out.with_suffix(".md"), "\n".join(markdown(s) for s in told))
    for s in told:
        show(s, Console())
    console.print(f"wrote {options.out} and {options.out.with_suffix('.md')}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="results folder of alpaca_eval")
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument("--prompts", type=int, default=None, help="the first so many by id; all by default")
    parser.add_argument("--splits", type=int, default=10, help="half splits for rows")
    parser.add_argument("--finding-splits", type=int, default=3, help="half splits for merged findings")
    parser.add_argument(
        "--constructed-prompts", type=int, default=300, help="prompts of the constructed case"
    )
    parser.add_argument("--only", nargs="+", default=list(MEASUREMENTS), choices=MEASUREMENTS)
    parser.add_argument("--sae", default="gemma-3-270m")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; a .md file is written beside it")
    options = parser.parse_args()
    if options.splits < 1 or options.finding_splits < 1:
        parser.error("splits and finding-splits must be at least 1")
    return options


class _Encoders:
    """The encoder, loaded when something must be encoded or looked up."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._loaded: Encoder | None = None

    def get(self) -> Encoder:
        """The one encoder of this run."""
        if self._loaded is None:
            self._loaded = Encoder(self._options.sae, dtype=self._options.dtype)
        return self._loaded


def _measurements(options: argparse.Namespace) -> dict[str, Callable[[Reading], dict[str, Any]]]:
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
    encoder: _Encoders,
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
    reading = _read(responses, encoder.get(), options, console)
    summary = reading.diff.summary
    entry = {
        "class": class_of(*names),
        "answers": answers,
        "units": summary["n_units"],
        "tested": dict(summary["tested"]),
        "length_before": summary["length_before"],
        "length_after": summary["length_after"],
        "encoded": reading.features.encoded,
        **kept,
    }
    for name, ask in lacking.items():
        console.print(f"  {name}")
        with reading.timed(name):
            entry[name] = ask(reading)
        result["pairs"][key] = entry
        result["timing"][key] = result["timing"].get(key, {}) | reading.seconds
        write_json(options.out, result)


def _identity(responses: Responses) -> str:
    return fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])


def _read(responses: Responses, encoder: Encoder, options: argparse.Namespace, console: Console) -> Reading:
    columns = (TextColumn("reading tokens"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("tokens", total=None)
        return read(
            responses,
            encoder,
            alpha=ALPHA,
            seed=options.seed,
            progress=lambda done, all_: bar.update(task, completed=done, total=all_),
        )


def _constructed(
    result: dict[str, Any], options: argparse.Namespace, encoder: _Encoders, console: Console
) -> None:
    """The constructed case of E6."""
    prompts = options.constructed_prompts if options.prompts is None else options.prompts
    responses = load_pair(options.data, *CONSTRUCTED, prompts=prompts)
    console.print(f"constructed case: {len(responses.answers):,} answers")
    result["constructed"] = constructed(responses, encoder.get(), alpha=ALPHA, seed=options.seed)
    write_json(options.out, result)


if __name__ == "__main__":
    main()
