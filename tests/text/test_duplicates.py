"""Near-duplicates are merged; what merely shares a template is not; the index misses nothing."""

import random

import pytest

from whatchanged.text import clusters, jaccard
from whatchanged.text.duplicates import (
    _same_content,
    _tokens,
    near_duplicates,
    overlap,
    repeated,
    shingles,
)

LONG = "Read the passage with care, weigh both sides of the matter, and then answer in two short paragraphs. "

SAME = [
    ("What is the tallest mountain in Peru?", "what is the  tallest mountain in Peru"),
    ("Write a poem about autumn leaves in the park.", "Please write a poem about autumn leaves in the park!"),
    ("Hello, kindly write a haiku. Thanks!", "Write a haiku"),
    ("Explain how vaccines train the immune system", "Explain how vacines train the immune system"),
    ("Suggest a well-known novel for a long journey", "Suggest a well known novel for the long journey"),
]
DIFFERENT = [
    ("What is the tallest mountain in Peru?", "What is the tallest mountain in Chile?"),
    (LONG + "Topic: cats", LONG + "Topic: dogs"),
    (LONG + "What is 17 + 25?", LONG + "What is 17 + 26?"),
    (LONG + "What is 17 + 25?", LONG + "What is 17 * 25?"),
    (LONG + "Say what is true.", LONG + "Say what is not true."),
    (LONG + "With sugar.", LONG + "Without sugar."),
    ("Is x < 3?", "Is x > 3?"),
    ("Hello", "Thanks"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_near_duplicates_are_merged(a: str, b: str) -> None:
    assert clusters([a, "Something else entirely", b]) == [0, 1, 0]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_templated_prompts_are_not(a: str, b: str) -> None:
    assert clusters([a, b]) == [0, 1]


def test_a_chain_is_one_cluster() -> None:
    chain = [
        "Describe three colourful harbours",
        "Describe three colorful harbours",
        "Describe three colorful harbors",
    ]
    assert (0, 2) not in set(near_duplicates(chain))
    assert clusters(chain) == [0, 0, 0]


def test_jaccard_by_hand() -> None:
    assert jaccard("abcdef", "ABCDEFG.") == pytest.approx(2 / 3)
    assert jaccard("", "!?") == 1
    assert jaccard("abcdef", "uvwxyz") == 0


def test_the_index_finds_what_all_pairs_find() -> None:
    rng = random.Random(5)
    words = ["river", "stone", "cloud", "amber", "violet", "harbour", "lantern", "meadow", "please", "the"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 9))) for _ in range(120)]
    texts += [text.title() for text in texts[:20]]
    for threshold in (0.5, 0.7, 1.0):
        expected = {
            (i, j)
            for j in range(len(texts))
            for i in range(j)
            if jaccard(texts[i], texts[j]) >= threshold
            and _same_content(_tokens(texts[i]), _tokens(texts[j]))
        }
        assert len(expected) >= 20
        assert set(near_duplicates(texts, threshold=threshold)) == expected


def test_edges() -> None:
    assert clusters([]) == []
    assert clusters(["Name a hill", "Name a lake"] * 2000) == [0, 1] * 2000
    assert clusters(["", "  "]) == [0, 0]
    with pytest.raises(ValueError, match=r"above 0 and at most 1; got 0; 0\.7"):
        clusters(["a"], threshold=0)


def test_what_comes_again_in_another_group() -> None:
    long = (
        "The harbour lies still and the lanterns are lit along the quay while the boats come home, one by one"
    )
    texts = [
        long,
        long + ".",
        "no such thing",
        long.replace("one by one", "two by two"),
        "no such thing",
        "alone",
    ]
    sets = [shingles(t) for t in texts]
    # 83 letters without the articles: 79 shingles, of which the last ten differ; 69 / 89.
    assert [round(overlap(sets[0], s), 2) for s in sets] == [1.0, 1.0, 0.0, 0.78, 0.0, 0.0]
    assert repeated(sets, [1, 2, 3, 4, 5, 6]) == [True, True, True, False, True, False]
    assert repeated(sets, [1, 1, 3, 4, 3, 6]) == [False] * 6, "likeness within a group does not count"
    assert repeated(sets, [1, 1, 3, 4, 3, 6], threshold=0.75) == [True, True, False, True, False, False]
    assert repeated(sets[::-1], [6, 5, 4, 3, 2, 1]) == repeated(sets, [1, 2, 3, 4, 5, 6])[::-1]


def test_repeats_agree_with_comparing_every_pair() -> None:
    draw = random.Random(5)
    words = ["amber", "silver", "quiet", "open", "green", "hill", "lake", "road", "door", "boat"]
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 6))) for _ in range(120)]
    sets, groups = [shingles(t) for t in texts], [draw.randrange(20) for _ in texts]
    for threshold in (0.3, 0.6, 0.9):
        expected = [
            any(g != h and overlap(x, y) >= threshold for y, h in zip(sets, groups, strict=True))
            for x, g in zip(sets, groups, strict=True)
        ]
        assert 0 < sum(expected) < len(texts)
        assert repeated(sets, groups, threshold=threshold) == expected
