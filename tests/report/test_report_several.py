"""The report of a baseline against two checkpoints, and on which prompts findings moved."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_sample import diff_of, finding, row

from whatchanged.artifacts import (
    CONDITION_COLUMNS,
    Answer,
    Diff,
    Findings,
    NoiseFloor,
    Prompt,
    PromptSet,
    Responses,
)
from whatchanged.report import Report, report

MODELS = ("base", "step 1", "step 2")


def noise(any_discovery: float) -> NoiseFloor:
    return NoiseFloor(
        discordant=np.arange(1, 21),
        delta=np.where(np.arange(1, 21) < 12, 1.0, 0.3),
        p=1e-3,
        draws=500,
        any_discovery=any_discovery,
        lower=any_discovery / 2,
    )


def condition(**values: object) -> dict[str, object]:
    base: dict[str, object] = {
        "after": "step 2",
        "kind": "lexical",
        "feature": "sure",
        "attribute": "word",
        "value": "poem",
        "asked": "occurrence",
        "n_in": 10,
        "delta_in": 0.9,
        "lo_in": 0.6,
        "hi_in": 1.0,
        "n_out": 30,
        "delta_out": 0.1,
        "p": 1e-6,
        "q": 1e-4,
        "questions": 50,
    }
    assert values.keys() <= base.keys()
    return base | values


def several(conditions: list[dict[str, object]]) -> Findings:
    """One word that both later checkpoints use more, with one comparison's numbers unlike the other's."""
    prompts = PromptSet(prompts=tuple(Prompt(id=f"p{i}", text=f"question {i}") for i in range(40)))
    answers = tuple(Answer(prompt_id=p.id, model=m, text=f"well {m}") for p in prompts for m in MODELS)
    responses = Responses(prompts=prompts, models=MODELS, answers=answers)
    table = [
        row(
            before="base",
            after=after,
            kind="lexical",
            feature="sure",
            rate_before=0.0,
            rate_after=delta,
            delta=delta,
            lo=delta - 0.1,
            hi=delta + 0.1,
            p=p,
            q=2 * p,
            n=40,
            n_after=round(40 * delta),
            length="ok",
        )
        for after, delta, p in (("step 1", 0.2, 1e-3), ("step 2", 0.3, 1e-5))
    ]
    table.append(table[0] | {"feature": "well", "length": "length-driven"})
    each = {
        after: {"n_pairs": 40 - k, "n_units": 40 - k, "limit": 12 + k, "replication_rate": rate,
                "replication_slope": 0.9, "replication_n": 7}
        for k, (after, rate) in enumerate(zip(MODELS[1:], (0.75, math.nan), strict=True))
    }  # fmt: skip
    summary = {
        "before": "base", "afters": list(MODELS[1:]), "alpha": 0.05, "n_pairs": 39, "n_units": 39, "limit": 13,
        "comparisons": each,
    }  # fmt: skip
    plain = diff_of(responses, table, summary=summary, noise=noise(0.02))
    diff = Diff(
        features=plain.features,
        families=plain.families,
        table=plain.table,
        noise=plain.noise,
        slices=plain.slices,
        summary=summary,
        noises={"step 1": noise(0.02), "step 2": noise(0.04)},
        conditions=pd.DataFrame(conditions, columns=list(CONDITION_COLUMNS)),
    )
    items = tuple(finding(table, (i,), id=f"lexical:sure@{MODELS[i + 1]}") for i in (1, 0))
    aside = (finding(table, (2,), id="lexical:well@step 1", tags=("length-driven",)),)
    return Findings(diff=diff, items=items, aside=aside)


@pytest.fixture(scope="module")
def made() -> Report:
    return report(several([condition()]))


def test_each_comparison_has_its_own_numbers(made: Report) -> None:
    page = made.page
    assert page.head.afters == ("step 1", "step 2")
    assert [(t.after, t.any_discovery, t.replication, t.limit) for t in page.trust] == [
        ("step 1", 0.02, 0.75, 12),
        ("step 2", 0.04, None, 13),
    ]
    assert (page.limit, page.limit_share) == (13, 13 / 39)
    assert [length.after for length in page.lengths] == ["step 1", "step 2"]
    for text in (made.html, made.markdown):
        assert "in 2 comparisons" in text
        assert "prompts that both answered (q" not in text


def test_each_comparison_has_its_own_floor_with_its_own_findings(made: Report) -> None:
    assert [(f.after, [m.delta for m in f.marks]) for f in made.page.floors] == [
        ("step 1", [0.2, 0.2]),  # the row set aside and the finding
        ("step 2", [0.3]),
    ]
    assert made.html.count("<figure") == 2
    assert 'id="floor-title"' in made.html
    assert 'id="floor-title-2"' in made.html


def test_every_table_says_which_checkpoint(made: Report) -> None:
    lines = made.markdown.splitlines()
    assert any(line.startswith("| 1 | sure | lexical | step 2 |") for line in lines)
    assert any(line.startswith("| well | lexical | step 1 |") for line in lines)
    trust = [line for line in lines if line.startswith("**Trust.**")]
    assert [line.split(":")[0] for line in trust] == ["**Trust.** step 1", "**Trust.** step 2"]
    aside = made.html[made.html.index('id="aside"') :]
    assert '<td data-label="After">step 1</td>' in aside[: aside.index("</table>")]


def test_the_folder_has_it_all(made: Report, tmp_path: Path) -> None:
    made.save(tmp_path)
    assert (tmp_path / "figures" / "noise_floor.png").stat().st_size > 10_000
    assert pd.read_csv(tmp_path / "diff.csv")["after"].tolist() == ["step 1", "step 2", "step 1"]
    ids = [f["id"] for f in json.loads((tmp_path / "findings.json").read_text("utf-8"))["findings"]]
    assert ids == ["lexical:sure@step 2", "lexical:sure@step 1"]


def test_conditions_stand_on_the_card_they_belong_to(made: Report) -> None:
    first, second = made.page.cards
    assert [c.words for c in first.conditions] == ["Mostly on prompts with the word \u201cpoem\u201d"]
    assert second.conditions == ()
    said = "Mostly on prompts with the word \u201cpoem\u201d: +90"
    assert said in made.html
    assert said in made.markdown


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"attribute": "category", "value": "code"}, "Mostly on prompts of the category \u201ccode\u201d"),
        # 3 of 3 + 4.5 net prompts: more there, but not most of it.
        (
            {"delta_in": 0.3, "lo_in": 0.1, "delta_out": 0.15},
            "More on prompts with the word \u201cpoem\u201d",
        ),
        (
            {
                "delta_in": 0.0,
                "lo_in": -0.2,
                "hi_in": 0.2,
                "delta_out": 0.4,
                "attribute": "length",
                "value": "short",
            },
            "Less on the shortest third of the prompts",
        ),
        (
            {
                "delta_in": -0.5,
                "lo_in": -0.8,
                "hi_in": -0.2,
                "delta_out": 0.5,
                "attribute": "length",
                "value": "long",
            },
            "The other way on the longest third of the prompts",
        ),
    ],
)
def test_words_say_how_the_change_depends_on_prompts(values: dict[str, object], words: str) -> None:
    made = report(several([condition(**values)]))
    assert [c.words for c in made.page.cards[0].conditions] == [words]


def test_hostile_words_of_prompts_do_not_break_the_page() -> None:
    made = report(several([condition(value="<script>window.evil=1</script>")]))
    assert "<script>window.evil" not in made.html
    assert "&lt;script&gt;window.evil=1" in made.html
