"""Numbers and texts as they are written: hand-worked strings, laws over every character."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_sample import EVIL

from whatchanged.report.escape import inline, stretch
from whatchanged.report.numbers import number, percent, pixel, points, probability, signed
from whatchanged.report.visible import clip, first_words, line, show_space, visible

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.1234), "12.3\u00a0%"),
        (percent(0.0), "0.0\u00a0%"),
        (percent(1.0), "100.0\u00a0%"),
        (percent(math.nan), "–"),
        (points(0.125), "+12.5\u00a0pp"),
        (points(-0.05), "−5.0\u00a0pp"),
        (points(-0.0001), "0.0\u00a0pp"),
        (points(math.nan), "–"),
        (signed(-0.101), "−10.1"),
        (probability(1.23e-9), "1.2e-9"),
        (probability(9.99e-4), "1.0e-3"),
        (probability(0.0496), "0.0496"),
        (probability(0.05), "0.05"),
        (probability(1.0), "1"),
        (probability(0.0), "0"),
        (probability(1e-300), "1.0e-300"),
        (probability(math.nan), "–"),
        (number(1234), "1,234"),
        (number(243.5), "243.5"),
        (number(-3.0), "−3"),
        (number(math.inf), "–"),
        (pixel(12.0), "12"),
        (pixel(12.34), "12.3"),
    ],
)
def test_numbers_are_written_as_the_page_promises(written: str, expected: str) -> None:
    assert written == expected


def test_hidden_characters_are_spelled_out() -> None:
    assert visible("a\u202eb\x00c\ud800") == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+D800⟩"
    assert visible("zero\u200bwidth\ufeff") == "zero⟨U+200B⟩width⟨U+FEFF⟩"
    assert visible("tag\U000e0041") == "tag⟨U+E0041⟩"
    assert visible("one\r\ntwo\rthree\tfour") == "one\ntwo⟨U+000D⟩three\tfour"


def test_joiners_stay_in_emoji_and_scripts_and_show_beside_ascii() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert visible(family) == family
    assert visible("می\u200cخواهم") == "می\u200cخواهم"
    assert visible("pass\u200dword") == "pass⟨U+200D⟩word"


@settings(deadline=None)
@given(ANY)
def test_nothing_invisible_survives(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    kinds = {c: unicodedata.category(c) for c in shown if c not in "\n\t\u200c\u200d"}
    assert not [c for c, kind in kinds.items() if kind in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
    assert visible(shown) == shown


def test_white_space_is_drawn_only_where_it_matters() -> None:
    assert show_space(" the") == " the"
    assert show_space(" ") == "␣"
    assert show_space("  \n") == "␣␣↵\n"
    assert show_space(".  ") == ".␣␣"
    assert show_space("\tx") == "⇥x"


def test_long_texts_are_cut_and_say_so() -> None:
    assert clip("abc", 3) == ("abc", 0)
    assert clip("abcdef", 4) == ("abcd", 2)
    assert line("a\n\n  b\t c") == "a b c"
    assert len(line("y" * 100_000, 50)) == 50
    assert line("y" * 100_000, 50).endswith("…")
    assert first_words("one two three four", 12) == "one two…"
    assert first_words("short") == "short"
    assert line("5\u00a0% of it") == "5\u00a0% of it"


MARKDOWN = MarkdownIt("gfm-like", {"linkify": False}).enable("table")


def _kinds(source: str) -> set[str]:
    found = set()
    for token in MARKDOWN.parse(source):
        found.add(token.type)
        found |= {child.type for child in token.children or ()}
    return found


def _said(source: str) -> str:
    """The text a reader of the rendered markdown sees."""
    inlines = [t for t in MARKDOWN.parse(source) if t.type == "inline"]
    return "".join(
        child.content if child.type in {"text", "text_special"} else "\n"
        for token in inlines
        for child in token.children or ()
    )


@pytest.mark.parametrize("text", EVIL)
def test_hostile_text_in_markdown_is_nothing_but_text(text: str) -> None:
    source = inline(line(text))
    assert _kinds(f"{source}") <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    assert _said(str(source)) == line(text)


@settings(deadline=None)
@given(ANY)
def test_any_text_in_a_markdown_cell_stays_in_its_cell(text: str) -> None:
    shown = visible(text).replace("\n", " ↵ ").replace("\t", " ").strip()
    table = f"| a | b |\n|---|---|\n| x{inline(text)} | end |\n"
    assert "html_inline" not in _kinds(table)
    cells = [t.content for t in MARKDOWN.parse(table) if t.type == "inline"]
    assert len(cells) == 4
    assert cells[3] == "end"
    assert _said(f"x{inline(text)}").rstrip() == f"x{shown}".rstrip()


@settings(deadline=None)
@given(ANY)
def test_a_token_never_closes_its_brackets_or_starts_a_block(text: str) -> None:
    source = f"* a  \n  “{stretch(text)}⟦{stretch(text)}⟧”"
    assert _kinds(source) <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "text_special",
        "hardbreak", "paragraph_close", "list_item_close", "bullet_list_close",
    }  # fmt: skip
