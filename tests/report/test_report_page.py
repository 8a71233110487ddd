"""The page says what the artefact says, and model text is only ever text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import report_sample as sample
from page_reading import Element, Parser, lively_markdown, one, pp
from report_sample import EVIL, evil, nothing, realistic

from whatchanged.artifacts import (
    DIFF_COLUMNS,
    Answer,
    Evidence,
    Findings,
    Prompt,
    PromptSet,
    Responses,
)
from whatchanged.report import Report, report
from whatchanged.report.visible import line


@pytest.fixture(scope="module")
def found() -> Findings:
    return realistic()


@pytest.fixture(scope="module")
def shown(found: Findings) -> Report:
    return report(found, date="2026-01-31")


@pytest.fixture(scope="module")
def page(shown: Report) -> Element:
    return Parser(shown.html).root


@pytest.fixture(scope="module")
def hostile() -> Report:
    return report(evil())


def test_every_row_of_the_table_is_the_artefacts_row(found: Findings, page: Element) -> None:
    rows = list(one(one(page, "table", id="table"), "tbody").all("tr"))
    assert len(rows) == len(found.items) == 30
    for rank, (row, finding) in enumerate(zip(rows, found.items, strict=True), 1):
        record = found.diff.table.iloc[finding.rows[0]]
        cells = {c.attributes["data-label"]: c for c in row.all() if "data-label" in c.attributes}
        assert cells["#"].words == str(rank)
        assert cells["Finding"].words.startswith(finding.label)
        assert f" {finding.kind}" in cells["Finding"].words.replace(finding.label, " ")
        assert all(tag in cells["Finding"].words for tag in finding.tags)
        assert cells["Change"].words == ("▲ more" if finding.delta > 0 else "▼ less")
        before, after = 100 * record["rate_before"], 100 * record["rate_after"]
        assert cells["Before → after"].words == f"{before:.1f}\u00a0%→{after:.1f}\u00a0%"
        assert cells["Δ"].words == f"{pp(record['delta'])}\u00a0pp {pp(record['lo'])} to {pp(record['hi'])}"
        assert float(cells["Δ"].attributes["data-value"]) == record["delta"]
        assert float(cells["q"].attributes["data-value"]) == record["q"]
        assert float(cells["q"].words) == pytest.approx(record["q"], rel=0.05)
        assert cells["Replicates"].words == f"{100 * record['replication']:.1f}\u00a0%"


def test_forest_plots_stand_where_the_numbers_say(found: Findings, page: Element) -> None:
    ticks = [s.text for s in next(one(page, "section", id="findings").all("span", class_="axis")).all("span")]
    limit = float(ticks[2]) / 100
    assert ticks == [f"−{ticks[2]}", "0", ticks[2]]
    reach = max(abs(v) for f in (*found.items, *found.aside) for v in (f.lo, f.hi))
    assert reach <= limit <= 1.0
    for row, finding in zip(one(one(page, "table", id="table"), "tbody").all("tr"), found.items, strict=True):
        svg = one(row, "svg")
        for part, value in (("dot", finding.delta), ("range", finding.lo)):
            x = float(one(svg, "line", class_=part).attributes["x1"])
            assert (x - 100) / 94 * limit == pytest.approx(value, abs=limit * 0.06 / 94)
        assert float(one(svg, "line", class_="range").attributes["x2"]) == pytest.approx(
            100 + 94 * finding.hi / limit, abs=0.06
        )


def test_the_summary_is_made_from_the_numbers(found: Findings, page: Element) -> None:
    summary = one(page, "section", id="summary").words
    tested = int(found.diff.table["p"].notna().sum())
    assert f"30 behaviours changed, of {tested:,} rows tested on 300 prompts" in summary
    top = list(one(one(page, "section", id="summary"), "ol").all("li"))
    for item, finding in zip(top, found.items[:8], strict=True):
        expected = f"{finding.label} {pp(finding.delta)}\u00a0pp {pp(finding.lo)} to {pp(finding.hi)}"
        assert item.words == expected
    assert "and 22 more" in summary
    assert "2.4\u00a0% of 2,000 reports discover anything (95 % lower bound 1.8\u00a0%" in summary
    assert "Of 531 discoveries made on one half of the prompts alone, 94.7\u00a0% are confirmed" in summary
    assert "keep 91.1\u00a0% of their size" in summary
    assert "2 significant rows were set aside: 2 explained by length, 0 where" in summary
    assert "detected from 20 prompts that all change in one direction (6.7\u00a0% of 300)" in summary


def test_lengths_are_those_of_the_answers(found: Findings, page: Element) -> None:
    by_model: dict[str, list[int]] = {}
    for answer in found.diff.responses.answers:
        by_model.setdefault(answer.model, []).append(len(answer.text.split()))
    before, after = by_model.values()
    middle = [sorted(v)[149] / 2 + sorted(v)[150] / 2 for v in (before, after)]
    longer = sum(b < a for b, a in zip(before, after, strict=True)) / 3
    text = one(page, "section", id="summary").words
    assert f"{middle[0]:g} tokens before and {middle[1]:g} after" in text
    assert f"longer after on {longer:.1f}\u00a0% of 300 prompts" in text


def test_the_head_counts_what_was_left_out(found: Findings, page: Element) -> None:
    head = one(page, "header", class_="page").words
    assert "3 empty · 1 errored · 3 without a partner · 2 prompts only before answered" in head
    tiles = {one(t, "dt").text: one(t, "dd").text for t in one(page, "dl", class_="tiles").all("div")}
    assert tiles == {
        "prompts": "300",
        "answers": "600",
        "prompts paired": "300",
        "rows tested": f"{found.diff.table['p'].notna().sum():,}",
        "findings": "30",
        "set aside": "3",
    }
    assert "5f3a90c2d1b7e864" in head
    assert "2026-01-31" in head
    assert "explained_variance" in head


def test_nothing_found_names_what_could_have_been(page: Element) -> None:
    text = Parser(report(nothing()).html).root
    summary = one(text, "section", id="summary").words
    assert "No behaviour change was found among 1,009 rows" in summary
    assert "smallest change that would have been detectable here is 20 prompts, 6.7\u00a0%" in summary
    assert not list(text.all("table", id="table"))
    assert "No behaviour change was found" in report(nothing()).markdown


def test_too_few_prompts_are_said_to_be_too_few() -> None:
    found = evil()
    empty = report(replace(found, items=(), aside=()))
    for text in (Parser(empty.html).root.words, empty.markdown):
        assert "No change could have been detected here: that takes 18 prompts" in text


def test_cards_show_both_sides_with_their_activations(found: Findings, page: Element) -> None:
    for rank, finding in enumerate(found.items, 1):
        card = one(page, "article", id=f"finding-{rank}")
        assert one(card, "p", class_="statement").words == line(finding.statement, 1200)
        assert all(note in card.words for note in finding.notes)
        top = max(a for e in finding.evidence for a in e.activations)
        for side, model in zip(("before", "after"), found.diff.responses.models, strict=True):
            column = one(card, "section", class_=side)
            evidence = [e for e in finding.evidence if e.model == model]
            quotes = list(column.all("blockquote"))
            assert len(quotes) == len(evidence)
            for quote, e in zip(quotes, evidence, strict=True):
                marks = list(quote.all("mark"))
                active = [a for a in e.activations if a > 0]
                assert [m.attributes["title"] for m in marks] == [f"{a:.3g} of {top:.3g}" for a in active]
                alphas = [float(m.attributes["style"].removeprefix("--a:")) for m in marks]
                assert alphas == [pytest.approx(0.12 + 0.88 * a / top, abs=0.0051) for a in active]
                plain = quote.text.strip("…").replace("↵", "").replace("␣", " ")
                assert plain == "".join(e.tokens)


def test_members_slices_and_contradictions_are_on_the_card(found: Findings, page: Element) -> None:
    lead = next(i for i, f in enumerate(found.items, 1) if len(f.rows) > 1)
    members = one(one(page, "article", id=f"finding-{lead}"), "details", class_="members")
    assert "4 redundant rows" in members.words
    names = [found.diff.table["feature"].iloc[i] for i in found.items[lead - 1].rows[1:]]
    assert [t.words for t in one(members, "tbody").all("th")] == [f"feature {n}" for n in names]
    slices = one(one(page, "article", id="finding-1"), "details", class_="slices")
    table = found.diff.slices
    mine = table[table["feature"] == found.diff.table["feature"].iloc[found.items[0].rows[0]]]
    assert [t.words for t in one(slices, "tbody").all("th")] == mine["category"].tolist()
    assert f"p that they differ: {mine['p_heterogeneity'].iloc[0]:g}" in slices.words
    warned = [i for i, f in enumerate(found.items, 1) if f.contradicts]
    assert ["which moved the other way" in one(page, "article", id=f"finding-{i}").words for i in warned] == [
        True
    ]


def test_rows_set_aside_say_why(page: Element) -> None:
    rows = list(one(next(one(page, "section", id="aside").all("table")), "tbody").all("tr"))
    whys = [one(r, "td", class_="why").words for r in rows]
    assert whys[0] == "fires on blanks, which is no behaviour"
    assert all(w.startswith("explained by length") for w in whys[1:])


def test_observables_are_all_there_whether_they_changed_or_not(found: Findings, page: Element) -> None:
    table = found.diff.table
    expected = set(table[table["kind"] == "observable"]["feature"])
    rows = list(one(one(page, "section", id="observables"), "tbody").all("tr"))
    assert {next(r.all("span", class_="text")).text for r in rows} == expected
    assert len(rows) == len(expected)
    assert [r for r in rows if "too rare to test" in r.words]
    words = table[(table["kind"] == "lexical") & (table["q"] <= 0.05)]
    assert (
        f"{len(words)} of {(table['kind'] == 'lexical').sum()} words"
        in one(page, "section", id="words").words
    )


def test_every_mark_of_the_noise_floor_is_a_finding(found: Findings, page: Element) -> None:
    titles = [one(c, "title").text for c in one(page, "section", id="floor").all("circle")]
    assert len(titles) == len(found.items) + len(found.aside)
    for finding in found.items:
        record = found.diff.table.iloc[finding.rows[0]]
        count = record["n_before"] + record["n_after"]
        assert f"{finding.label}: {pp(finding.delta)}\u00a0pp on {count} discordant prompts" in titles


def test_every_column_of_the_table_is_explained(page: Element) -> None:
    terms = [t.text for t in one(page, "dl", class_="columns").all("code")]
    assert terms == list(DIFF_COLUMNS)


def test_equal_findings_give_equal_reports(shown: Report) -> None:
    again = report(realistic(), date="2026-01-31")
    assert again.html == shown.html
    assert again.markdown == shown.markdown
    assert repr(again.page) == repr(shown.page)


def test_the_page_stays_small(shown: Report, hostile: Report) -> None:
    assert 100_000 < len(shown.html) < 1_500_000
    assert len(hostile.html) < 1_000_000, "100 kB lines are cut"


def test_no_element_comes_from_model_text(hostile: Report, shown: Report) -> None:
    bad, good = Parser(hostile.html).root, Parser(shown.html).root
    assert {e.tag for e in bad.all()} <= {e.tag for e in good.all()}
    assert len(list(bad.all("script"))) == 1
    assert next(bad.all("script")).text == next(good.all("script")).text
    assert not list(bad.all("img"))
    handlers = [k for e in bad.all() for k in e.attributes if k.startswith("on")]
    assert handlers == []
    links = {a.attributes["href"][0] for a in bad.all("a")}
    assert links == {"#"}
    ids = [e.attributes["id"] for e in bad.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_hostile_text_is_shown_in_full(hostile: Report) -> None:
    words = Parser(hostile.html).root.words
    for text in EVIL:
        assert line(text, 60).rstrip("…") in words
    assert "⟨U+202E⟩" in words
    assert "⟨U+D800⟩" in words
    assert "more characters" in words
    hostile.html.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", hostile.html)


def test_the_policy_lets_only_the_pages_own_script_run(shown: Report) -> None:
    page = Parser(shown.html).root
    (policy,) = [
        m.attributes["content"]
        for m in page.all("meta")
        if m.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].startswith("'sha256-")
    assert rules["img-src"] == "data:"
    outside = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!#)(?:https?:)?//", shown.html)
    assert outside == []


def test_hostile_markdown_renders_to_text_only(hostile: Report) -> None:
    assert not lively_markdown(hostile.markdown)
    tables = [len(t.split("|")) for t in hostile.markdown.splitlines() if t.startswith("| # |")]
    assert tables
    hostile.markdown.encode("utf-8")


def test_markdown_says_the_same_numbers(found: Findings, shown: Report) -> None:
    for finding in found.items:
        expected = f"{pp(finding.delta)}\u00a0pp ({pp(finding.lo)} to {pp(finding.hi)})"
        assert shown.markdown.count(expected) >= 2, "in the table and in its section"


def test_the_notebook_frame_is_sandboxed(hostile: Report, shown: Report) -> None:
    frame = Parser(hostile._repr_html_()).root
    elements = list(frame.all())
    assert [e.tag for e in elements] == ["iframe"]
    assert elements[0].attributes["sandbox"] == "allow-scripts"
    assert Parser(shown._repr_html_()).root.children[0].attributes["srcdoc"] == shown.html  # type: ignore[union-attr]


def test_a_finding_of_another_diff_is_refused(found: Findings) -> None:
    first = found.items[0]
    with pytest.raises(ValueError, match=r"says delta = .* interpret this diff again"):
        report(replace(found, items=(replace(first, delta=first.delta + 0.01),)))
    with pytest.raises(ValueError, match=r"names row 99999, but the diff has"):
        report(replace(found, items=(replace(first, rows=(99_999,)),)))
    with pytest.raises(ValueError, match="names no row"):
        report(replace(found, items=(replace(first, rows=()),)))


def test_missing_numbers_are_dashes_not_nan(shown: Report, hostile: Report) -> None:
    for text in (shown.html, shown.markdown, hostile.html):
        assert not re.search(
            r"\bnan\b|\binf\b|None\b|−0\.0\b", re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.S)
        )


def test_two_checkpoints_against_one_baseline_are_told_apart() -> None:
    models = ("base", "first", "second")
    prompts = PromptSet(prompts=tuple(Prompt(id=f"p{i}", text=f"Question {i}") for i in range(4)))
    answers = tuple(
        Answer(prompt_id=p.id, model=m, text="word " * (10 + 5 * k))
        for p in prompts
        for k, m in enumerate(models)
        if not (m == "second" and p.id == "p3")
    )
    table = [
        sample.row(
            before="base", after=after, kind="observable", feature="links", n=4, n_after=3, n_before=1,
            rate_before=0.25, rate_after=0.25 + delta, delta=delta, lo=delta - 0.2, hi=delta + 0.2,
            p=0.001, q=q,
        )
        for after, delta, q in (("first", 0.5, 0.01), ("second", 0.25, 0.02))
    ]  # fmt: skip
    evidence = tuple(
        Evidence(model=m, prompt_id="p0", sample=0, tokens=(f"of {m}",), activations=(1.0,)) for m in models
    )
    items = tuple(sample.finding(table, (i,), id=f"links:{i}", evidence=evidence) for i in (0, 1))
    diff = sample.diff_of(Responses(prompts=prompts, models=models, answers=answers), table, summary={})
    page = Parser(report(Findings(diff=diff, items=items)).html).root
    assert one(page, "h1").words == "base → first, second"
    rows = list(one(one(page, "table", id="table"), "tbody").all("tr"))
    cells = [[c.words for c in r.all("td") if c.attributes["data-label"] == "After"] for r in rows]
    assert cells == [["first"], ["second"]]
    for rank, after in ((1, "first"), (2, "second")):
        quotes = [q.words for q in one(page, "article", id=f"finding-{rank}").all("blockquote")]
        assert quotes == ["of base", f"of {after}"]
    summary = one(page, "section", id="summary").words
    assert "first: The median answer has 10 tokens before and 15 after." in summary
    assert "second: The median answer has 10 tokens before and 20 after." in summary
    assert "longer after on 100.0\u00a0% of 3 prompts" in summary
