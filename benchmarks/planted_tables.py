"""The tables of E2: recall, precision, false discoveries, each edit's smallest dose, and the null."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

import numpy as np

from methods import METHODS, TOP
from whatchanged.stats import wilson

__all__ = ["limits", "tables"]

Rows = list[list[str]]


def tables(result: dict[str, Any]) -> list[tuple[str, list[str], Rows]]:
    """Title, header and rows of every table, computed from the draws and nothing else.

    A hit is a draw with an attributable row among the first ten (see `methods`).
    """
    doses = list(dict.fromkeys(c["dose"] for c in result["cells"].values() if c["draws"]))
    made = [
        (f"recall@{TOP}: share of draws with a hit among the first {TOP} [95 % Wilson over draws]"
         " (95 % bootstrap over edits)", *_recall(result, doses)),
        (f"precision@{TOP}: share of the first {TOP} that are attributable to the edit", *_precision(result, doses)),
        ("findings per draw: median (most), share of all that are attributable", *_findings(result, doses)),
        ("false discoveries: share of findings that the edit left unchanged under every prompt"
         " (draws with any)", *_false(result, doses)),
        ("smallest dose with recall of 50 % or more", *_smallest(result, doses)),
    ]  # fmt: skip
    for method in METHODS:
        made.append((f"draws with a hit, per edit: {METHODS[method]}", *_per_edit(result, doses, method)))
    made.append((_best_title(), *_best(result, doses)))
    made.append(("the null pair itself, unedited", *_null(result)))
    return made


def _best_title() -> str:
    return (
        "whole report, behaviour findings: at the smallest dose with recall of 50 % or more, prompts edited "
        "over the exact-test limit at the noise of the best attributable row (row picked on the other draws)"
    )


def _draws(result: dict[str, Any], dose: str, method: str) -> list[tuple[str, dict[str, Any]]]:
    cells = [c for c in result["cells"].values() if c["dose"] == dose]
    return [(c["edit"], d[method]) for c in cells for d in c["draws"]]


def _hit(outcome: dict[str, Any]) -> bool:
    return int(outcome["top_attributable"]) > 0


def _head(result: dict[str, Any], doses: list[str]) -> list[str]:
    head = []
    for dose in doses:
        cells = [c for c in result["cells"].values() if c["dose"] == dose and c["draws"]]
        head.append(f"{_percent(dose)} ({len(cells)} edits, {sum(len(c['draws']) for c in cells)} draws)")
    return head


def _percent(dose: str) -> str:
    return f"{dose[1:]} × oracle" if dose.startswith("x") else f"{100 * float(dose):g} %"


def _recall(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for method, title in METHODS.items():
        row = [title]
        for dose in doses:
            outcomes = _draws(result, dose, method)
            hits = sum(_hit(o) for _, o in outcomes)
            low, high = wilson(hits, len(outcomes))
            down, up = _over_edits(outcomes)
            row.append(f"{hits / len(outcomes):.2f} [{low:.2f}, {high:.2f}] ({down:.2f}, {up:.2f})")
        rows.append(row)
    return ["method", *_head(result, doses)], rows


def _over_edits(outcomes: list[tuple[str, dict[str, Any]]]) -> tuple[float, float]:
    """Bootstrap over edits: draws of one edit are alike, so they are no independent trials."""
    edits = sorted({e for e, _ in outcomes})
    share = np.array([np.mean([_hit(o) for e, o in outcomes if e == edit]) for edit in edits])
    means = share[np.random.default_rng(0).integers(0, len(edits), (4000, len(edits)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _precision(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for method, title in METHODS.items():
        row = [title]
        for dose in doses:
            listed = [o for _, o in _draws(result, dose, method)]
            top = sum(o["top"] for o in listed)
            good = sum(o["top_attributable"] for o in listed)
            none = sum(o["top"] == 0 for o in listed)
            row.append(
                (f"{good / top:.2f}" if top else "-") + (f" ({none} draws list nothing)" if none else "")
            )
        rows.append(row)
    return ["method", *_head(result, doses)], rows


def _findings(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for method, title in METHODS.items():
        row = [title]
        for dose in doses:
            listed = [o for _, o in _draws(result, dose, method)]
            counts = [o["findings"] for o in listed]
            share = f", {sum(o['attributable'] for o in listed) / sum(counts):.2f}" if sum(counts) else ""
            row.append(f"{median(counts):g} ({max(counts):,}){share}")
        rows.append(row)
    return ["method", *_head(result, doses)], rows


def _false(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for method, title in METHODS.items():
        row = [title]
        for dose in doses:
            listed = [o for _, o in _draws(result, dose, method)]
            found, false = (sum(o[k] for o in listed) for k in ("findings", "untouched"))
            some = sum(o["untouched"] > 0 for o in listed)
            row.append(f"{false / found:.3f} of {found:,} ({some})" if found else "none found")
        rows.append(row)
    return ["method", *_head(result, doses)], rows


def _ordered(result: dict[str, Any], doses: list[str]) -> list[str]:
    """Doses from the smallest number of edited prompts to the largest."""
    edited = {c["dose"]: c["edited"] for c in result["cells"].values()}
    return sorted(doses, key=lambda d: edited[d])


def _first_dose(result: dict[str, Any], doses: list[str], edit: str, method: str) -> str | None:
    for dose in _ordered(result, doses):
        draws = result["cells"].get(f"{edit}|{dose}", {}).get("draws", [])
        if draws and sum(_hit(d[method]) for d in draws) >= 0.5 * len(draws):
            return dose
    return None


def _never(result: dict[str, Any], doses: list[str], edit: str) -> str:
    """How far an edit was tried in vain."""
    tried = [d for d in _ordered(result, doses) if result["cells"].get(f"{edit}|{d}", {}).get("draws")]
    return f"above {_percent(tried[-1])}" if tried else "applies to too few"


def _smallest(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for edit in result["edits"]:
        first = [_first_dose(result, doses, edit, m) for m in METHODS]
        rows.append([edit, *(_percent(d) if d else _never(result, doses, edit) for d in first)])
    overall = ["all edits together"]
    for method in METHODS:
        reached = [
            d
            for d in _ordered(result, doses)
            if np.mean([_hit(o) for _, o in _draws(result, d, method)]) >= 0.5
        ]
        overall.append(_percent(reached[0]) if reached else "never")
    return ["edit", *METHODS], [overall, *rows]


def _per_edit(result: dict[str, Any], doses: list[str], method: str) -> tuple[list[str], Rows]:
    rows = []
    for edit, facts in result["edits"].items():
        row = [edit, str(facts["applies"])]
        for dose in doses:
            cell = result["cells"].get(f"{edit}|{dose}", {})
            draws = [d[method] for d in cell.get("draws", [])]
            if draws:
                row.append(f"{sum(map(_hit, draws))}/{len(draws)}")
            else:
                row.append(f"too few (needs {cell['edited']})" if cell.get("reason") else "not run")
        rows.append(row)
    return ["edit", "applies to", *map(_percent, doses)], rows


def _best(result: dict[str, Any], doses: list[str]) -> tuple[list[str], Rows]:
    rows = []
    for edit in result["edits"]:
        dose = _first_dose(result, doses, edit, "report_behaviour")
        if dose is None:
            rows.append([edit, _never(result, doses, edit), "", "", "", "", ""])
            continue
        cell = result["cells"][f"{edit}|{dose}"]
        row = [edit, _percent(dose), str(cell["edited"])]
        if picked := _picked(cell):
            shown = Counter(f"{b['kind']} {b['name']!r}, {b['statistic']}" for b in picked).most_common(1)[0][
                0
            ]
            limit, noise = median(b["limit"] for b in picked), median(b["background"] for b in picked)
            row += [shown, f"{noise:g}", f"{limit:g}", f"{cell['edited'] / limit:.2f}"]
        rows.append(row + [""] * (7 - len(row)))
    return ["edit", "dose", "prompts", "best row", "n₀", "limit", "prompts / limit"], rows


def _picked(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The best attributable row of each draw that other draws of the cell name best, where they do."""
    best = [d["report_behaviour"].get("best") for d in cell["draws"]]
    picked = []
    for i in range(len(best)):
        others = Counter((b["kind"], b["name"], b["statistic"]) for j, b in enumerate(best) if b and j != i)
        if others:
            row = others.most_common(1)[0][0]
            picked.append(next(b for b in best if b and (b["kind"], b["name"], b["statistic"]) == row))
    return picked


def limits(result: dict[str, Any]) -> dict[str, float | None]:
    """Per edit: prompts edited at the smallest dose with half of the draws hit, over the exact-test limit.

    The limit is that of the best attributable row at its own noise, the row picked on other draws.
    """
    doses = list(dict.fromkeys(c["dose"] for c in result["cells"].values() if c["draws"]))
    found: dict[str, float | None] = {}
    for edit in result["edits"]:
        dose = _first_dose(result, doses, edit, "report_behaviour")
        cell = result["cells"].get(f"{edit}|{dose}")
        picked = _picked(cell) if cell else []
        found[edit] = cell["edited"] / median(b["limit"] for b in picked) if cell and picked else None
    return found


def _null(result: dict[str, Any]) -> tuple[list[str], Rows]:
    rows = []
    for method, title in METHODS.items():
        found = result["null"]["methods"][method]
        names = [f"{r['kind']} {r['name']!r} {r['n_before']}→{r['n_after']}" for r in found["rows"]]
        rows.append([title, str(found["findings"]), "; ".join(names[:20])])
    return ["method", "findings", "rows (discordant prompts with more before → more after)"], rows
