"""Several checkpoints side by side, and trends: cells are the artefact's, drawings stand where the numbers say."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pandas as pd
import pytest
from page_reading import Element, Parser, lively_markdown, one, pp
from report_sample import EVIL, realistic
from series_sample import checkpoints, hostile, trend_of

from whatchanged.artifacts import CHECKPOINT_COLUMNS, Findings
from whatchanged.report import Report, report
from whatchanged.report.curves import Scale, level_curve
from whatchanged.report.numbers import dollars, measure
from whatchanged.report.view import Behaviour, Series


@pytest.fixture(scope="module")
def found() -> Findings:
    return checkpoints(9)


@pytest.fixture(scope="module")
def shown(found: Findings) -> Report:
    return report(found, trend=trend_of(found))


@pytest.fixture(scope="module")
def page(shown: Report) -> Element:
    return Parser(shown.html).root


def shown_as(value: float) -> str:
    """Percentage points; a zero has no sign."""
    return re.sub(r"^[+−](0\.0)$", r"\1", pp(value))


def series_of(shown: Report) -> Series:
    assert shown.page.series is not None
    return shown.page.series


def test_every_behaviour_stands_once_with_a_cell_for_every_checkpoint(
    found: Findings, shown: Report, page: Element
) -> None:
    names = found.diff.responses.models[1:]
    side = found.diff.checkpoints.set_index(["kind", "feature", "after"])
    table = found.diff.table.set_index(["kind", "feature", "after"])
    behaviours = series_of(shown).behaviours
    assert len(behaviours) == len(found.diff.checkpoints) / 9
    rows = list(one(next(one(page, "section", id="checkpoints").all("table")), "tbody").all("tr"))
    marked = 0
    for behaviour, row in zip(behaviours, rows, strict=True):
        lead = next(f for f in found.items if f.label == behaviour.label)
        key = tuple(found.diff.table.iloc[lead.rows[0]][["kind", "feature"]])
        cells = list(row.all("td", class_="point"))
        assert [c.attributes["data-label"] for c in cells] == list(names)
        for cell, after in zip(cells, names, strict=True):
            record, own = side.loc[(*key, after)], table.loc[(*key, after)]
            assert cell.words.startswith(shown_as(record["delta"]))
            assert f"({shown_as(record['lo'])} to {shown_as(record['hi'])})" in cell.attributes["title"]
            is_found = own["q"] <= 0.05 and own["length"] == "ok"
            assert ("off" in cell.attributes["class"].split()) != is_found
            assert ("length-driven" in cell.words) == (own["length"] == "length-driven" and own["q"] <= 0.05)
            marked += is_found
            for link in cell.all("a"):
                card = one(page, "article", id=link.attributes["href"].removeprefix("#"))
                assert f"after: {after}" in card.words
                assert next(card.all("span", class_="text")).words == behaviour.label
    assert marked == len(found.items)


def test_rates_are_shown_only_where_they_are_shares_of_answers(found: Findings, shown: Report) -> None:
    side = found.diff.checkpoints
    for behaviour in series_of(shown).behaviours:
        lead = next(f for f in found.items if f.label == behaviour.label)
        row = found.diff.table.iloc[lead.rows[0]]
        mine = side[(side["kind"] == row["kind"]) & (side["feature"] == row["feature"])]
        counted = mine["statistic"].iloc[0] == "log_count"
        expected = () if counted else (mine["rate_before"].iloc[0], *mine["rate_after"])
        assert behaviour.rates == expected
    # where comparisons have other prompts, the baseline has more than one rate
    moved = side.assign(rate_before=[0.1 + 0.001 * i for i in range(len(side))])
    other = report(replace(found, diff=replace(found.diff, checkpoints=moved)))
    assert all(b.rates == () for b in series_of(other).behaviours)


def test_drawings_stand_where_the_numbers_say(shown: Report) -> None:
    series = series_of(shown)
    ends = [v for b in series.behaviours for c in b.cells for v in (c.lo, c.hi, c.delta)]
    assert series.low <= min(ends) < series.low + 0.05 + 1e-9
    assert series.high >= max(ends) > series.high - 0.05 - 1e-9

    def at(value: float) -> float:
        return 4 + 68 * (series.high - value) / (series.high - series.low)

    for behaviour in series.behaviours:
        base, *points = behaviour.curve.points
        assert (base.x, base.y) == (8, pytest.approx(at(0)))
        assert [p.x for p in points] == pytest.approx([8 + 16 * i for i in range(1, 10)])
        for point, cell in zip(points, behaviour.cells, strict=True):
            assert (point.y, point.lo, point.hi) == pytest.approx((at(cell.delta), at(cell.lo), at(cell.hi)))
            assert point.strong == cell.found
            assert point.sign == ("more" if cell.delta > 0 else "less" if cell.delta < 0 else "same")


def test_a_scale_holds_zero_and_every_end() -> None:
    scale = Scale([0.12, 0.38, math.nan])
    assert (scale.low, scale.high) == (0, pytest.approx(0.4))
    assert (scale.at(0.4), scale.at(0.0)) == (4, 72)
    curve = scale.curve(
        [(0.2, 0.1, 0.3, True), (math.nan, math.nan, math.nan, False), (0.4, 0.4, 0.4, False)]
    )
    assert [p.x for p in curve.points] == [8, 40, 104], "what does not exist leaves its place empty"
    assert [p.y for p in curve.points] == pytest.approx([72, 38, 4])
    assert (Scale([]).low, Scale([]).high) == (0, 0.05)
    levels = level_curve([0.5, 0.5, 0.5], strong=True)
    assert {p.y for p in levels.points} == {38}
    assert [p.y for p in level_curve([1.0, 3.0], strong=True).points] == [72, 4]


def test_trends_stand_with_the_behaviours_and_the_rest_in_a_table(
    found: Findings, shown: Report, page: Element
) -> None:
    trend = trend_of(found)
    series = series_of(shown)
    assert series.trend is not None
    table = trend.table.set_index(["kind", "feature"])

    def slope_of(behaviour: Behaviour) -> pd.Series:
        lead = next(f for f in found.items if f.label == behaviour.label)
        return table.loc[tuple(found.diff.table.iloc[lead.rows[0]][["kind", "feature"]])]

    for behaviour in series.behaviours:
        row, slope = slope_of(behaviour), behaviour.slope
        assert slope is not None
        factor = 1 if row["statistic"] == "log_count" else 100
        assert (slope.value, slope.lo, slope.hi) == pytest.approx(tuple(factor * row[["slope", "lo", "hi"]]))
        assert slope.unit == ("log units" if factor == 1 else "pp")
        assert slope.found == (row["q"] <= 0.05)
    assert [(line.label, line.kind) for line in series.trend.lines] == [
        ("feature 4711", "feature"),
        ("null", "lexical"),
    ]
    section = one(page, "section", id="checkpoints").words
    for text in (section, shown.markdown.replace("**", "")):
        assert "31 of 490 rows have a trend on 120 prompts that all answered" in text
        assert "5 more are explained by length or cannot be told apart from it" in text
        assert "one in 1,814,400 is monotone by chance" in text
        assert "orchard-sft-step-4500 (4,500)" in text
    assert "69, 12 of 120" in section or "70, 12 of 120" in section


def test_an_order_that_nobody_tested_says_how_to_test_it(found: Findings) -> None:
    shown = report(found)
    for text in (shown.html, shown.markdown):
        assert "whatchanged trend RUN --order A,B,C" in text
    assert "Slope per step" not in shown.html


def test_two_checkpoints_have_no_such_section() -> None:
    shown = report(realistic())
    assert shown.page.series is None
    assert 'id="checkpoints"' not in shown.html
    assert 'href="#checkpoints"' not in shown.html
    assert "side by side" not in shown.markdown


def test_a_row_merged_into_another_behaviour_is_not_repeated(found: Findings) -> None:
    first, *rest = found.items
    table = found.diff.table
    lead = table["feature"].iloc[first.rows[0]]
    other = next(f for f in rest if table["feature"].iloc[f.rows[0]] != lead)
    merged = replace(first, rows=(*first.rows, *other.rows))
    shown = report(replace(found, items=(merged, *rest)))
    before = [b.label for b in series_of(report(found)).behaviours]
    assert [b.label for b in series_of(shown).behaviours] == [n for n in before if n != other.label]


def test_an_old_comparison_is_asked_to_be_made_again(found: Findings) -> None:
    old = replace(found.diff, checkpoints=pd.DataFrame(columns=list(CHECKPOINT_COLUMNS)))
    for text in (report(replace(found, diff=old)).html, report(replace(found, diff=old)).markdown):
        assert "whatchanged compare RUN" in text


def test_the_table_fits_two_checkpoints_and_ten() -> None:
    for k in (2, 5, 9):
        words = one(Parser(report(checkpoints(k)).html).root, "section", id="checkpoints").words
        cells = words.split("Trend")[0].split("Behaviour", 1)[1]
        assert bool(re.search(r"to [+−]?\d+\.\d q \d", cells)) == (k == 2), "q has room beside few"


def test_hostile_checkpoints_are_nothing_but_text() -> None:
    bad = checkpoints(9, texts=EVIL)
    shown = report(bad, hypotheses=hostile(bad), trend=trend_of(bad))
    page = Parser(shown.html).root
    assert len(list(page.all("script"))) == 1
    assert not list(page.all("img"))
    assert not [k for e in page.all() for k in e.attributes if k.startswith("on")]
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    shown.html.encode("utf-8")
    assert not lively_markdown(shown.markdown)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (measure(0.0308), "+0.0308"),
        (measure(-0.00012), "−1.2e-4"),
        (measure(12345.0), "+1.23e+04"),
        (measure(0.0), "0"),
        (measure(math.nan), "–"),
        (dollars(1234.5), "$1,234.5000"),
        (dollars(None), "–"),
    ],
)
def test_slopes_and_costs_are_written_as_the_page_promises(written: str, expected: str) -> None:
    assert written == expected
