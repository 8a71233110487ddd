import numpy as np
import pandas as pd
import pytest
from synthetic import features, null_pair, plant, pool, wrap, write

from whatchanged.artifacts import DIFF_COLUMNS, Prompt, Responses
from whatchanged.diff import compare, discovered

QUICK = {"extra": [], "draws": 40, "splits": 2}


def _planted(rng, *, prompts=80, columns=60, planted=16, dose=0.4, samples=1):
    documents = null_pair(rng, prompts, columns, samples=samples)
    for i in range(prompts):
        if rng.random() < dose:
            for s in range(samples):
                document = documents[f"p{i:03}", "new", s]
                for c in range(planted):
                    document = plant(document, c, [20, 25 + c % 5])
                documents[f"p{i:03}", "new", s] = document
    return documents


def test_the_table_has_the_documented_columns_in_order():
    diff = compare(features(null_pair(np.random.default_rng(0), 12, 7), 7), **QUICK)
    assert list(diff.table.columns) == list(DIFF_COLUMNS)
    assert isinstance(diff.table.index, pd.RangeIndex)
    assert diff.table["feature"].tolist() == [str(c) for c in range(7)]
    assert (diff.table["before"] == "old").all()
    assert diff.summary["n_units"] == 12


def test_identical_answers_give_no_discovery_and_no_p():
    rng = np.random.default_rng(1)
    documents = {}
    for i in range(30):
        documents[f"p{i}", "old", 0] = documents[f"p{i}", "new", 0] = write(rng, 20)
    diff = compare(features(documents, 21), **QUICK)
    assert set(diff.table["reason"]) == {"no_discordant_pairs", "constant"}
    assert diff.table["reason"].iloc[20] == "constant"  # never occurs
    assert diff.table["p"].isna().all()
    assert diff.table["q"].isna().all()
    assert not discovered(diff).any()
    assert (diff.table["delta"] == 0).all()
    assert diff.summary["tested"] == {"feature": 0}
    assert diff.noise.any_discovery == 0


def test_planted_columns_are_found_and_nothing_else():
    diff = compare(features(_planted(np.random.default_rng(2)), 60), **QUICK)
    mask = discovered(diff)
    assert mask[:16].all()
    assert not mask[16:].any()
    found = diff.table[:16]
    assert (found["delta"] > 0).all()
    assert (found["lo"] > 0).all()
    assert (found["replication"] >= 0.75).all()
    assert diff.summary["discovered"] == 16
    assert diff.summary["replication_rate"] > 0.9
    assert 0.7 < diff.summary["replication_slope"] < 1.3


def test_swapping_the_checkpoints_negates_and_keeps_p_bit_for_bit():
    documents = _planted(np.random.default_rng(3), samples=2, prompts=40)
    made = features(documents, 60)
    one = compare(made, **QUICK)
    other = compare(made, before="new", after="old", **QUICK)
    for column in ("p", "q", "p_prefix", "p_firth", "replication"):
        np.testing.assert_array_equal(one.table[column], other.table[column])
    for column in ("delta", "delta_length"):
        np.testing.assert_array_equal(one.table[column], -other.table[column])
    for column in ("statistic", "reason", "length", "n"):
        assert one.table[column].tolist() == other.table[column].tolist()
    for a, b in (
        ("rate_before", "rate_after"),
        ("n_before", "n_after"),
        ("per_1000_before", "per_1000_after"),
    ):
        np.testing.assert_array_equal(one.table[a], other.table[b])
    np.testing.assert_array_equal(one.table["lo"], -other.table["hi"])
    assert one.noise.p == other.noise.p
    assert one.summary["median_log_ratio"] == -other.summary["median_log_ratio"]


def test_order_of_answers_and_prompts_changes_nothing():
    documents = _planted(np.random.default_rng(4), prompts=30)
    prompts = [Prompt(id=f"p{i:03}", text=f"text {i // 2}", category="xy"[i % 2]) for i in range(30)]
    one = compare(features(documents, 60, prompts=prompts), **QUICK)
    shuffled = dict(list(documents.items())[::-1])
    other = compare(features(shuffled, 60, prompts=prompts[::-1]), **QUICK)
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.slices, other.slices)
    np.testing.assert_array_equal(one.noise.delta, other.noise.delta)
    assert {k: v for k, v in one.summary.items() if v == v} == {
        k: v for k, v in other.summary.items() if v == v
    }
    assert one.summary["n_units"] == 15


def test_missing_answers_never_pair_anew():
    """Leaving out answers of a prompt equals leaving out the prompt."""
    documents = _planted(np.random.default_rng(5), prompts=30)
    without = {k: d for k, d in documents.items() if k[0] != "p007"}
    one_sided = {k: d for k, d in documents.items() if k[:2] != ("p007", "old")}
    one, other = compare(features(without, 60), **QUICK), compare(features(one_sided, 60), **QUICK)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert other.summary["dropped"]["prompts_after_only"] == 1


