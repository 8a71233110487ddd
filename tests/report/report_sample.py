"""Findings made by hand for the report's tests: a small evil set and a realistic large one.

Nothing here was measured. Every random choice comes from a seeded generator.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from whatchanged.artifacts import (
    DIFF_COLUMNS,
    Answer,
    Diff,
    Dropped,
    Evidence,
    Features,
    Finding,
    Findings,
    NoiseFloor,
    Occurrences,
    Prompt,
    PromptSet,
    Responses,
)

EVIL = (
    "<script>window.evil=1</script>",
    "</script><script>window.evil=2</script>",
    '"><img src=x onerror="window.evil=3">',
    "</style></title></textarea><svg onload=window.evil=4>",
    "abc\u202edcba\u2066x\u200bzero\x00nul\x1besc\x85nel",
    "lone \ud800 surrogate \udcff",
    "`code` | pipe | **bold** [link](javascript:alert(1)) ![i](http://x.invalid/a.png)\n# h\n- x\n1. one",
    "{{ 7 * 7 }} {% raw %} {# note #} $x^2$ &lt; &amp; \\",
    "long " + "y" * 100_000,
    "--> <!-- ]]> <![CDATA[ https://evil.invalid www.evil.invalid",
)
"""What a model might write to break the page."""

TEXTS = ("before", "after", "kind", "feature", "statistic", "tags", "reason", "length")


def row(**values: Any) -> dict[str, Any]:
    """One row of a diff's table; whatever is not given is empty."""
    empty = {name: "" if name in TEXTS else math.nan for name in DIFF_COLUMNS}
    counts = {"n": 0, "n_after": 0, "n_before": 0, "column": 0}
    assert values.keys() <= DIFF_COLUMNS.keys()
    ranked = {"q_length": values.get("q", math.nan)}
    return empty | counts | {"before": "old", "after": "new", "statistic": "presence"} | ranked | values


def interval(n: int, plus: int, minus: int) -> tuple[float, float, float]:
    """Delta and a plain Wald interval: the report shows what it is given, whatever the method."""
    delta = (plus - minus) / n
    half = 1.96 * math.sqrt(max(plus + minus - (plus - minus) ** 2 / n, 0.5)) / n
    return delta, max(delta - half, -1.0), min(delta + half, 1.0)


