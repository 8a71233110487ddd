"""Observables on hand-written answers: what is found, where, and what must not be found."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatchanged.artifacts import Answer, Occurrences, Prompt, PromptSet, Responses
from whatchanged.text import OBSERVABLE_WORDS, OBSERVABLES, families, observables
from whatchanged.text.document import Document
from whatchanged.text.observables import measure


def found(text: str, cut: bool | None = None) -> dict[str, tuple[float, int, int]]:
    """Amount, first and last word of everything in a text, by name."""
    names = tuple(OBSERVABLES)
    return {names[e.column]: (e.amount, e.first, e.last) for e in measure(Document(text, cut))}


def pair(before: list[str], after: list[str], reasons: tuple[str | None, ...] = (None,)) -> Responses:
    prompts = tuple(Prompt(id=f"q{i:02}", text=f"Question {i}") for i in range(len(before)))
    answers = tuple(
        Answer(prompt_id=p.id, model=model, text=text, finish_reason=reasons[i % len(reasons)])
        for model, texts in (("old", before), ("new", after))
        for i, (p, text) in enumerate(zip(prompts, texts, strict=True))
    )
    return Responses(prompts=PromptSet(prompts=prompts), models=("old", "new"), answers=answers)


COUNTED = [
    ("numbered_items", "Steps:\n1. Rinse\n2) Dry\n  **3.** Fold\n### 4. Store", 4),
    ("numbered_items", "In\n1984. was long ago, and 3.5 litres\n2.5 more", None),
    ("bullets", "- oats\n* milk\n• figs\n  + salt", 4),
    ("bullets", "* * *\n---\n- - -\n-5 degrees\n*emphasis* here", None),
    ("bold", "A **big** claim and a __bold__ one, **two words** too", 3),
    ("bold", "2 ** 3 ** 4 and call(**kwargs) and snake__case__name", None),
    ("headings", "# Title\ntext\n### Part", 2),
    ("headings", "#hashtag and C# code\nissue #4", None),
    ("tables", "Prices:\n\n| item | price |\n| --- | ---: |\n| tea | 2 |\n\nfin", 1),
    ("tables", "a | b\nnot | a table\n---\n", None),
    ("code_fences", "Run:\n```sh\nls\n```\nthen\n~~~\npwd\n~~~\n", 2),
    ("code_fences", "Use `ls` or ```pwd``` inline", None),
    ("latex", "So $x^2$ and $$a+b$$ and \\(y\\) and \\frac{1}{2}", 4),
    ("latex", "It costs $5 or $10, maybe $7.50/$8.50 each", None),
    ("emoji", "Done 🎉 well 👩‍🚀 in 🇫🇷 👍🏽", 4),
    ("emoji", "5 * 3 © ™ → done", None),
    ("exclamation_marks", "Wow! Really?! Yes!!", 4),
    ("exclamation_marks", "a != b and ![picture](http://x.org/a!b.png) and $n!$", None),
    ("closing_question", 'That is all. Shall I go on?"** 😊', 1),
    ("closing_question", "Why? Because it rains.", None),
    ("opening_phrase", "Certainly! It rains.", 1),
    ("opening_phrase", "**Great question!** It rains.", 1),
    ("opening_phrase", "Of course, it may rain.", 1),
    ("opening_phrase", "Sure enough it rained. Certainly.", None),
    ("opening_phrase", "Absolutely nothing rhymes with month.", None),
    ("apology", "I’m so sorry, and I sincerely apologise.", 2),
    ("apology", "A sorry sight.", None),
    ("refusal", "I can’t help with that. I'm unable to provide it. We must decline.", 3),
    ("refusal", "I can help. You cannot assist them. I can't wait.", None),
    ("hedges", "Perhaps it MIGHT rain; it may snow, I think.", 4),
    ("hedges", "On 3 May it rained, mighty hard.", None),
    ("first_person", "I wrote my answer; I'm fond of it, and so is me.", 4),
    ("first_person", "World War I ended. Henry I. A thing called mine shaft? No: minority.", 1),
    ("as_an_ai", "As an AI language model, I don't have personal opinions.", 2),
    ("as_an_ai", "As an engineer with AI experience, she has opinions.", None),
    ("links", "See https://a.org/x, [this](https://b.org) and www.c.org.", 3),
    ("links", "See a.org or [brackets] (aside).", None),
    ("double_spaces", "One.  Two   three", 2),
    ("double_spaces", "  indented\n-   item\n1.  item\nline break  \n| a   |  b |", None),
    ("non_english", "It rains. Me gusta que el gato y la luna son para todos. 今日は雨が降ります。", 2),
    ("inline_code", "Use `ls -l` or ``a b`` and ```pwd``` here", 3),
    ("inline_code", "The 5` mark\n```sh\n`ls`\n```", None),
    ("question_marks", "Why? Who?! 何？", 3),
    ("question_marks", "See https://a.org/?q=1 and `a ? b : c` and $x_1?$ and [a?](https://b.org).", None),
    ("parentheses", "Oats (rolled) and （生姜） and a (two-part (nested)) one", 3),
    ("parentheses", "f(x) and item(s), a) one, 2) two :) [this](https://b.org/a_(b)) and $(x+y)^2$", None),
    ("quotations", 'She said "no" and “yes”, „nein“, «non» and 「いいえ」.', 5),
    ("quotations", 'A 5" disk and a 6" one; it\'s \'fine\'; `print("a")`', None),
    ("em_dashes", "One—two — three -- four – five", 4),
    ("em_dashes", "A well-known 5–7 range, pages 3 – 9, a --flag\n---\n- item\n– item", None),
    ("ellipses", "Well... and so… on. . . Then 。。。", 4),
    ("ellipses", "One. Two.. 3.5 and `a...b`\n```\n...\n```", None),
    ("capitals", "It is NOT safe: NEVER do it. IMPORTANT: READ THE MANUAL FAST", 7),
    (
        "capitals",
        "NASA and HTML use a PDF in WWII, UNESCO, RNBQKBNR, I, II, XVIII; `SELECT ALL FROM`; https://A.ORG/NOT",
        None,
    ),
    ("praise", "Great question! Your idea is really brilliant. You’re absolutely right.", 3),
    ("praise", "A great idea changed science. The question is good. He was right, and so are you.", None),
    ("safety_notes", "Please note: consult a licensed doctor. This is not legal advice.", 3),
    ("safety_notes", "The doctor noted the important advice; safety matters.", None),
    ("closing_offer", "Tea is hot. I hope this helps! Feel free to ask more.", 2),
    ("closing_offer", "Let me know if you agree. Tea is hot. It comes from China. Milk is cold.", None),
    ("repeated_sentences", "Tea is hot now. Milk is cold.\n- tea is **hot** now!\nTEA is hot  now", 1),
    ("repeated_sentences", "See you. See you. Run `ls a` in here now. Run `ls b` in here now.", None),
    ("british_spelling", "The colour of travelling theatre programmes; organised, realising, behaviour.", 7),
    (
        "british_spelling",
        "Exercise your promise, analyses, surprise, four hours, labor, glamour and parallelism.",
        None,
    ),
    ("paragraphs", "One.\n\nTwo.\n \n\nThree.\nStill three.\n\n", 2),
    ("paragraphs", "\n\nOne.\nTwo.\n```\na\n\nb\n```", None),
    ("template_leak", "Fine.\nUser: more\n**Assistant:** ok\n<|im_end|>\n### Response:\nYes </s>", 5),
    (
        "template_leak",
        "The user: a person. I said User: no. `</s>` and <b> or ### Responses\nUsers: many",
        None,
    ),
    ("non_english", "The Greek α and the word que. El Niño and la Niña are in Peru.", None),
]


@pytest.mark.parametrize(("name", "text", "count"), COUNTED)
def test_count(name: str, text: str, count: int | None) -> None:
    assert found(text).get(name, (None,))[0] == count


def test_every_counted_observable_has_a_positive_and_a_negative_case() -> None:
    counted = {name for name, o in OBSERVABLES.items() if o.spans and name != "truncation"}
    assert counted == {name for name, _, n in COUNTED if n}
    assert counted - {"first_person"} == {name for name, _, n in COUNTED if n is None}


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_nothing_inside_code_counts(fence: str) -> None:
    inside = (
        "# head\n- item\n1. item\n**bold** wow! 😊  two\n| a | b |\n|---|---|\nhttps://x.org $x^2$ I think"
    )
    closed = found(f"Look\n{fence}\n{inside}\n{fence}\nover")
    assert set(closed) == {"code_fences", "words", "sentence_length"}
    left_open = found(f"Look\n{fence}\n{inside}")
    assert set(left_open) == {"code_fences", "words", "sentence_length", "truncation"}


def test_positions_count_words() -> None:
    text = "Zero one **two three** four\n- six seven!"
    marks = found(text)
    assert marks["bold"] == (1, 2, 3)
    assert marks["bullets"] == (1, 5, 6), "the bullet is word 5, its first letter stands in word 6"
    assert marks["exclamation_marks"] == (1, 7, 7)
    assert marks["words"] == (8, 0, 7)
    assert found("a b c d?")["closing_question"] == (1, 3, 3)
    assert found(" Sure, a b")["opening_phrase"] == (1, 0, 0)


def test_characters_without_spaces_are_words() -> None:
    assert found("今日は。 ok")["words"][0] == 4


def test_sentence_length_is_the_mean_over_complete_sentences() -> None:
    assert found("One two three. Four five? Dr. Six and e.g. seven are eight words here now.")[
        "sentence_length"
    ][0] == pytest.approx((3 + 2 + 10) / 3)
    assert found("One two three. An unfinished tail that")["sentence_length"][0] == 3
    assert found("no stop at all")["sentence_length"][0] == 4
    assert "sentence_length" not in found("😊")


@pytest.mark.parametrize(
    ("text", "cut", "expected"),
    [
        ("The long and winding road leads to the", None, True),
        ("The long and winding road leads to your door.", None, False),
        ("Buy:\n- milk\n- bread", None, False),
        ("```py\nprint(1)\n", None, True),
        ("```py\nprint(1)\n```", None, False),
        ("Ends well.", True, True),
        ("The long and winding road leads to the", False, False),
    ],
)
def test_truncation(text: str, cut: bool | None, expected: bool) -> None:
    assert ("truncation" in found(text, cut)) == expected


def row(table: Occurrences, i: int) -> dict[str, float]:
    entries = slice(int(table.indptr[i]), int(table.indptr[i + 1]))
    return {
        table.name(int(c)): float(m)
        for c, m in zip(table.column[entries], table.maximum[entries], strict=True)
    }


def test_table_has_a_row_per_answer() -> None:
    responses = pair(["Hi! Yes!", "Fine."], ["Hello.", "Ok?"])
    table = observables(responses)
    assert [a.text for a in responses.answers] == ["Hi! Yes!", "Hello.", "Fine.", "Ok?"]
    assert row(table, 0)["exclamation_marks"] == 2
    assert "exclamation_marks" not in row(table, 1)
    assert "closing_question" in row(table, 3)
    assert table.n_units.tolist() == [2, 1, 1, 1]
    assert (table.kind, table.graded, table.names) == ("observable", False, tuple(OBSERVABLES))
    for i in range(4):
        columns = table.column[table.indptr[i] : table.indptr[i + 1]]
        assert np.all(np.diff(columns) > 0)
    assert np.all(table.first <= table.last)
    assert np.all(table.last < table.n_units[table.row])


def test_both_sides_are_judged_by_one_truncation_rule() -> None:
    text = "The long and winding road leads to the"
    told = observables(pair([text], [text], ("stop",)))
    assert "truncation" not in row(told, 0)
    assert "truncation" in row(observables(pair([text], [text], ("length",))), 0)
    partly = observables(pair([text, "Yes."], [text, "No."], ("stop", None)))
    assert "truncation" in row(partly, 0), "one answer without a reason: the text decides for all"


def test_registry_is_described() -> None:
    assert set(OBSERVABLE_WORDS) == set(OBSERVABLES)
    for observable in OBSERVABLES.values():
        assert observable.description
        assert observable.words
        assert all(w == w.lower() for w in observable.words)
        assert (observable.spans is None) != (observable.amount is None)
    words = [w for o in OBSERVABLES.values() for w in o.words]
    assert len(words) == len(set(words)), "a word names one observable"


WORDING = {"apology", "as_an_ai", "british_spelling", "closing_offer", "first_person", "hedges"} | {
    *("opening_phrase", "praise", "refusal", "safety_notes")
}


@pytest.mark.parametrize(
    "text",
    [
        "Il me semble que le programme de la semaine est dans le centre, et vous organisez les jeux pour nous.",
        "Das ist eine gute Frage und ich habe sie nicht mit dem Programm von mir für die Kinder.",
        "Me gusta que el color de la casa y el jardín es para todos los niños.",
        "今日は雨が降ります。私は家にいます。",
        "我认为这是一个很好的问题。对不起，我不能帮助你。",
    ],
)
def test_english_wording_is_not_read_into_other_languages(text: str) -> None:
    marks = found(text)
    assert "non_english" in marks
    assert not WORDING & set(marks)


def test_the_english_part_of_a_mixed_answer_still_counts() -> None:
    text = "I am sorry. Il me semble que le programme de la semaine est dans le centre pour vous. My colour."
    marks = found(text)
    assert (marks["first_person"][0], marks["apology"][0], marks["british_spelling"][0]) == (2, 1, 1)


def test_a_phrase_names_one_observable_in_one_sense() -> None:
    senses = [w for o in OBSERVABLES.values() for w in (*o.words, *o.opposites)]
    assert len(senses) == len(set(senses))
    assert all("-" not in w for w in senses), "hyphens of a label are read as blanks"


TEXTS = [text for _, text, _ in COUNTED]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_swapped_and_shuffled_answers_have_the_same_observables(data: st.DataObject) -> None:
    sides = data.draw(
        st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)), min_size=1, max_size=5)
    )
    before, after = [a for a, _ in sides], [b for _, b in sides]
    plain, swapped = observables(pair(before, after)), observables(pair(after, before))
    order = data.draw(st.permutations(range(len(sides))))
    shuffled = observables(pair([before[i] for i in order], [after[i] for i in order]))
    for i in range(len(sides)):
        # answers stand in the order before, after within each prompt
        assert cells(plain, 2 * i) == cells(swapped, 2 * i + 1)
        assert cells(plain, 2 * i + 1) == cells(swapped, 2 * i)
        assert cells(plain, 2 * order[i]) == cells(shuffled, 2 * i)


def cells(table: Occurrences, i: int) -> list[tuple[float, ...]]:
    at = slice(int(table.indptr[i]), int(table.indptr[i + 1]))
    parts = (table.column, table.maximum, table.count, table.total, table.first, table.last)
    return [*zip(*(part[at].tolist() for part in parts), strict=True), (float(table.n_units[i]),)]


def test_families_are_observables_then_terms() -> None:
    assert [f.kind for f in families(pair(["Yes."], ["No."]))] == ["observable", "lexical"]


@pytest.mark.parametrize("loop", ["!", "…", "  ", "\t", "\n", "😊", "**", "\\[", "_", "[a](", "a.", "|-"])
def test_a_model_stuck_in_a_loop_is_measured_in_linear_time(loop: str) -> None:
    text = "x" + loop * (40_000 // len(loop)) + "x"
    start = time.process_time()
    assert found(text)["words"][0] >= 1
    assert time.process_time() - start < 3, "a backtracking pattern would take half a minute"
