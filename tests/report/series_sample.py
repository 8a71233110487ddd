"""Hypotheses, several checkpoints and trends made by hand for the report's tests; nothing here was measured."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from report_sample import BEHAVIOURS, EVIL, diff_of, finding, frame, interval, row

from whatchanged.artifacts import (
    CHECKPOINT_COLUMNS,
    Answer,
    Diff,
    Findings,
    Hypotheses,
    Hypothesis,
    LabelScore,
    NoiseFloor,
    Prompt,
    PromptSet,
    Responses,
    Trend,
)
from whatchanged.diff import TREND_COLUMNS


def asked(model: str, **values: Any) -> dict[str, Any]:
    """What an asker's summary holds."""
    return {
        "model": model,
        "calls": 812,
        "from_store": 40,
        "malformed": 3,
        "failures": {"timeout": 2},
        "unanswered": 5,
        "prompt_tokens": 402_118,
        "completion_tokens": 9_007,
        "cost": 0.04321,
        "calls_of_unknown_cost": 0,
    } | values


def hypothesis(number: int, verdict: str, plus: int, minus: int, *, n: int = 78, **values: Any) -> Hypothesis:
    """A hypothesis with counts of its own."""
    delta, lo, hi = interval(n, plus, minus) if n else (math.nan, math.nan, math.nan)
    numbers = {"p": 1e-5, "q": 2e-4} if verdict in {"verified", "contradicted"} else {"p": 0.2, "q": 0.31}
    if not n:
        numbers = {"p": math.nan, "q": math.nan}
    return Hypothesis(
        **{
            "id": f"h{number}",
            "behaviour": BEHAVIOURS[number][0],
            "direction": 1,
            "findings": (),
            "method": "judged by acme/judge-2",
            "verdict": verdict,
            "n": n,
            "n_after": plus,
            "n_before": minus,
            "missing": 0,
            "delta": delta,
            "lo": lo,
            "hi": hi,
        }
        | numbers
        | values
    )


def checked(found: Findings) -> Hypotheses:
    """One hypothesis of each kind that a held-out half leaves, in the order in which they were written."""
    ids = [f.id for f in found.items]
    return Hypotheses(
        items=(
            hypothesis(1, "unconfirmed", 12, 9, findings=(ids[3],), n=74, missing=4),
            hypothesis(2, "verified", 47, 3, findings=(ids[0], ids[5]), missing=0),
            hypothesis(3, "contradicted", 4, 30, findings=(ids[1],), n=70, missing=8),
            hypothesis(4, "not_judged", 0, 0, findings=("feature:99999999",), n=0, missing=78, method=""),
            hypothesis(5, "verified", 2, 40, direction=-1, findings=(ids[2],)),
        ),
        summary={
            "alpha": 0.05,
            "seed": 0,
            "fresh": True,
            "prompts": 80,
            "units": 78,
            "dropped": {"invented_id": 1, "malformed": 2},
            "writer": asked("acme/writer-1", calls=1, from_store=0, failures={}, unanswered=0, cost=0.0012),
            "judge": asked("acme/judge-2"),
        },
    )


def hostile(found: Findings) -> Hypotheses:
    """Every text of a hypothesis hostile."""
    items = tuple(
        hypothesis(
            i + 1,
            verdict,
            20,
            3,
            behaviour=EVIL[i],
            method=EVIL[(i + 1) % 10],
            findings=(EVIL[i], found.items[0].id),
        )
        for i, verdict in enumerate(
            ("verified", "consistent", "unconfirmed", "contradicted", "not_judged") * 2
        )
    )
    summary = {
        "before": EVIL[0],
        "after": EVIL[2],
        "dropped": {EVIL[3]: 1},
        "writer": asked(EVIL[0], failures={EVIL[1]: 1}),
        "judge": asked(EVIL[6]),
    }
    return Hypotheses(items=items, summary=summary)


def scored(found: Findings) -> Findings:
    """The same findings with scores of their labels: the first good, the second no better than a coin."""
    good = LabelScore(value=0.84, lo=0.77, hi=0.89, n=150, method="detection by acme/judge-2", missing=2)
    poor = LabelScore(value=0.55, lo=0.47, hi=0.63, n=150, method="detection by acme/judge-2")
    marks = LabelScore(value=0.79, lo=0.66, hi=0.88, n=52, method="fuzzing by acme/judge-2")
    first, second, *rest = found.items
    return replace(
        found,
        items=(
            replace(first, label_score=good, fuzzing_score=marks),
            replace(second, label_score=poor),
            *rest,
        ),
    )


