"""Hypotheses and label scores on the page: the artefact's numbers, and nothing looks better than it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from page_reading import Element, Parser, lively_markdown, one, pp
from report_sample import EVIL, evil, realistic
from series_sample import checked, hostile, hypothesis, scored

from whatchanged.artifacts import Findings, Hypotheses
from whatchanged.report import Report, report
from whatchanged.report.visible import line


@pytest.fixture(scope="module")
def found() -> Findings:
    return scored(realistic())


@pytest.fixture(scope="module")
def shown(found: Findings) -> Report:
    return report(found, hypotheses=checked(found))


@pytest.fixture(scope="module")
def page(shown: Report) -> Element:
    return Parser(shown.html).root


def _rows(page: Element) -> list[Element]:
    return list(one(one(page, "section", id="hypotheses"), "tbody").all("tr"))


def test_every_hypothesis_is_the_artefacts_what_was_verified_first(
    found: Findings, shown: Report, page: Element
) -> None:
    made = {h.behaviour: h for h in checked(found)}
    order = []
    for row in _rows(page):
        cells = {c.attributes["data-label"]: c for c in row.all() if "data-label" in c.attributes}
        h = made[one(cells["Hypothesis"], "span", class_="claim").words]
        order.append(h.verdict)
        assert cells["Verdict"].words.split(" ", 1)[1] == h.verdict.replace("_", " ")
        side = found.diff.responses.models[h.direction > 0]
        assert f"said to be more in {side}" in cells["Hypothesis"].words
        if h.n:
            assert cells["Δ"].words == f"{pp(h.delta)}\u00a0pp {pp(h.lo)} to {pp(h.hi)}"
            assert h.method in cells["Hypothesis"].words
            assert float(cells["q"].words) == pytest.approx(h.q)
        else:
            assert (cells["Δ"].words, cells["q"].words) == ("–", "–")
            assert not list(cells["95 % interval"].all("svg"))
        pairs = cells["Held-out pairs"].words.replace("\u00a0", " ")
        ties = h.n - h.n_after - h.n_before
        assert pairs.startswith(f"{h.n_after} after {ties} tie")
        assert f"{h.n_before} before" in pairs
        assert (f"{h.missing} missing" in pairs) == (h.missing > 0)
        widths = [float(r.attributes["width"]) for r in cells["Held-out pairs"].all("rect")]
        assert sum(widths) == pytest.approx(100, abs=0.3)
        assert widths[0] == pytest.approx(100 * (h.n_after or h.missing) / (h.n + h.missing), abs=0.06)
    assert order == ["verified", "verified", "contradicted", "unconfirmed", "not_judged"]
    said = one(page, "section", id="hypotheses").words
    assert "2 of 5 hypotheses are verified; 1 contradicted, 1 unconfirmed, 1 not judged." in said
    assert "2 of 5 hypotheses are verified" in one(page, "section", id="summary").words
    assert "**2 of 5 hypotheses are verified**; 1 contradicted" in shown.markdown


def test_a_hypothesis_links_the_cards_of_its_findings(found: Findings, page: Element) -> None:
    first, *_, last = _rows(page)
    links = [(a.attributes["href"], a.words.replace("\u00a0", " ")) for a in first.all("a")]
    assert links == [
        ("#finding-1", f"#1 {found.items[0].label}"),
        ("#finding-6", f"#6 {found.items[5].label}"),
    ]
    assert not list(last.all("a")), "a finding of the discovery half alone has no card"
    assert "feature:99999999 (no finding of all prompts)" in last.words
    for href, _ in links:
        assert one(page, "article", id=href.removeprefix("#"))


def test_a_row_that_was_merged_leads_to_the_card_it_is_on(found: Findings) -> None:
    lead = next(f for f in found.items if len(f.rows) > 1)
    member = found.diff.table.iloc[lead.rows[2]]
    made = Hypotheses(items=(hypothesis(1, "verified", 30, 2, findings=(f"feature:{member['feature']}",)),))
    (link,) = report(found, hypotheses=made).page.hypotheses.items[0].links  # type: ignore[union-attr]
    assert link.label == lead.label
    assert link.anchor == f"finding-{found.items.index(lead) + 1}"


def test_who_was_asked_and_what_it_took(page: Element, shown: Report) -> None:
    said = one(page, "section", id="hypotheses").words
    for text in (said, shown.markdown):
        assert "acme/writer-1: 1 call, 3 malformed, 402,118 + 9,007 tokens, $0.0012" in text
        assert (
            "acme/judge-2: 812 calls, 40 answers kept from before, failed: timeout (2), 3 malformed" in text
        )
        assert "5 questions unanswered, 402,118 + 9,007 tokens, $0.0432" in text
        assert "references to findings that do not exist (1)" in text


def test_without_models_it_says_that_it_was_counted(found: Findings) -> None:
    made = Hypotheses(items=(hypothesis(1, "verified", 30, 2, method="counted: bullets"),))
    for text in (report(found, hypotheses=made).html, report(found, hypotheses=made).markdown):
        assert "counting; no model was asked" in text
        assert "counted: bullets" in text
        assert "1 of 1 hypothesis is verified" in text


def test_prompts_that_discovery_saw_verify_nothing(found: Findings) -> None:
    made = checked(found)
    stale = Hypotheses(
        items=tuple(replace(h, verdict="consistent") for h in made), summary={**made.summary, "fresh": False}
    )
    shown = report(found, hypotheses=stale)
    section = one(Parser(shown.html).root, "section", id="hypotheses").words
    assert "None of 5 hypotheses are verified; 5 consistent." in section
    for text in (section, shown.markdown):
        assert "nothing here is verified" in text
        assert "held-out prompts that had no part" not in text


def test_without_hypotheses_it_says_how_to_get_them(found: Findings) -> None:
    shown = report(found)
    section = one(Parser(shown.html).root, "section", id="hypotheses").words
    assert section.startswith("Hypotheses No hypotheses were made.")
    for text in (section, shown.markdown):
        assert "whatchanged interpret RUN --hypotheses" in text
    none = report(found, hypotheses=Hypotheses(items=(), summary={"dropped": {"nothing_to_count": 4}}))
    assert "No hypothesis could be made (findings that leave nothing to count (4))" in none.html


def test_a_label_no_better_than_a_coin_is_marked_wherever_it_stands(found: Findings, page: Element) -> None:
    mark = "label not to be trusted"
    top = list(one(one(page, "section", id="summary"), "ol").all("li"))
    rows = list(one(one(page, "table", id="table"), "tbody").all("tr"))
    cards = [one(page, "article", id=f"finding-{i}") for i in (1, 2, 3)]
    for places in (top, rows, cards):
        assert [mark in p.words for p in places[:3]] == [False, True, False]
    good, poor, unscored = cards
    scores = [p.words.replace("\u00a0", " ") for p in good.all("p", class_="score")]
    assert scores == [
        "tells held-out texts apart: 84.0 % (77.0 % to 89.0 %; 150 decisions, 2 missing)",
        "picks the right tokens: 79.0 % (66.0 % to 88.0 %; 52 decisions)",
    ]
    assert not list(good.all("p", class_="bad"))
    (bad,) = poor.all("p", class_="bad")
    assert "55.0\u00a0% (47.0\u00a0% to 63.0\u00a0%" in bad.words
    assert bad.attributes["title"].startswith("detection by acme/judge-2")
    assert not list(unscored.all("p", class_="score"))
    dot, coin = (float(one(bad, "line", class_=c).attributes["x1"]) for c in ("dot", "coin"))
    assert (dot, coin) == (pytest.approx(100 + 94 * 0.1, abs=0.06), 100), "the axis runs from 0 to 1"
    edge = replace(found.items[0].label_score, lo=0.5)  # type: ignore[type-var]
    shown = report(replace(found, items=(replace(found.items[0], label_score=edge), *found.items[1:])))
    assert shown.page.rows[0].bad_label, "an interval that touches one half is no evidence for the label"
    assert f"{found.items[1].label} (**{mark}**)" in report(found).markdown


def test_hostile_hypotheses_are_nothing_but_text() -> None:
    shown = report(evil(), hypotheses=hostile(evil()))
    page, plain = (
        Parser(shown.html).root,
        Parser(report(realistic(), hypotheses=checked(realistic())).html).root,
    )
    assert {e.tag for e in page.all()} <= {e.tag for e in plain.all()}
    assert len(list(page.all("script"))) == 1
    assert not [k for e in page.all() for k in e.attributes if k.startswith("on")]
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    section = one(page, "section", id="hypotheses")
    assert {a.attributes["href"] for a in section.all("a")} == {"#finding-1"}
    for text in EVIL:
        assert line(text, 60).rstrip("…") in section.words
    assert not lively_markdown(shown.markdown)
    table = [r for r in shown.markdown.splitlines() if re.match(r"\| (\*\*verified\*\*|\*[a-z ]+\*) \|", r)]
    assert [len(re.findall(r"(?<!\\)\|", r)) for r in table] == [8] * 10
