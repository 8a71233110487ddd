"""E1: calibration. How often the report finds something when before and after are exchanged at random.

    python benchmarks/calibration.py --data alpaca_eval/results --out calibration.json

For each pair of real models the labels of whole prompts are swapped at random and the whole report is made
again, the length rule included; so are its parts alone, the published rule, and the ten strongest groups
forced through verification. What the true null pair (one model, two samplings) yields is listed.
Results are written pair by pair: run the same command again to resume. Label swaps test the arithmetic;
that prompts are independent of each other is taken for granted.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from rich.console import Console

from planting import load_pair
from program import ALPHA, Reading, finish, opened, options_of, settings_of
from section import Bar, Grid, Section
from swapped import PARTS, forced_hypotheses, parts, published
from whatchanged.artifacts import Finding, Findings, Responses
from whatchanged.diff import compare, discovered, label_swaps
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.units import pair
from whatchanged.pipeline import interpret
from whatchanged.stats import clopper_pearson
from whatchanged.store import fingerprint, write_json

PAIRS = (
    ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai"),
    ("gpt4_0613", "gpt4_1106_preview"),
    ("claude-2.1_concise", "claude-2.1_verbose"),
    ("gpt4_1106_preview", "gpt-4-0125-preview"),
    ("phi-2-sft", "phi-2-dpo"),
    ("zephyr-7b-alpha", "zephyr-7b-beta"),
)
TRUE_NULL = frozenset(PAIRS[0])


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    result = opened(options.out, settings_of(options) | {"draws": options.draws}, pairs={})
    reading = Reading(options, console)
    for names in options.pair or PAIRS:
        responses = load_pair(options.data, *names, prompts=options.prompts)
        key = " → ".join(names)
        answers = fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])
        if result["pairs"].get(key, {}).get("answers") == answers:
            continue
        console.print(f"{key}: {len(responses.answers):,} answers")
        result["pairs"][key] = _pair(responses, reading, options) | {"answers": answers}
        write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BEFORE", "AFTER"), help="repeatable")
    parser.add_argument("--draws", type=int, default=2000)
    return parser.parse_args()


def _pair(responses: Responses, reading: Reading, options: argparse.Namespace) -> dict[str, Any]:
    """Encode, compare, swap, interpret one pair."""
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal began
        seconds[stage] = round(time.perf_counter() - began, 1)
        began = time.perf_counter()

    features = reading(responses)
    lap("encode")
    # The noise floor's own draws are not needed here; the ones below repeat the report as a whole.
    diff = compare(features, alpha=ALPHA, draws=1, seed=options.seed)
    lap("compare")
    swaps = label_swaps(diff, draws=options.draws, seed=options.seed)
    lap("swaps")
    whole = contrast_on(features, diff.families, pair(responses, responses.before, responses.after), ALPHA)
    alone = parts(whole, draws=options.draws, seed=options.seed)
    rule = published(whole, draws=options.draws, seed=options.seed)
    lap("parts")
    forced = forced_hypotheses(features, draws=options.draws, seed=options.seed, alpha=ALPHA)
    lap("hypotheses")
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
        "any_discovery": _share(int(swaps.discovered.sum()), swaps.draws),
        "any_finding": _share(int(swaps.found.sum()), swaps.draws),
        "smallest_p": float(swaps.smallest.min()),
        "parts": {name: p | _share(p["reports"], p["draws"]) for name, p in alone.items()},
        "published": rule | _share(rule["reports"], rule["draws"]),
        "hypotheses": forced | (_share(forced["reports"], forced["draws"]) if forced["draws"] else {}),
        "real": {
            "rows_at_alpha": int((q <= ALPHA).sum()),
            "behaviour_rows": int(discovered(diff).sum()),
            "smallest_q": float(q.min()),
            **_listed(findings, named=set(responses.models) == TRUE_NULL),
        },
    }


def _share(count: int, draws: int) -> dict[str, Any]:
    lower, upper = (float(clopper_pearson(count, draws, side=s)[i]) for i, s in enumerate(("lower", "upper")))
    return {"count": count, "share": count / draws, "lower": lower, "upper": upper, "holds": lower <= ALPHA}


def _listed(findings: Findings, *, named: bool) -> dict[str, Any]:
    """Counts of findings; each with its tokens where there should be none."""
    return {
        "findings": len(findings),
        "aside": len(findings.aside),
        "left_out": findings.summary.get("left_out", 0),
        "items": [_item(f) for f in findings.items] if named else [],
        "aside_items": [_item(f) for f in findings.aside] if named else [],
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
    """The most active token of each stretch: enough to see what it fires on, no text of an answer."""
    shown = []
    for e in finding.evidence:
        peak = max(range(len(e.tokens)), key=lambda i: e.activations[i], default=None)
        if peak is not None:
            shown.append(f"«{e.tokens[peak]}»")
    return list(dict.fromkeys(shown))


def section(result: dict[str, Any]) -> Section:
    """E1 from its results alone."""
    s, pairs = result["settings"], result["pairs"]
    kinds = {
        "whole report, length rule": lambda p: p["any_finding"],
        "whole report, any discovery": lambda p: p["any_discovery"],
        **{title: (lambda p, k=k: p["parts"][k]) for k, title in PARTS.items()},
        "ten forced hypotheses, any verified": lambda p: p["hypotheses"],
        "published rule: presence gap > 3 %": lambda p: p["published"],
    }
    shares = tuple((title, *(_said(of(p)) for p in pairs.values())) for title, of in kinds.items())
    bars = []
    for title, of in list(kinds.items())[:-1]:
        asked = [of(p) for p in pairs.values() if "lower" in of(p)]
        worst = max(asked, key=lambda x: x["lower"], default={})
        bars.append(
            Bar(
                claim=f"P(any) under label swaps, worst of {len(asked)} pairs: {title}",
                wanted="lower bound ≤ .05",
                got=_said(worst),
                met=all(x["holds"] for x in asked) if asked else None,
            )
        )
    true = tuple(
        (
            key,
            str(p["units"]),
            f"{sum(p['tested'].values()):,}",
            f"{p['length_before']:g} → {p['length_after']:g}",
            f"{p['real']['rows_at_alpha']:,}",
            f"{p['real']['behaviour_rows']:,}",
            f"{p['real']['findings']} + {p['real']['left_out']} left out",
            f"{p['hypotheses']['true_labels']} of {p['hypotheses']['hypotheses']}",
            f"{p['published']['true_labels']:,}",
            f"{p['published']['median']:g} ({p['published']['most']:,})",
        )
        for key, p in pairs.items()
    )
    lines = [
        f"SAE {s['sae']['name']} ({s['sae']['fingerprint']}), {s['dtype']}, q ≤ {s['alpha']}, seed {s['seed']}, "
        f"{s['draws']:,} swaps a pair. Each swap exchanges before and after of whole prompts (near-duplicates "
        "together) at random and makes the report again. Shares of reports that list anything, with one-sided "
        "95 % Clopper-Pearson bounds. A swap tests the arithmetic, not the independence of prompts.",
        "Hypotheses: the ten strongest groups of one half of the prompts on the true labels, counted on the "
        "other half with its labels swapped; *verified* needs q ≤ .05 over the ten and the direction foretold.",
    ]
    for key, p in pairs.items():
        if frozenset(key.split(" → ")) == TRUE_NULL:
            real = p["real"]
            listed = [_line(x) for x in (*real["items"], *real["aside_items"])]
            lines.append(
                f"The true null pair ({key}, one model served twice) itself: {real['findings']} findings, "
                f"{real['aside']} set aside, smallest q {real['smallest_q']:.2g}; the published rule lists "
                f"{p['published']['true_labels']:,} features. "
                + ("Each with its most active tokens: " + "; ".join(listed) if listed else "")
            )
    return Section(
        name="E1",
        title="calibration: what is found where nothing changed",
        lines=tuple(lines),
        bars=tuple(bars),
        grids=(
            Grid(title="Share of swapped reports that list anything", head=("method", *pairs), rows=shares),
            Grid(
                title="The same pairs with their true labels",
                head=(
                    "pair", "units", "rows tested", "median tokens", "rows at q ≤ .05", "of these behaviours",
                    "findings after merging", "hypotheses verified", "published rule lists",
                    "published rule, swapped: median (most)",
                ),
                rows=true,
            ),
        ),
    )  # fmt: skip


def _said(share: dict[str, Any]) -> str:
    if "lower" not in share:
        return "nothing to verify"
    return f"{share['share']:.4f} ({share['count']}; ≥ {share['lower']:.4f}, ≤ {share['upper']:.4f})"


def _line(item: dict[str, Any]) -> str:
    tokens = ", ".join(t.replace("\n", "\\n") for t in item["tokens"]) or "no tokens"
    tags = f" [{' '.join(item['tags'])}]" if item["tags"] else ""
    label = item["label"].replace("\n", "\\n")
    return (
        f"{item['id']} ({label}): {item['statistic']} {item['delta']:+.3f}, q {item['q']:.2g}{tags}: {tokens}"
    )


if __name__ == "__main__":
    main()
