"""Secrets in pieces."""

from __future__ import annotations

import base64
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from whatchanged.llm.redact import Redactor
from whatchanged.llm.scattered import redact_scattered

KEY = "sk-or-v1-9f8e7d6c5b4a39281706f5e4d3c2b1a0XyZ"
REDACTOR = Redactor({"KEY": KEY})


@settings(deadline=None)
@given(
    st.lists(st.integers(1, len(KEY) - 1), min_size=1, max_size=6),
    st.sampled_from(["", "\n", "'", " ,", "\x1b[31m"]),
)
def test_however_a_secret_is_split_no_long_part_is_left(cuts: list[int], between: str) -> None:
    bounds = [0, *sorted(cuts), len(KEY)]
    pieces = [between + KEY[a:b] + between for a, b in pairwise(bounds)]
    told = "".join(redact_scattered(REDACTOR, pieces))
    assert not any(KEY[at : at + 10] in told for at in range(len(KEY) - 9))
    assert "[KEY]" in told


def test_halves_with_words_between_them_and_other_forms() -> None:
    assert redact_scattered(REDACTOR, [f"first {KEY[:20]}\n", f"then {KEY[20:]}"]) == [
        "first [KEY]\n",
        "then [KEY]",
    ]
    coded = base64.b64encode(f"Bearer {KEY}!".encode()).decode()
    inner = base64.b64encode(KEY.encode()).decode()
    for text in (coded, KEY.encode().hex(), KEY[::-1], inner[::-1]):
        told = "".join(redact_scattered(REDACTOR, [text[:30], text[30:]]))
        assert "[KEY]" in told
        assert not any(text[at : at + 14] in told for at in range(len(text) - 14))


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_texts_without_secrets_are_left_as_they_are(pieces: list[str]) -> None:
    assert redact_scattered(REDACTOR, pieces) == pieces
    assert redact_scattered(Redactor({}), pieces) == pieces


def test_what_stands_around_is_kept_to_the_letter() -> None:
    text = f"a = '{KEY[:9]}' \\\n    '{KEY[9:]}'  # note"
    assert redact_scattered(REDACTOR, [text, "next"]) == ["a = '[KEY]'  # note", "next"]
