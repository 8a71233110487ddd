"""Write docs/evaluation.md from the results of all benchmarks: what was measured, the failures first.

    python benchmarks/evaluation.py

Reads the compressed JSON of `benchmarks/results` (or `--results FOLDER`), each the `--out` of the program it is
named after (`--add FILE` puts it there), and turns them into one page. Nothing in the page is typed by hand; what
has no result is named as not run.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from section import Section, markdown
from whatchanged.store import read_json, write_text

HERE = Path(__file__).parent
PROGRAMS = {
    "identity": "identity",
    "calibration": "calibration",
    "planted": "planted_section",
    "planted-805": "planted_section",
    "planted-peers": "planted_peers",
    "by-prompt": "by_prompt",
    "real-pairs": "real_pairs",
    "discriminability": "discriminability",
    "length": "length",
    "naming": "naming",
}
"""Result file (without .json.gz), and the module whose `section` or `sections` reads it."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "evaluation.md")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="results to compress into the folder")
    options = parser.parse_args()
    for path in options.add:
        if path.stem not in PROGRAMS:
            raise SystemExit(f"{path} is named after none of {', '.join(PROGRAMS)}; call it NAME.json")
        text = json.dumps(read_json(path), separators=(",", ":"), ensure_ascii=False)
        options.results.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(text.encode("utf-8"), mtime=0)
        (options.results / f"{path.stem}.json.gz").write_bytes(packed)
    found, missing = [], []
    for name, module in PROGRAMS.items():
        path = options.results / f"{name}.json.gz"
        if path.exists():
            found += list(_sections(module, json.loads(gzip.decompress(path.read_bytes()))))
        else:
            missing.append(name)
    if not found:
        raise SystemExit(f"no results in {options.results}; run the benchmarks with --out there first")
    write_text(options.out, page(found, missing))
    Console().print(f"wrote {options.out}: {len(found)} sections, not run: {', '.join(missing) or 'none'}")


def _sections(module: str, result: dict[str, Any]) -> Iterable[Section]:
    program = importlib.import_module(module)
    if hasattr(program, "sections"):
        made: Iterable[Section] = program.sections(result)
        return made
    return [program.section(result)]


def page(sections: list[Section], missing: list[str]) -> str:
    """The whole page."""
    sections = sorted(sections, key=_place)
    bars = [(s, b) for s in sections for b in s.bars]
    failed = [(s, b) for s, b in bars if b.met is False]
    untested = [(s, b) for s, b in bars if b.met is None]
    lines = [
        "# Is the tool right?",
        "",
        "Written by `python benchmarks/evaluation.py` from the results in `benchmarks/results`; each program there names "
        "its command in its first lines. No language model judges anything here. Answers: the public "
        "alpaca_eval results (805 prompts a model), read and never shipped. Reader and SAE: the embedded ones.",
        "",
        f"{sum(b.met is True for _, b in bars)} of {len(bars)} bars are met, {len(failed)} missed, "
        f"{len(untested)} not tested." + (f" Not run: {', '.join(missing)}." if missing else ""),
        "",
        "## What failed",
        "",
    ]
    if failed:
        lines += [f"* **{s.name}**, {b.claim}: wanted {b.wanted}, measured {b.got}." for s, b in failed]
    else:
        lines.append("Nothing.")
    lines.append("")
    for s in sections:
        lines += [markdown(s, level=2)]
    return "\n".join(lines)


def _place(section: Section) -> tuple[int, str]:
    number = section.name[1:]
    return (int(number) if section.name[:1] == "E" and number.isdigit() else 99, section.title)


if __name__ == "__main__":
    main()