def finding(table: list[dict[str, Any]], rows: tuple[int, ...], **values: Any) -> Finding:
    """A finding whose numbers are those of its leading row."""
    lead = table[rows[0]]
    numbers = {n: lead[n] for n in ("rate_before", "rate_after", "delta", "lo", "hi", "p", "q")}
    default = {
        "id": f"{lead['kind']}:{lead['feature']}",
        "label": str(lead["feature"]),
        "label_source": "lexical",
        "statement": f"More or less of {lead['feature']}.",
        "statistic": lead["statistic"],
    }
    return Finding(**{"kind": lead["kind"], "rows": rows, **numbers, **default, **values})


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a table; texts are Python objects, which may hold lone surrogates."""
    columns = {name: [r[name] for r in rows] for name in rows[0]}
    texts = {*TEXTS, "category"}
    return pd.DataFrame({n: pd.Series(v, dtype=object if n in texts else None) for n, v in columns.items()})


def diff_of(
    responses: Responses,
    table: list[dict[str, Any]],
    *,
    summary: dict[str, Any],
    slices: pd.DataFrame | None = None,
    noise: NoiseFloor | None = None,
    seed: int = 0,
) -> Diff:
    """A diff around a table; the features are empty but for the lengths, in words."""
    units = np.array([len(a.text.split()) for a in responses.answers], dtype=np.int32)
    n = len(units)
    nothing: dict[str, Any] = {
        "column": np.zeros(0, np.int32),
        "maximum": np.zeros(0, np.float32),
        "count": np.zeros(0, np.int32),
        "total": np.zeros(0, np.float32),
        "first": np.zeros(0, np.int32),
        "last": np.zeros(0, np.int32),
    }
    occurrences = Occurrences(
        kind="feature", n_columns=16_384, n_units=units, indptr=np.zeros(n + 1, np.int64), **nothing
    )
    features = Features(
        responses=responses,
        occurrences=occurrences,
        reader={"name": "reader-270m", "hook": "layer 12", "limit": 1024, "dtype": "float32"},
        sae={"name": "reader-270m/layer_12", "architecture": "jumprelu", "width": 16_384},
        fingerprint="5f3a90c2d1b7e864",
        cut=np.zeros(n, np.bool_),
        masked=np.ones(n, np.int32),
        shards=(),
        shard=np.zeros(n, np.int32),
        shard_row=np.arange(n, dtype=np.int32),
        health={"l0": 61.25, "explained_variance": 0.83},
    )
    noise = noise or NoiseFloor(
        discordant=np.array([1, 2, 4, 8, 16]),
        delta=np.array([1.0, 1.0, 1.0, 0.8, 0.7]),
        p=1e-4,
        draws=400,
        any_discovery=0.0325,
        lower=0.019,
    )
    empty = pd.DataFrame(columns=["kind", "feature", "category", "n", "delta", "lo", "hi", "p_heterogeneity"])
    return Diff(
        features=features,
        families=(occurrences,),
        table=frame(table),
        noise=noise,
        slices=empty if slices is None else slices,
        summary=summary,
    )


def evil() -> Findings:
    """Three findings and one row set aside, every text of them hostile."""
    prompts = PromptSet(prompts=tuple(Prompt(id=f"p{i}{t}", text=t, category=t) for i, t in enumerate(EVIL)))
    models = ("old " + EVIL[0], "new " + EVIL[2])
    answers = tuple(
        Answer(prompt_id=p.id, model=m, text=f"{p.text} answer", finish_reason="length" if i == 3 else "stop")
        for i, p in enumerate(prompts)
        for m in models
    )
    responses = Responses(
        prompts=prompts,
        models=models,
        answers=answers,
        dropped=(Dropped(reason="empty"), Dropped(reason="empty"), Dropped(reason="errored")),
        source=EVIL[1],
    )
    table = []
    for i, text in enumerate(EVIL):
        delta, lo, hi = interval(10, 8 - i if i < 8 else 0, i % 3)
        table.append(
            row(
                before=models[0],
                after=models[1],
                kind=("feature", "lexical", "observable", "group")[i % 4],
                feature=text,
                rate_before=0.1,
                rate_after=0.1 + delta,
                delta=delta,
                lo=lo,
                hi=hi,
                p=10.0 ** -(12 - i),
                q=10.0 ** -(9 - i),
                n=10,
                n_after=8 - i if i < 8 else 0,
                n_before=i % 3,
                replication=0.75,
                length="ok",
                delta_length=delta,
                per_1000_before=1.25,
                per_1000_after=2.5,
                tags=text.split()[0],
            )
        )
    evidence = tuple(
        Evidence(
            model=m,
            prompt_id=p.id,
            sample=0,
            tokens=(p.text, " end", "  ", "\n", "|", "."),
            activations=(4.25, 0.0, 2.0, 1.0, 0.5, 0.0),
            cut_right=True,
        )
        for p in prompts
        for m in models
    )
    hostile = {"notes": EVIL, "tags": ("markdown", *EVIL), "agrees": EVIL[:2], "contradicts": EVIL[2:4]}
    items = tuple(
        finding(
            table, rows, label=EVIL[k], label_source=EVIL[1], statement=EVIL[s], evidence=evidence, **hostile
        )
        for rows, k, s in (((0, 6, 7), 0, 8), ((1,), 6, 1), ((2,), 8, 2))
    )
    aside = (finding(table, (3,), label=EVIL[4], evidence=evidence, **hostile),)
    one = {"kind": "feature", "feature": EVIL[0], "n": 5, "delta": 0.2, "lo": -0.1, "hi": 0.5}
    slices = frame([one | {"category": c, "p_heterogeneity": 0.03} for c in EVIL[:9]])
    diff = diff_of(
        responses, table, summary={"n_pairs": 10, "alpha": 0.05, "note": EVIL[0], "limit": 18}, slices=slices
    )
    return Findings(diff=diff, items=items, aside=aside)


SUBJECTS = (
    "rust on iron",
    "a late parcel",
    "sourdough",
    "the tides",
    "a job offer",
    "hash tables",
    "old maps",
    "bees",
)
CATEGORIES = ("advice", "code", "explain", "fiction", "list", "maths", "rewrite", "travel")
BEHAVIOURS = (
    ("closing question that offers more help", "Would you like me to go on with an example ?"),
    ("opening with praise for the question", "That is a wonderful question , and a common one ."),
    ("bold run-in headings", "** Materials ** come first , ** tools ** after them ."),
    ("bulleted lists", "- First , rinse it . \n - Then let it dry ."),
    ("numbered steps", "1. Measure twice . \n 2. Cut once ."),
    ("plain first-person hedges", "I think it could be the valve , but I am not sure ."),
    ("reminder to consult a professional", "Please speak with a qualified professional first ."),
    ("em dashes between clauses", "The sea rises — slowly at first — and falls again ."),
    ("metaphors of journeys", "Think of it as a journey with a few stops on the way ."),
    ("short code fences with comments", "``` \n total = 0  # start here \n ```"),
    ("apologies", "I am sorry for the confusion about the dates ."),
    ("summary paragraph that starts with “In short”", "In short , keep it dry and check it in spring ."),
    ("second person address", "You will want to write down what you noticed ."),
    ("rhetorical contrast “not only … but also”", "It is not only cheaper but also much lighter ."),
    ("exact dates and years", "The bridge opened on 4 May 1932 after nine years ."),
)


def realistic(seed: int = 7) -> Findings:
    """Thirty findings on 300 prompts in eight categories, with a length change and rows set aside."""
    rng = np.random.default_rng(seed)
    n = 300
    prompts = PromptSet(
        prompts=tuple(
            Prompt(
                id=f"bank-{i:03d}",
                text=f"Can you tell me what I should know about {SUBJECTS[i % 8]} before I decide, and what "
                f"most people get wrong? Keep case {i} in mind.",
                category=CATEGORIES[i * 7 % 8],
            )
            for i in range(n)
        )
    )
    models = ("orchard-7b-sft", "orchard-7b-dpo-1.1")
    answers = tuple(
        Answer(
            prompt_id=p.id,
            model=m,
            text="word " * int(rng.integers(90, 260) * (1.0 if k == 0 else 1.16)),
            finish_reason="length" if rng.random() < 0.02 else "stop",
        )
        for p in prompts
        for k, m in enumerate(models)
    )
    dropped = (
        (Dropped(reason="empty"),) * 3 + (Dropped(reason="unpaired"),) * 3 + (Dropped(reason="errored"),)
    )
    responses = Responses(
        prompts=prompts, models=models, answers=answers, dropped=dropped, source="answers.jsonl"
    )
    table: list[dict[str, Any]] = []

    def add(kind: str, name: str, plus: int, minus: int, base: float, **more: Any) -> int:
        delta, lo, hi = interval(n, plus, minus)
        z = abs(plus - minus) / math.sqrt(max(plus + minus, 1))
        p = min(1.0, math.erfc(z / math.sqrt(2)))
        table.append(
            row(
                before=models[0],
                after=models[1],
                kind=kind,
                feature=name,
                rate_before=base,
                rate_after=base + delta,
                delta=delta,
                lo=lo,
                hi=hi,
                p=p,
                q=min(1.0, p * 400),
                n=n,
                n_after=plus,
                n_before=minus,
                delta_length=delta * 0.9,
                p_prefix=p**0.9,
                length="ok",
                replication=round(float(min(1.0, 0.4 + z / 12)), 2),
                per_1000_before=base * 11,
                per_1000_after=(base + delta) * 11,
                **more,
            )
        )
        return len(table) - 1

    leads = []
    statistics = ("presence", "closing", "opening", "log_count", "high_presence", "log_maximum")
    for i in range(30):
        minus = int(rng.integers(3, 40))
        plus = minus + int(130 * 0.9**i + 46)
        if rng.random() < 0.4:
            plus, minus = minus, plus
        kind = ("feature", "feature", "feature", "observable", "lexical", "group")[i % 6]
        base = 0.05 + 0.3 * float(rng.random()) + (0.55 if minus > plus else 0)
        name = BEHAVIOURS[i % 15][0].split()[0] if kind in {"lexical", "observable"} else str(1000 + 37 * i)
        leads.append(add(kind, name, plus, minus, base, statistic=statistics[i % 6]))
    members = {0: [add("feature", str(9000 + k), 90 - k, 12, 0.1) for k in range(4)]}
    aside = [
        add("feature", "77", 140, 22, 0.2, tags="whitespace"),
        add("feature", "78", 170, 41, 0.4, tags="length-driven"),
        add("observable", "words", 201, 97, 0.5, statistic="log_count"),
    ]
    for k in (1, 2):
        table[aside[k]] |= {
            "length": "length-driven",
            "delta_length": 0.012,
            "p_prefix": 0.61,
            "p_firth": 0.4,
        }
    names = (
        "bullets headings tables code_fence latex emoji exclamation apology refusal hedge first_person links"
    )
    for name in names.split():
        plus, minus = (int(v) for v in rng.integers(2, 40, 2))
        add("observable", name, plus, minus, 0.1 + 0.3 * float(rng.random()))
    table.append(
        row(before=models[0], after=models[1], kind="observable", feature="latex_display", reason="too_rare")
    )
    for k in range(60):
        plus, minus = (int(v) for v in rng.integers(1, 30 if k > 8 else 90, 2))
        add("lexical", f"word{k} of" if k % 3 else f"term{k}", plus, minus, 0.2)
    for k in range(900):
        total = int(rng.integers(1, 150))
        add("feature", str(20_000 + k), (plus := int(rng.binomial(total, 0.5))), total - plus, 0.3)
    tags = ((), ("punctuation",), ("markdown", "single-word"), ("newline",), (), ("last-token",))
    items = []
    for i, lead in enumerate(leads):
        label, phrase = BEHAVIOURS[i % 15]
        r = table[lead]
        items.append(
            finding(
                table,
                (lead, *members.get(i, ())),
                label=label if i < 15 else f"{label}, in answers to longer prompts",
                statement=f"After, {label} occurs on {100 * r['rate_after']:.1f} % of prompts, before on "
                f"{100 * r['rate_before']:.1f} %.",
                tags=tags[i % 6],
                notes=(
                    "Fires mostly in the last sentence of the answer.",
                    "The word count of the answers changed too; this row survives when both are cut alike.",
                )[: i % 3],
                agrees=("closing_question",) if i % 5 == 0 else (),
                contradicts=("numbered_items",) if i == 4 else (),
                evidence=_evidence(rng, models, prompts, phrase, few=i % 4 == 3),
            )
        )
    items.sort(key=lambda f: (f.q, -abs(f.delta)))
    slices = pd.DataFrame(
        [
            {
                "kind": f.kind,
                "feature": table[f.rows[0]]["feature"],
                "category": c,
                "n": int(rng.integers(30, 45)),
                "delta": f.delta + float(rng.normal(0, 0.06)),
                "lo": f.delta - 0.16,
                "hi": f.delta + 0.17,
                "p_heterogeneity": 0.04 + 0.01 * k,
            }
            for k, f in enumerate(items[:12])
            for c in CATEGORIES
        ]
    )
    whys = (
        ("blanks at line ends", ("whitespace",), ("Fires on two blanks in a row.",)),
        ("middle of long lists", ("length-driven",), ("Longer answers hold more of everything.",)),
        ("words per answer", (), ()),
    )
    set_aside = tuple(
        finding(
            table,
            (index,),
            label=label,
            tags=tag,
            notes=notes,
            evidence=_evidence(rng, models, prompts, "rinse it .   \n   Then dry", few=False),
        )
        for index, (label, tag, notes) in zip(aside, whys, strict=True)
    )
    k = np.arange(1, 301)
    noise = NoiseFloor(
        discordant=k,
        delta=np.where(k < 16, 1.0, np.minimum(4.1 * np.sqrt(k) / n, 1.0)),
        p=3.1e-5,
        draws=2000,
        any_discovery=0.0235,
        lower=0.0182,
    )
    summary: dict[str, Any] = {
        "before": models[0],
        "after": models[1],
        "alpha": 0.05,
        "n_pairs": n,
        "n_units": n,
        "dropped": {"empty": 3, "prompts_before_only": 2, "prompts_neither": 0},
        "limit": 20,
        "replication_rate": 0.947,
        "replication_slope": 0.911,
        "replication_n": 531,
        "seed": 0,
    }
    diff = diff_of(responses, table, summary=summary, slices=slices, noise=noise)
    return Findings(diff=diff, items=tuple(items), aside=set_aside)


FILLER = (
    "The short answer is that it depends on how long the piece was left outside and on how damp the "
    "season has been . Most people wait too long , and then the work takes twice the time it should . "
    "Start with the part you can see , then turn it over ."
)


def _evidence(
    rng: np.random.Generator, models: tuple[str, ...], prompts: PromptSet, phrase: str, *, few: bool
) -> tuple[Evidence, ...]:
    filler = FILLER.split(" ")
    found = []
    for k, model in enumerate(models):
        for i in range(1 if few and k == 0 else 4):
            cut = int(rng.integers(10, len(filler) - 6))
            middle = phrase.split(" ")
            words = [*filler[:cut], *middle, *filler[cut:]]
            strength = [0.0] * cut + (rng.random(len(middle)) * 9).tolist() + [0.0] * (len(filler) - cut)
            strength = [s if s > 1.5 else 0.0 for s in strength]
            tokens = [w if j == 0 or w in ",.?" else f" {w}" for j, w in enumerate(words)]
            tokens = [t[1:] if t.startswith(" \n") else t for t in tokens]
            found.append(
                Evidence(
                    model=model,
                    prompt_id=prompts.prompts[(cut * 7 + i) % len(prompts)].id,
                    sample=0,
                    tokens=tuple(tokens),
                    activations=tuple(strength),
                    cut_left=i > 0,
                    cut_right=True,
                )
            )
    return tuple(found)


def nothing() -> Findings:
    """A comparison that found no change."""
    found = realistic()
    return Findings(diff=found.diff, items=(), aside=())
