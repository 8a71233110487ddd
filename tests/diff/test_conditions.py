"""On which prompts a behaviour changed."""

from dataclasses import replace

import numpy as np
from synthetic import features, null_pair, plant

from whatchanged.artifacts import CONDITION_COLUMNS, Prompt, PromptSet
from whatchanged.diff import compare
from whatchanged.diff.attributes import attributes
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.conditions import ask, conditions
from whatchanged.diff.units import pair

QUICK = {"extra": [], "draws": 20, "splits": 1}
WORDS = ("poem", "code", "tax", "garden", "rust", "piano", "bread", "law")


def _prompts(n, texts=None):
    return [Prompt(id=f"p{i:03}", text=texts[i] if texts else f"text number{i}") for i in range(n)]


def _texts(rng, n):
    """Distinct prompts, each with a few of the words."""
    return [
        " ".join([f"question{i}", *rng.choice(WORDS, size=int(rng.integers(1, 4)), replace=False)])
        for i in range(n)
    ]


def test_attributes_are_shared_by_five_and_lacked_by_five():
    texts = [f"id{i} " + "long " * (i % 3 * 4) + ("poem please" if i < 6 else "") for i in range(30)]
    prompts = [
        Prompt(id=f"p{i:03}", text=t, category="rare" if i < 4 else "usual") for i, t in enumerate(texts)
    ]
    made = features(null_pair(np.random.default_rng(0), 30, 2), 2, prompts=prompts)
    found = attributes(made.responses, pair(made.responses, "old", "new"))
    by_name = dict(zip(found.names, found.member, strict=True))
    # Neither "rare" nor "usual" (4 and 26), and "please" has the very units of "poem".
    assert set(by_name) == {("length", "short"), ("length", "long"), ("word", "long"), ("word", "please")}
    assert by_name["word", "please"].tolist() == [i < 6 for i in range(30)]
    assert by_name["word", "long"].tolist() == [i % 3 > 0 for i in range(30)]
    assert not (by_name["length", "short"] & by_name["length", "long"]).any()


def test_a_change_on_some_prompts_only_names_them():
    rng = np.random.default_rng(1)
    texts = _texts(rng, 80)
    documents = null_pair(rng, 80, 10, rate=0.002)
    for i, text in enumerate(texts):
        if "poem" in text:
            documents[f"p{i:03}", "new", 0] = plant(documents[f"p{i:03}", "new", 0], 0, [20, 26])
    diff = compare(features(documents, 10, prompts=_prompts(80, texts)), **QUICK)
    assert list(diff.conditions.columns) == list(CONDITION_COLUMNS)
    row = diff.conditions.iloc[0]
    assert (row["feature"], row["attribute"], row["value"]) == ("0", "word", "poem")
    assert row["asked"] == "occurrence"
    assert row["n_in"] == sum("poem" in t for t in texts)
    assert row["n_in"] + row["n_out"] == 80
    assert row["lo_in"] <= row["delta_in"] <= row["hi_in"]
    assert row["delta_in"] > 0.8
    assert row["delta_out"] < 0.1
    assert (diff.conditions["q"] <= 0.05).all()


def test_where_both_directions_occur_the_direction_is_asked_about():
    rng = np.random.default_rng(2)
    documents = null_pair(rng, 90, 6, rate=0.002)
    prompts = []
    for i in range(90):
        prompts.append(Prompt(id=f"p{i:03}", text=f"text number{i}", category="prose" if i < 20 else "code"))
        side = "old" if i < 20 else "new"
        documents[f"p{i:03}", side, 0] = plant(documents[f"p{i:03}", side, 0], 0, [20, 26])
    diff = compare(features(documents, 6, prompts=prompts), **QUICK)
    mine = diff.conditions[diff.conditions["attribute"] == "category"]
    assert mine["asked"].unique().tolist() == ["direction"]
    row = mine[mine["value"] == "prose"] if (mine["value"] == "prose").any() else mine
    assert (row["p"] < 1e-10).all()


def test_where_a_behaviour_is_common_is_no_condition_of_its_change():
    """It comes and goes on code prompts, four times as often comes, and never occurs elsewhere."""
    rng = np.random.default_rng(3)
    quiet = np.zeros((60, 1), dtype=np.float32)
    documents, prompts = {}, []
    for i in range(120):
        code = i < 70
        prompts.append(Prompt(id=f"p{i:03}", text=f"text number{i}", category="code" if code else "prose"))
        comes = rng.random() < 0.8
        for model in ("old", "new"):
            has = code and comes == (model == "new")
            documents[f"p{i:03}", model, 0] = plant(quiet, 0, [20]) if has else quiet
    diff = compare(features(documents, 1, prompts=prompts), **QUICK)
    assert diff.summary["discovered"] == 1
    assert not (diff.conditions["attribute"] == "category").any()


def test_exchanged_prompts_keep_the_level():
    """Prompts are dealt out anew to the answers: no attribute has to do with the planted change."""
    rng = np.random.default_rng(4)
    texts = _texts(rng, 60)
    documents = null_pair(rng, 60, 6, rate=0.002)
    for i in range(60):
        for c, dose in enumerate((0.4, 0.6, 0.8)):
            key = (f"p{i:03}", "new" if rng.random() < 0.85 else "old", 0)
            if rng.random() < dose:
                documents[key] = plant(documents[key], c, [20, 26])
    made = features(documents, 6, prompts=_prompts(60, texts))
    found = contrast_on(made, [made.occurrences], pair(made.responses, "old", "new"), 0.05)
    rows = found.discoveries.rows
    assert len(rows) == 3
    hits, draws = 0, 300
    for _ in range(draws):
        dealt = PromptSet(prompts=tuple(_prompts(60, [texts[i] for i in rng.permutation(60)])))
        asked = ask(found, rows, replace(made.responses, prompts=dealt))
        hits += len(conditions([asked], 0.05)) > 0
    assert hits <= 26  # Binomial(300, .05) exceeds 26 twice in 1,000


def test_swapping_the_checkpoints_negates():
    rng = np.random.default_rng(5)
    texts = _texts(rng, 120)
    documents = null_pair(rng, 120, 6, rate=0.002)
    for i, text in enumerate(texts):
        side = "new" if "poem" in text or i % 3 else "old"
        documents[f"p{i:03}", side, 0] = plant(documents[f"p{i:03}", side, 0], 0, [20, 26])
    made = features(documents, 6, prompts=_prompts(120, texts))
    one = compare(made, **QUICK).conditions
    other = compare(made, before="new", after="old", **QUICK).conditions
    assert len(one) > 0
    for column in ("feature", "attribute", "value", "asked", "n_in", "p", "q"):
        assert one[column].tolist() == other[column].tolist()
    np.testing.assert_array_equal(one["delta_in"], -other["delta_in"])
    np.testing.assert_array_equal(one["lo_in"], -other["hi_in"])


def test_without_findings_nothing_is_asked():
    diff = compare(features(null_pair(np.random.default_rng(6), 20, 4), 4), **QUICK)
    assert list(diff.conditions.columns) == list(CONDITION_COLUMNS)
    assert len(diff.conditions) == 0
