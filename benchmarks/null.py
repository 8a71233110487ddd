"""E1: calibration. How often the report finds something when before and after are exchanged at random.

    python benchmarks/null.py --data alpaca_eval/results --out null.json

For each pair of real models the labels of whole prompts are swapped at random and the whole report is made
again, the length rule included; what the true null pair (one model, two samplings) yields is listed.
Results are written pair by pair: run the same command again to resume. Label swaps test the arithmetic;
that prompts are independent of each other is taken for granted.
"""

from __future__ import annotations

import argparse
import time
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
from rich.table import Table
from rich.text import Text

from planting import load_pair
from whatchanged.artifacts import Finding, Findings, Responses
from whatchanged.diff import compare, discovered, label_swaps
from whatchanged.encode.encode import Encoder, encode
from whatchanged.encode.registry import load_sae
from whatchanged.pipeline import interpret
from whatchanged.stats import clopper_pearson
from whatchanged.store import fingerprint, read_json, write_json, write_text

PAIRS = (
    ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai"),
    ("gpt4_0613", "gpt4_1106_preview"),
    ("claude-2.1_concise", "claude-2.1_verbose"),
)
TRUE_NULL = frozenset(PAIRS[0])
ALPHA = 0.05


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    settings = {
        "prompts": options.prompts,
        "draws": options.draws,
        "sae": {"name": options.sae, "fingerprint": load_sae(options.sae).fingerprint},
        "dtype": options.dtype,
        "seed": options.seed,
        "alpha": ALPHA,
    }
    result: dict[str, Any] = {"schema": 1, "settings": settings, "pairs": {}}
    if options.out.exists():
        result = read_json(options.out)
        if result.get("settings") != settings:
            raise SystemExit(f"{options.out} holds results of other settings; choose another --out")
    encoder: Encoder | None = None
    for names in options.pair or PAIRS:
        responses = load_pair(options.data, *names, prompts=options.prompts)
        key = " → ".join(names)
        answers = fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])
        if result["pairs"].get(key, {}).get("answers") == answers:
            continue
        encoder = encoder or Encoder(options.sae, dtype=options.dtype)
        console.print(f"{key}: {len(responses.answers):,} answers")
        result["pairs"][key] = _pair(responses, encoder, options, console) | {"answers": answers}
        write_json(options.out, result)
    write_text(options.out.with_suffix(".md"), _markdown(result))
    _show(result, Console())
    console.print(f"wrote {options.out} and {options.out.with_suffix('.md')}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="results folder of alpaca_eval")
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument("--prompts", type=int, default=None, help="the first so many by id; all by default")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--sae", default="gemma-3-270m")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; a .md file is written beside it")
    return parser.parse_args()