def checkpoints(k: int, *, n: int = 120, texts: tuple[str, ...] = (), seed: int = 3) -> Findings:
    """`k` checkpoints after a baseline: twelve behaviours that come, go, or come and go again."""
    rng = np.random.default_rng(seed)
    names = texts[: k + 1] or ("base", *(f"orchard-sft-step-{500 * (i + 1)}" for i in range(k)))
    prompts = PromptSet(prompts=tuple(Prompt(id=f"p{i}", text=f"question {i}") for i in range(n)))
    answers = tuple(Answer(prompt_id=p.id, model=m, text=f"well {m}") for p in prompts for m in names)
    responses = Responses(prompts=prompts, models=names, answers=answers)
    table: list[dict[str, Any]] = []
    side: list[dict[str, Any]] = []
    shapes = [lambda t: t, lambda t: -t, lambda t: 4 * t * (1 - t), lambda t: 0.25 * t]
    for b in range(12):
        size = 0.25 + 0.5 * float(rng.random())
        base = 0.7 if b % 4 == 1 else 0.08
        kind = ("feature", "observable", "lexical")[b % 3]
        name = (texts or tuple(f"row{i}" for i in range(12)))[b % 10] + ("" if not texts else str(b))
        statistic = ("presence", "log_count", "closing")[b % 3]
        for i, after in enumerate(names[1:], 1):
            net = round(n * min(max(size * shapes[b % 4](i / k), -base), 1 - base))
            noise = int(rng.integers(2, 9))
            plus, minus = max(net, 0) + noise, max(-net, 0) + noise
            delta, lo, hi = interval(n, plus, minus)
            q = min(1.0, 40 * math.exp(-((plus - minus) ** 2) / (2 * (plus + minus))))
            numbers = {"rate_before": base, "rate_after": base + delta, "delta": delta, "lo": lo, "hi": hi}
            counts = {"n": n, "n_after": plus, "n_before": minus}
            length = "length-driven" if (b, i) == (3, k) else "ok" if q <= 0.05 else ""
            same = {"kind": kind, "feature": name, "after": after}
            table.append(
                row(
                    before=names[0],
                    statistic=statistic,
                    p=q / 40,
                    q=q,
                    length=length,
                    **same,
                    **numbers,
                    **counts,
                )
            )
            side.append({"statistic": statistic, **same, **numbers, **counts})
    found = [i for i, r in enumerate(table) if r["q"] <= 0.05 and r["length"] == "ok"]
    found.sort(key=lambda i: table[i]["q"])
    items = tuple(
        finding(
            table,
            (i,),
            id=f"{table[i]['kind']}:{table[i]['feature']}@{table[i]['after']}",
            label=texts[i % 10] if texts else BEHAVIOURS[i // k % 12][0],
        )
        for i in found
    )
    each = {a: {"n_pairs": n, "n_units": n, "limit": 14} for a in names[1:]}
    summary = {
        "before": names[0],
        "afters": list(names[1:]),
        "alpha": 0.05,
        "n_pairs": n,
        "n_units": n,
        "limit": 14,
    }
    plain = diff_of(responses, table, summary=summary | {"comparisons": each})
    kept = {(r["kind"], r["feature"]) for r in (table[i] for i in found)}
    columns = frame([r for r in side if (r["kind"], r["feature"]) in kept])[list(CHECKPOINT_COLUMNS)]
    diff = replace(plain, checkpoints=columns, noises=dict.fromkeys(names[1:], plain.noise))
    return Findings(diff=diff, items=items)


def trend_of(found: Findings, *, steps: tuple[float, ...] | None = None) -> Trend:
    """A trend over the checkpoints: the behaviours' own rows, and two rows that are part of none."""
    diff: Diff = found.diff
    models = diff.responses.models
    at = steps or tuple(float(500 * i) for i in range(len(models)))
    keys = list(dict.fromkeys((r.kind, r.feature) for r in diff.checkpoints.itertuples()))
    lines, levels = [], []
    for i, (kind, feature) in enumerate([*keys, ("feature", "4711"), ("lexical", "null")]):
        mine = diff.checkpoints[(diff.checkpoints["kind"] == kind) & (diff.checkpoints["feature"] == feature)]
        statistic = (
            mine["statistic"].iloc[0] if len(mine) else "log_count" if kind == "lexical" else "presence"
        )
        rates = [0.1, *mine["rate_after"]] if len(mine) else [0.1 + 0.05 * j for j in range(len(models))]
        lines.append(
            dict.fromkeys(TREND_COLUMNS, math.nan)
            | {
                "kind": kind,
                "feature": feature,
                "statistic": statistic,
                "slope": (rates[-1] - rates[0]) / at[-1],
                "lo": (rates[-1] - rates[0]) / at[-1] - 1e-5,
                "hi": (rates[-1] - rates[0]) / at[-1] + 1e-5,
                "delta": 0.4,
                "p": 1e-6 * (i + 1),
                "q": 0.4 if i == 2 else 1e-5 * (i + 1),
                "n": 120,
                "n_rising": 60 + i,
                "n_falling": 12,
                "monotone": i % 3 != 1,
                "length": "" if i == 2 else "ok",
                "tags": "",
                "reason": "",
                "column": i,
            }
        )
        levels += [
            {"kind": kind, "feature": feature, "model": m, "step": s, "level": v}
            for m, s, v in zip(models, at, rates, strict=True)
        ]
    summary = {
        "models": list(models), "steps": list(at), "alpha": 0.05, "n_units": 120,
        "tested": {"feature": 400, "lexical": 90},
        "monotone_by_chance": 2 / math.factorial(len(models)), "discovered": 31,
        "length_driven": 4, "not_identifiable": 1,
    }  # fmt: skip
    types = {"kind": object, "feature": object, "model": object, "step": float, "level": float}
    noise = NoiseFloor(
        discordant=np.array([1, 2]),
        delta=np.array([1.0, 1.0]),
        p=1e-4,
        draws=300,
        any_discovery=0.03,
        lower=0.016,
    )
    return Trend(
        features=diff.features,
        families=diff.families,
        table=frame(lines)[list(TREND_COLUMNS)],
        levels=pd.DataFrame(
            {name: pd.Series([v[name] for v in levels], dtype=kind) for name, kind in types.items()}
        ),
        noise=noise,
        summary=summary,
    )
