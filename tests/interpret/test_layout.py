"""Words, sentences and token positions, by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from whatchanged.interpret.layout import lay_out, token_offsets
from whatchanged.interpret.matches import observable_spans, term_spans
from whatchanged.text import OBSERVABLES
from whatchanged.text.document import Document
from whatchanged.text.lexical import terms
from whatchanged.text.words import locate, word_starts


def test_sentences_and_lines_by_hand() -> None:
    layout = lay_out("Yes! It works.\n1. Wash it\n\nDone")
    assert [layout.text[s:e] for s, e in zip(layout.start, layout.end, strict=True)] == [
        *("Yes!", "It", "works.", "1.", "Wash", "it", "Done")
    ]
    assert layout.sentence.tolist() == [0, 1, 1, 2, 2, 2, 3]
    assert layout.line.tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_an_occurrence_speaks_for_its_sentence_and_three_words_around() -> None:
    layout = lay_out("One two three four. Five six seven eight nine ten eleven.\nTwelve thirteen.")
    covered = layout.around(np.array([1]))
    # the rest of its sentence, and word 4 because it is within three words on the same line
    assert np.flatnonzero(covered).tolist() == [0, 1, 2, 3, 4]
    # a line break stops the reach: word 11 is near, but on the next line
    assert np.flatnonzero(layout.around(np.array([10]))).tolist() == [4, 5, 6, 7, 8, 9, 10]


def test_reach_ends_after_twelve_words_of_a_long_sentence() -> None:
    layout = lay_out(" ".join(["word"] * 40))
    assert np.flatnonzero(layout.around(np.array([20]))).tolist() == list(range(8, 33))


def test_token_offsets_pass_over_what_is_not_in_the_text() -> None:
    text = "So 👍 good"
    start, end = token_offsets(text, ["So", " ", "\ufffd", "\ufffd", " good"])
    assert [text[s:e] for s, e in zip(start, end, strict=True)] == ["So", " ", "", "", " good"]


def test_an_answer_without_words_has_one() -> None:
    assert len(lay_out("   ")) == 1


MARKUP = st.text(alphabet="ab Cé1.-*#?!\n'’_`·", max_size=60)


@given(MARKUP)
@settings(max_examples=300, deadline=None)
def test_every_term_of_the_lexical_table_is_found_where_it_says(text: str) -> None:
    table, _ = terms(text)
    starts = word_starts(text)
    found: dict[str, list[tuple[int, int]]] = {}
    for term, span in term_spans(text, table):
        found.setdefault(term, []).append(span)
    assert found.keys() == table.keys()
    for term, (count, first, _) in table.items():
        assert len(found[term]) == count
        # the table gives openings position 0, and a paragraph break the word before it
        if starts and not term.startswith("^"):
            place = locate(found[term], starts)
            assert place is not None
            assert place[0] <= first + 1


def test_observables_are_found_where_they_stand() -> None:
    text = "**Bold** here.\n- one\n- two\nShall we go on?"
    found = {name: observable_spans(name, Document(text)) for name in OBSERVABLES}
    assert [text[s:e] for s, e in found["bold"]] == ["**Bold**"]
    assert len(found["bullets"]) == 2
    assert [text[s:e] for s, e in found["closing_question"]] == ["?"]
    assert found["words"] == []