def _pair(
    responses: Responses, encoder: Encoder, options: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Encode, compare, swap, interpret one pair."""
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal began
        seconds[stage] = round(time.perf_counter() - began, 1)
        began = time.perf_counter()

    columns = (TextColumn("reading tokens"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("tokens", total=None)
        features = encode(
            responses,
            encoder=encoder,
            progress=lambda done, all_: bar.update(task, completed=done, total=all_),
        )
    lap("encode")
    # The noise floor's own draws are not needed here; the ones below repeat the report as a whole.
    diff = compare(features, alpha=ALPHA, draws=1, seed=options.seed)
    lap("compare")
    swaps = label_swaps(diff, draws=options.draws, seed=options.seed)
    lap("swaps")
    findings = interpret(diff)
    lap("interpret")
    assert swaps.found is not None, "the length rule is asked by default"
    q = diff.table["q"]
    return {
        "seconds": seconds,
        "encoded": features.encoded,
        "units": diff.summary["n_units"],
        "tested": dict(diff.summary["tested"]),
        "length_before": diff.summary["length_before"],
        "length_after": diff.summary["length_after"],
        "longer_after": diff.summary["longer_after"],
        "draws": swaps.draws,
        "any_discovery": _share(int(swaps.discovered.sum()), swaps.draws, swaps.lower()),
        "any_finding": _share(int(swaps.found.sum()), swaps.draws, swaps.lower(found=True)),
        "smallest_p": float(swaps.smallest.min()),
        "real": {
            "rows_at_alpha": int((q <= ALPHA).sum()),
            "behaviour_rows": int(discovered(diff).sum()),
            "smallest_q": float(q.min()),
            **_listed(findings),
        },
    }


def _share(count: int, draws: int, lower: float) -> dict[str, Any]:
    upper = float(clopper_pearson(count, draws, side="upper")[1])
    return {"count": count, "share": count / draws, "lower": lower, "upper": upper, "holds": lower <= ALPHA}


def _listed(findings: Findings) -> dict[str, Any]:
    return {
        "findings": len(findings),
        "aside": len(findings.aside),
        "left_out": findings.summary.get("left_out", 0),
        "items": [_item(f) for f in findings.items],
        "aside_items": [_item(f) for f in findings.aside],
    }


def _item(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "label": finding.label,
        "statistic": finding.statistic,
        "delta": finding.delta,
        "q": finding.q,
        "tags": list(finding.tags),
        "tokens": _tokens(finding),
    }


def _tokens(finding: Finding) -> list[str]:
    """The most active token of each stretch with the two before it: enough to see what it fires on."""
    shown = []
    for e in finding.evidence:
        peak = max(range(len(e.tokens)), key=lambda i: e.activations[i], default=None)
        if peak is not None:
            shown.append("".join(e.tokens[max(0, peak - 2) : peak]) + "«" + e.tokens[peak] + "»")
    return list(dict.fromkeys(shown))


def _row(key: str, p: dict[str, Any]) -> list[str]:
    def said(share: dict[str, Any]) -> str:
        verdict = "" if share["holds"] else ", ABOVE nominal"
        return f"{share['share']:.4f} ({share['count']}; ≥ {share['lower']:.4f}, ≤ {share['upper']:.4f}{verdict})"

    real = p["real"]
    return [
        key,
        str(p["units"]),
        f"{sum(p['tested'].values()):,}",
        f"{p['length_before']:g} → {p['length_after']:g}",
        f"{p['draws']:,}",
        said(p["any_discovery"]),
        said(p["any_finding"]),
        f"{real['rows_at_alpha']:,}",
        f"{real['behaviour_rows']:,}",
        f"{real['findings']} + {real['left_out']} left out",
    ]


HEAD = [
    "pair", "prompts", "rows tested", "median tokens", "swaps", "reports with any discovery",
    "reports with any finding", "true labels: rows at q ≤ .05", "of these behaviours", "findings after merging",
]  # fmt: skip


def _show(result: dict[str, Any], console: Console) -> None:
    table = Table(
        title="E1: label swaps (share; count; one-sided 95 % bounds)", title_justify="left", box=None
    )
    for name in HEAD:
        table.add_column(Text(name), overflow="fold")
    for key, p in result["pairs"].items():
        table.add_row(*map(Text, _row(key, p)))
    console.print(table)
    for key, p in result["pairs"].items():
        if _true_null(key):
            console.print(Text(f"\n{key}: {p['real']['findings']} findings, {p['real']['aside']} set aside"))
            for item in p["real"]["items"] + p["real"]["aside_items"]:
                console.print(Text("  " + _line(item)))


def _true_null(key: str) -> bool:
    return frozenset(key.split(" → ")) == TRUE_NULL


def _line(item: dict[str, Any]) -> str:
    tokens = ", ".join(t.replace("\n", "\\n") for t in item["tokens"]) or "no tokens"
    tags = f" [{' '.join(item['tags'])}]" if item["tags"] else ""
    label = item["label"].replace("\n", "\\n")
    return (
        f"{item['id']} ({label}): {item['statistic']} {item['delta']:+.3f}, q {item['q']:.2g}{tags}: {tokens}"
    )


def _markdown(result: dict[str, Any]) -> str:
    s = result["settings"]
    lines = [
        "# E1: calibration by label swaps",
        "",
        f"SAE {s['sae']['name']} ({s['sae']['fingerprint']}), q ≤ {s['alpha']}, seed {s['seed']}. Shares of reports "
        "with anything at all when the labels of whole prompts are swapped at random, with one-sided 95 % "
        f"Clopper-Pearson bounds; the lower one must not exceed {s['alpha']}. A swap tests the arithmetic, not "
        "the independence of prompts.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + " --- |" * len(HEAD),
    ]
    lines += [
        "| " + " | ".join(c.replace("|", "\\|") for c in _row(k, p)) + " |"
        for k, p in result["pairs"].items()
    ]
    for key, p in result["pairs"].items():
        if _true_null(key):
            lines += ["", f"## {key}: what a true null pair yields", ""]
            for name, items in (("findings", "items"), ("set aside", "aside_items")):
                lines.append(f"{p['real'][name.split()[-1]]} {name}.")
                lines += ["", *(f"* {_line(item)}" for item in p["real"][items]), ""]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
