"""A baseline against several checkpoints, in one table with one false discovery rate."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic import features, null_pair, plant, write

from whatchanged.artifacts import CHECKPOINT_COLUMNS, CONDITION_COLUMNS, DIFF_COLUMNS, Prompt
from whatchanged.diff import compare, discovered, label_swaps, split_halves
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.comparison import one_family
from whatchanged.diff.folder import open_diff, save_diff
from whatchanged.diff.units import pair
from whatchanged.stats import benjamini_hochberg

QUICK = {"extra": [], "draws": 30, "splits": 1}
MODELS = ("old", "new", "newer")


def _world(rng, *, prompts=50, columns=30, planted=True):
    """*new* gains columns 0 to 7, *newer* gains 4 to 11."""
    documents = null_pair(rng, prompts, columns)
    for i in range(prompts):
        documents[f"p{i:03}", "newer", 0] = write(rng, columns)
        for model, first in (("new", 0), ("newer", 4)):
            for c in range(first, first + 8):
                if planted and rng.random() < 0.6:
                    key = (f"p{i:03}", model, 0)
                    documents[key] = plant(documents[key], c, [20, 26])
    return documents


def test_every_checkpoint_stands_against_the_baseline_and_q_runs_over_all():
    documents = _world(np.random.default_rng(0), prompts=80)
    made = features(documents, 30, models=MODELS)
    diff = compare(made, **QUICK)
    assert list(diff.table.columns) == list(DIFF_COLUMNS)
    assert isinstance(diff.table.index, pd.RangeIndex)
    assert diff.table["before"].unique().tolist() == ["old"]
    assert diff.table["after"].tolist() == ["new"] * 30 + ["newer"] * 30
    np.testing.assert_array_equal(diff.table["q"], benjamini_hochberg(diff.table["p"].to_numpy()))
    found = {(r.after, r.column) for r in diff.table[discovered(diff)].itertuples()}
    planted = {("new", c) for c in range(8)} | {("newer", c) for c in range(4, 12)}
    assert planted <= found
    assert len(found) <= 17  # of 17 discoveries at q <= .05 one may well be false
    assert diff.summary["afters"] == ["new", "newer"]
    assert diff.summary["discovered"] == len(found)
    for after in ("new", "newer"):
        alone = compare(made, after=after, **QUICK)
        mine = diff.table[diff.table["after"] == after].reset_index(drop=True)
        # All but q, and what is asked of the rows that q chooses, is that of the comparison alone.
        same = ["kind", "feature", "statistic", "delta", "lo", "hi", "p", "n_after", "n_before", "reason"]
        pd.testing.assert_frame_equal(mine[same], alone.table[same])
        assert diff.noise_of(after).p == alone.noise.p
        assert not alone.noises
        assert alone.noise_of(after) is alone.noise
        assert diff.summary["comparisons"][after]["n_units"] == alone.summary["n_units"]
        swaps, again = (label_swaps(d, after=after, draws=20, length=False) for d in (diff, alone))
        np.testing.assert_array_equal(swaps.smallest, again.smallest)
    mine = sum(after == "newer" for after, _ in found)
    assert len(split_halves(diff, after="newer", splits=1).share) == mine


def test_the_order_of_the_checkpoints_changes_no_number():
    made = features(_world(np.random.default_rng(1), prompts=30), 30, models=MODELS)
    one = compare(made, after=["new", "newer"], **QUICK)
    other = compare(made, after=["newer", "new"], **QUICK)
    moved = pd.concat([other.table[30:], other.table[:30]], ignore_index=True)
    pd.testing.assert_frame_equal(one.table, moved)
    assert list(one.noises) == ["new", "newer"]
    assert list(other.noises) == ["newer", "new"]


def test_each_comparison_uses_the_prompts_that_both_answered():
    documents = _world(np.random.default_rng(2), prompts=30)
    for i in range(6):
        del documents[f"p{i:03}", "newer", 0]
    diff = compare(features(documents, 30, models=MODELS), **QUICK)
    each = diff.summary["comparisons"]
    assert (each["new"]["n_units"], each["newer"]["n_units"]) == (30, 24)
    assert each["newer"]["dropped"]["prompts_before_only"] == 6
    assert diff.summary["n_units"] == 24
    assert diff.summary["dropped"]["prompts_before_only"] == 6
    assert diff.summary["limit"] == max(one["limit"] for one in each.values())


def test_slices_and_conditions_name_their_comparison():
    rng = np.random.default_rng(3)
    documents = _world(rng, prompts=40, columns=12, planted=False)
    for i in range(20):
        key = (f"p{i:03}", "newer", 0)
        documents[key] = plant(documents[key], 2, [20, 26])
    prompts = [Prompt(id=f"p{i:03}", text=f"text {i}", category="ab"[i >= 20]) for i in range(40)]
    diff = compare(features(documents, 12, models=MODELS, prompts=prompts), **QUICK)
    assert diff.slices["after"].unique().tolist() == ["newer"]
    row = diff.conditions.iloc[0]
    assert (row["after"], row["feature"], row["attribute"], row["value"]) == ("newer", "2", "category", "a")
    assert row["delta_in"] > 0.8
    assert abs(row["delta_out"]) < 0.2


def test_a_run_folder_gives_back_what_was_compared(tmp_path):
    made = features(_world(np.random.default_rng(4), prompts=24, columns=20), 20, models=MODELS)
    diff = compare(made, **QUICK)
    save_diff(diff, tmp_path)
    again = open_diff(tmp_path, made, [])
    pd.testing.assert_frame_equal(diff.table, again.table)
    pd.testing.assert_frame_equal(diff.conditions, again.conditions, check_dtype=False)
    assert list(again.conditions.columns) == list(CONDITION_COLUMNS)
    assert list(again.noises) == ["new", "newer"]
    for after in again.noises:
        np.testing.assert_array_equal(diff.noise_of(after).delta, again.noise_of(after).delta)
    np.testing.assert_equal(again.summary, diff.summary)


def test_under_exchanged_labels_the_whole_report_keeps_its_level():
    """The labels of all three checkpoints are permuted within prompts; q runs over both comparisons."""
    rng = np.random.default_rng(5)
    made = features(_world(rng, prompts=30, columns=40), 40, models=MODELS)
    pairs = [pair(made.responses, "old", after) for after in ("new", "newer")]
    hits, draws = 0, 200
    for _ in range(draws):
        order = rng.permuted(np.arange(90).reshape(30, 3), axis=1).ravel()
        found = one_family(
            [contrast_on(made, [made.occurrences], replace(p, answers=order[p.answers]), 0.05) for p in pairs]
        )
        hits += any(len(c.discoveries.rows) for c in found)
    assert hits <= 18  # 5 % of 200 is 10; Binomial(200, .05) exceeds 18 once in 200


def test_errors_name_the_remedy():
    made = features(_world(np.random.default_rng(6), prompts=8, columns=12), 12, models=MODELS)
    with pytest.raises(ValueError, match="one or more different checkpoints"):
        compare(made, after=[], extra=[])
    with pytest.raises(ValueError, match="one or more different checkpoints"):
        compare(made, after=["new", "new"], extra=[])
    with pytest.raises(ValueError, match="two different checkpoints"):
        compare(made, after=["new", "old"], extra=[])
    diff = compare(made, **QUICK)
    with pytest.raises(ValueError, match=r"choose from \['new', 'newer'\]"):
        label_swaps(diff, after="nobody", draws=5)


def test_checkpoints_stand_side_by_side_by_one_statistic(tmp_path):
    made = features(_world(np.random.default_rng(6), prompts=60), 30, models=MODELS)
    diff = compare(made, **QUICK)
    table, side = diff.table, diff.checkpoints
    assert list(side.columns) == list(CHECKPOINT_COLUMNS)
    rows = {(r.kind, r.feature) for r in table[discovered(diff)].itertuples()}
    assert len(rows) >= 12
    assert side["after"].tolist() == ["new", "newer"] * len(rows)
    own = table.set_index(["after", "kind", "feature"])
    mixed = 0
    for (kind, feature), both in side.groupby(["kind", "feature"], sort=False):
        assert (kind, feature) in rows
        of = {after: own.loc[(after, kind, feature)] for after in MODELS[1:]}
        strongest = min(of.values(), key=lambda r: np.inf if np.isnan(r.p) else r.p)
        assert both["statistic"].tolist() == [strongest.statistic] * 2
        for r in both.itertuples():
            assert r.delta == (r.n_after - r.n_before) / r.n
            assert r.rate_after - r.rate_before == pytest.approx(r.delta)
            assert r.lo <= r.delta <= r.hi
            mine = of[r.after]
            if mine.statistic == r.statistic:  # then it is the very row of the diff
                for name in ("rate_before", "rate_after", "delta", "lo", "hi", "n", "n_after", "n_before"):
                    assert getattr(r, name) == mine[name]
            mixed += mine.statistic != r.statistic
    assert mixed, "comparisons that were found by different statistics are what the table is for"
    save_diff(diff, tmp_path)
    pd.testing.assert_frame_equal(open_diff(tmp_path, made, []).checkpoints, side)
    alone = compare(made, after="new", **QUICK)
    save_diff(alone, tmp_path)
    assert not len(open_diff(tmp_path, made, []).checkpoints), (
        "what a comparison of several left is not its own"
    )
