from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import combinations, pairwise

import pytest

from whatchanged.artifacts import Prompt
from whatchanged.prompts import bank_categories, bank_entries, prompt_bank
from whatchanged.text import clusters
from whatchanged.text.document import Document
from whatchanged.text.duplicates import shingles
from whatchanged.text.language import non_english


def of(category: str) -> list[Prompt]:
    return [e for e in bank_entries() if e.category == category]


def test_bank_is_large_balanced_and_says_what_each_prompt_reveals() -> None:
    entries = bank_entries()
    counts = Counter(e.category for e in entries)
    assert len(entries) >= 330
    assert len(counts) >= 16
    assert min(counts.values()) >= 16
    assert max(counts.values()) <= 1.5 * min(counts.values())
    assert len({e.id for e in entries}) == len(entries)
    for e in entries:
        assert e.reveals is not None, e.id
        assert e.reveals.strip(), e.id
        assert e.text == e.text.strip()
        assert e.id.rsplit("-", 1)[0] == str(e.category).replace("_", "-")


def test_no_two_prompts_are_nearly_the_same() -> None:
    entries = bank_entries()
    assert clusters([e.text for e in entries], threshold=0.5) == list(range(len(entries)))
    sets = {e.id: shingles(e.text) for e in entries}
    alike = [
        (a, b, len(x & y) / len(x | y))
        for (a, x), (b, y) in combinations(sets.items(), 2)
        if len(x & y) > 0.4 * len(x | y)
    ]
    assert alike == []


def test_no_category_is_made_from_one_template() -> None:
    for category in bank_categories():
        openings = Counter(" ".join(e.chat[-1].content.lower().split()[:2]) for e in of(category))
        opening, n = openings.most_common(1)[0]
        assert n <= 0.3 * openings.total(), (category, opening)


def test_lengths_vary() -> None:
    words = {e.id: len(e.text.split()) for e in bank_entries()}
    short = [n for i, n in words.items() if not i.startswith("long-context")]
    assert sum(n <= 15 for n in short) >= 60
    assert sum(n >= 40 for n in short) >= 40
    for e in of("long_context"):
        assert 400 <= len(e.text.split()) <= 1000, e.id


def test_chats_alternate_end_with_the_user_and_are_shown_whole() -> None:
    chats = [e for e in bank_entries() if e.messages]
    assert sum(e.category == "multi_turn" for e in chats) >= 16
    assert sum(e.chat[0].role == "system" for e in chats) >= 8
    for e in chats:
        roles = [m.role for m in e.chat if m.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], e.id
        assert all(m.content in e.text for m in e.chat)
    for e in of("multi_turn"):
        assert len(e.chat) >= 3, e.id


def test_other_languages_are_many_and_really_other() -> None:
    entries = of("non_english")
    languages = {e.reveals.split(":")[0] for e in entries if e.reveals}
    assert len(languages) >= 8
    scripts = {unicodedata.name(c).split()[0] for e in entries for c in e.text if c.isalpha()}
    assert {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "HANGUL", "HIRAGANA", "CJK"} <= scripts
    foreign = [e for e in entries if non_english(Document(e.text))]
    assert len(foreign) >= 0.5 * len(entries)  # the shortest sentences cannot be told


@pytest.mark.parametrize("n", [1, 15, 40, 150])
def test_samples_are_balanced(n: int) -> None:
    counts = Counter(p.category for p in prompt_bank(n, seed=3))
    sizes = [counts[c] for c in bank_categories()]
    assert sum(sizes) == n
    assert max(sizes) - min(sizes) <= 1


def test_samples_of_some_categories_are_balanced_and_keep_their_order() -> None:
    some = ["safety", "multi_turn", "code"]
    drawn = prompt_bank(20, categories=some, seed=8)
    assert sorted(Counter(p.category for p in drawn).values()) == [6, 7, 7]
    assert [p.id for p in drawn] == [e.id for e in bank_entries() if e.id in drawn.by_id]
    everything = prompt_bank(20 * len(bank_categories()) // 3, seed=8)
    assert {p.id for p in everything if p.category in some} <= {
        p.id for p in prompt_bank(24, categories=some, seed=8)
    }
    assert "safety,multi_turn,code" in drawn.source


def test_samples_are_seeded_and_nested() -> None:
    def ids(n: int | None, seed: int) -> list[str]:
        return [p.id for p in prompt_bank(n, seed=seed)]

    assert ids(50, 1) == ids(50, 1)
    assert ids(50, 1) != ids(50, 2)
    for small, large in pairwise((10, 33, 34, 90, None)):
        assert set(ids(small, 5)) <= set(ids(large, 5))
    assert ids(None, 0) == ids(None, 9) == [e.id for e in bank_entries()]


@pytest.mark.parametrize("n", [0, -1, 10_000])
def test_too_many_or_too_few_names_the_range(n: int) -> None:
    with pytest.raises(ValueError, match=r"ask for 1 to \d+"):
        prompt_bank(n)


def test_wrong_categories_name_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"no category \['cats'\] in the bank; choose from reasoning, code"):
        prompt_bank(3, categories=["code", "cats"])
    with pytest.raises(ValueError, match=r"write \['code'\]"):
        prompt_bank(3, categories="code")
    with pytest.raises(ValueError, match="no category was given"):
        prompt_bank(3, categories=[])
    with pytest.raises(ValueError, match=r"code hold \d+ prompts; got n=300"):
        prompt_bank(300, categories=["code"])