def test_rates_of_one_sample_are_shares_of_answers():
    quiet = np.zeros((30, 2), dtype=np.float32)
    documents = {}
    for i in range(20):
        documents[f"p{i:02}", "old", 0] = plant(quiet, 0, [3]) if i < 4 else quiet
        documents[f"p{i:02}", "new", 0] = plant(quiet, 0, [3]) if i < 13 else quiet
    row = compare(features(documents, 2), **QUICK).table.iloc[0]
    assert row["statistic"] == "presence"
    assert (row["rate_before"], row["rate_after"]) == (0.2, 0.65)
    assert row["delta"] == pytest.approx(0.45)
    assert (row["n_after"], row["n_before"], row["n"]) == (9, 0, 20)
    # Presence, log count, log maximum and opening are all nine to none; nothing else is testable.
    assert row["p"] == pytest.approx(4 * 2 / 2**9)
    assert row["per_1000_after"] == pytest.approx(1000 * 13 / 600)


def test_near_duplicates_and_samples_count_once():
    """Five samples of one prompt are one coin, however often it was thrown."""
    quiet = np.zeros((30, 1), dtype=np.float32)
    documents = {
        (f"p{i}", m, s): plant(quiet, 0, [5]) if m == "new" else quiet
        for i in range(8)
        for m in ("old", "new")
        for s in range(5)
    }
    same = [Prompt(id=f"p{i}", text="one and the same") for i in range(8)]
    apart = compare(features(documents, 1), **QUICK).table.iloc[0]
    joined = compare(features(documents, 1, prompts=same), **QUICK).table.iloc[0]
    assert (apart["n"], apart["n_after"]) == (8, 8)
    assert (joined["n"], joined["n_after"]) == (1, 1)
    assert joined["reason"] == "too_rare"
    assert np.isnan(joined["p"])


def test_all_kinds_are_one_family_in_which_each_has_its_share():
    rng = np.random.default_rng(6)
    documents = _planted(rng, prompts=50, planted=3)
    made = features(documents, 60)
    ordered = [documents[a.prompt_id, a.model, a.sample] for a in made.responses.answers]
    names = tuple(f"word{i}" for i in range(60))
    words = pool(ordered, 60, kind="lexical", names=names, graded=False)
    alone, both = compare(made, **QUICK), compare(made, **(QUICK | {"extra": [words]}))
    assert both.table["kind"].tolist() == ["feature"] * 60 + ["lexical"] * 60
    assert both.table["feature"].iloc[63] == "word3"
    np.testing.assert_array_equal(alone.table["p"], both.table["p"][:60])
    assert (both.table["p"].notna().sum()) == sum(both.summary["tested"].values())
    from statsmodels.stats.multitest import multipletests

    # Features may spend half and terms a quarter: of the two kinds present, two thirds and one third.
    tested = both.table.dropna(subset="p")
    rows = tested["kind"].map(tested["kind"].value_counts())
    weight = tested["kind"].map({"feature": 2 / 3, "lexical": 1 / 3}) * len(tested) / rows
    divided = np.minimum(tested["p"] / weight, 1.0)
    np.testing.assert_allclose(tested["q"], multipletests(divided, method="fdr_bh")[1])


def test_other_checkpoints_do_not_enter():
    rng = np.random.default_rng(7)
    documents = _planted(rng, prompts=30)
    third = documents | {(f"p{i:03}", "third", 0): write(rng, 60, rate=0.2) for i in range(30)}
    two = compare(features(documents, 60), **QUICK)
    three = features(third, 60, models=("third", "old", "new"))
    other = compare(three, before="old", after="new", **QUICK)
    pd.testing.assert_frame_equal(two.table, other.table)


def test_progress_says_each_stage():
    lines = []
    compare(features(null_pair(np.random.default_rng(0), 8, 3), 3), progress=lines.append, **QUICK)
    assert [line.split(" (")[0] for line in lines] == [
        "contrast",
        "label swaps",
        "length rule",
        "replication",
        "slices",
    ]


def test_errors_name_the_remedy():
    made = features(null_pair(np.random.default_rng(0), 4, 3), 3)
    with pytest.raises(ValueError, match=r"use 0\.05"):
        compare(made, extra=[], alpha=5)
    with pytest.raises(ValueError, match="1000 is usual"):
        compare(made, extra=[], draws=0)
    with pytest.raises(ValueError, match="choose from"):
        compare(made, extra=[], before="nobody")
    other = pool([np.ones((3, 1))], 1, kind="lexical")
    with pytest.raises(ValueError, match="same responses"):
        compare(made, extra=[other])


def test_swapped_responses_equal_swapped_names():
    made = features(_planted(np.random.default_rng(9), prompts=20), 60)
    responses = made.responses
    swapped = responses.swapped()
    order = [responses.answers.index(a) for a in swapped.answers]
    table = made.occurrences
    documents_order = np.array(order)
    assert isinstance(swapped, Responses)
    from scipy.sparse import csr_matrix

    entry = csr_matrix(
        (np.arange(len(table.column)), table.column, table.indptr), shape=(len(order), table.n_columns)
    )[documents_order]
    fields = {
        f: getattr(table, f)[entry.data] for f in ("column", "maximum", "count", "total", "first", "last")
    }
    moved = type(table)(
        kind="feature",
        n_columns=60,
        n_units=table.n_units[documents_order],
        indptr=entry.indptr.astype(np.int64),
        **fields,
    )
    one = compare(made, before="new", after="old", **QUICK)
    other = compare(wrap(swapped, moved), **QUICK)
    pd.testing.assert_frame_equal(one.table, other.table)
