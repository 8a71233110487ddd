"""An ordered series of checkpoints."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic import features, plant, write

from whatchanged.diff import TREND_COLUMNS, compare, discovered, trend
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.trend_folder import open_trend, save_trend
from whatchanged.diff.units import series
from whatchanged.errors import StoreError
from whatchanged.stats import sign_test

QUICK = {"extra": [], "draws": 30, "splits": 1}
THREE = ("one", "two", "three")
QUIET = np.zeros((60, 1), dtype=np.float32)


def _series(rng, *, prompts=50, columns=30, models=THREE, planted=8):
    """The first columns are planted on a growing share of the prompts."""
    documents = {}
    for i in range(prompts):
        for k, model in enumerate(models):
            document = write(rng, columns)
            for c in range(planted):
                if rng.random() < 0.6 * k / (len(models) - 1):
                    document = plant(document, c, [20, 26])
            documents[f"p{i:03}", model, 0] = document
    return documents


def _patterns(patterns):
    """One column; each prompt's answers have it or not, as the pattern says."""
    return {
        (f"p{i:02}", model, 0): plant(QUIET, 0, [20]) if has else QUIET
        for i, pattern in enumerate(patterns)
        for model, has in zip(THREE, pattern, strict=True)
    }


def test_numbers_worked_by_hand():
    """Six prompts 0 0 1, three 0 1 1, one 1 0 0 ; then two 0 1 0 more, which no linear contrast sees."""
    patterns = [(0, 0, 1)] * 6 + [(0, 1, 1)] * 3 + [(1, 0, 0)]
    made = trend(features(_patterns(patterns), 1, models=THREE), **QUICK)
    assert list(made.table.columns) == list(TREND_COLUMNS)
    row = made.table.iloc[0]
    assert (row["n_rising"], row["n_falling"], row["n"]) == (9, 1, 10)
    # Presence, log count and log maximum are testable; opening and closing are silent.
    assert row["p"] == pytest.approx(3 * float(sign_test(9, 1)))
    # Slopes of the units are nine times 1/2 and once -1/2: mean .4, standard error .1, t(9) = 2.2622.
    assert row["slope"] == pytest.approx(0.4)
    assert (row["lo"], row["hi"]) == pytest.approx((0.4 - 0.22622, 0.4 + 0.22622), abs=1e-5)
    assert row["monotone"]
    assert row["monotone_share"] == pytest.approx(0.9)
    assert row["delta"] == pytest.approx(0.8)
    assert made.summary["monotone_by_chance"] == pytest.approx(1 / 3)
    humps = trend(
        features(_patterns([*patterns, (0, 1, 0), (0, 1, 0)]), 1, models=THREE), **QUICK
    ).table.iloc[0]
    assert (humps["n_rising"], humps["n_falling"], humps["n"]) == (9, 1, 12)
    assert humps["p"] == row["p"]
    # Levels 1/12, 5/12 and 9/12.
    assert humps["slope"] == pytest.approx(1 / 3)


def test_two_checkpoints_are_compared_bit_for_bit():
    made = features(_series(np.random.default_rng(0), models=("old", "new")), 30, models=("old", "new"))
    one, other = trend(made, **QUICK).table, compare(made, **QUICK).table
    for column in ("p", "q", "delta", "delta_length", "p_prefix", "p_firth", "replication"):
        np.testing.assert_array_equal(one[column], other[column])
    for column in ("kind", "feature", "statistic", "length", "reason"):
        assert one[column].tolist() == other[column].tolist()
    present = (one["statistic"] == "presence") & one["p"].notna()
    np.testing.assert_allclose(one["slope"][present], other["delta"][present])


def test_reversing_the_order_negates():
    made = features(_series(np.random.default_rng(1), prompts=30), 30, models=THREE)
    one = trend(made, **QUICK)
    other = trend(made, models=THREE[::-1], **QUICK)
    for column in ("p", "q", "monotone", "monotone_share", "p_prefix", "p_firth", "replication"):
        np.testing.assert_array_equal(one.table[column], other.table[column])
    for column in ("delta", "delta_length"):
        np.testing.assert_array_equal(one.table[column], -other.table[column])
    np.testing.assert_allclose(one.table["slope"], -other.table["slope"], atol=1e-15)
    np.testing.assert_allclose(one.table["lo"], -other.table["hi"], atol=1e-15)
    np.testing.assert_array_equal(one.table["n_rising"], other.table["n_falling"])
    assert one.noise.p == other.noise.p


def test_names_and_order_of_prompts_and_other_checkpoints_change_nothing():
    documents = _series(np.random.default_rng(2), prompts=24)
    one = trend(features(documents, 30, models=THREE), **QUICK)
    renamed = {(f"q{99 - int(p[1:])}", m, s): d for (p, m, s), d in reversed(documents.items())}
    rng = np.random.default_rng(3)
    renamed |= {(key[0], "stranger", 0): write(rng, 30) for key in list(renamed)}
    other = trend(features(renamed, 30, models=("stranger", *THREE)), models=THREE, **QUICK)
    kept = [c for c in TREND_COLUMNS if c != "replication"]  # halves are drawn among prompts in order
    pd.testing.assert_frame_equal(one.table[kept], other.table[kept])


def test_only_prompts_that_all_answered_take_part():
    documents = _series(np.random.default_rng(4), prompts=20)
    fewer = {k: d for k, d in documents.items() if k[0] != "p003"}
    partial = {k: d for k, d in documents.items() if k[:2] != ("p003", "two")}
    one, other = (trend(features(d, 30, models=THREE), **QUICK) for d in (fewer, partial))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert other.summary["dropped"]["prompts_incomplete"] == 1


def test_steps_scale_slopes_and_leave_the_test_alone():
    made = features(_series(np.random.default_rng(5), prompts=24), 30, models=THREE)
    one, far = trend(made, **QUICK), trend(made, steps=[0, 1000, 2000], **QUICK)
    np.testing.assert_array_equal(one.table["q"], far.table["q"])
    np.testing.assert_allclose(one.table["slope"], 1000 * far.table["slope"])
    uneven = trend(made, steps=[1, 2, 100], **QUICK)
    np.testing.assert_array_equal(one.table["q"], uneven.table["q"])
    assert far.levels["step"].tolist()[:3] == [0, 1000, 2000]


def test_samples_of_a_prompt_are_averaged():
    """Two samples at the last checkpoint, one of them with it: level 1/2, and still one unit."""
    documents = _patterns([(0, 0, 0)] * 8)
    documents |= {(f"p{i:02}", "three", 1): plant(QUIET, 0, [20]) for i in range(8)}
    made = trend(features(documents, 1, models=THREE), **QUICK)
    row = made.table.iloc[0]
    assert (row["n_rising"], row["n"]) == (8, 8)
    assert row["slope"] == pytest.approx(0.25)
    assert row["monotone_share"] == 1


def test_a_planted_trend_is_found_and_nothing_else():
    made = trend(features(_series(np.random.default_rng(6), prompts=60), 30, models=THREE), **QUICK)
    assert np.flatnonzero(discovered(made)).tolist() == list(range(8))
    found = made.table[:8]
    assert (found["slope"] > 0).all()
    assert (found["lo"] > 0).all()
    assert found["monotone"].all()
    levels = made.levels[made.levels["feature"] == "0"]["level"]
    assert levels.is_monotonic_increasing
    assert len(made.levels) == 3 * made.summary["significant"]


def test_growing_length_alone_is_no_finding():
    rng = np.random.default_rng(7)
    documents = {}
    for i in range(60):
        for share, model in zip((0.4, 0.7, 1.0), THREE, strict=True):
            document = write(rng, 60, low=100, high=140, rate=0.02)
            documents[f"p{i:03}", model, 0] = document[: int(share * len(document))]
    made = trend(features(documents, 60, models=THREE), **QUICK)
    assert made.summary["significant"] > 10
    assert made.summary["discovered"] == 0
    assert made.summary["lengths"] == sorted(made.summary["lengths"])


def test_exchanged_checkpoints_keep_the_level():
    """All orders of the checkpoints, not only reversals; the world has planted trends in it."""
    rng = np.random.default_rng(8)
    made = features(_series(rng, prompts=30, columns=40), 40, models=THREE)
    pairing = series(made.responses, THREE)
    hits, draws, small, tested = 0, 300, 0, 0
    for _ in range(draws):
        order = rng.permuted(np.arange(90).reshape(30, 3), axis=1).ravel()
        found = contrast_on(made, [made.occurrences], replace(pairing, answers=order[pairing.answers]), 0.05)
        hits += len(found.discoveries.rows) > 0
        small += int((found.tests.p <= 0.05).sum())
        tested += int((found.tests.tests > 0).sum())
    assert hits <= 26  # 5 % of 300 is 15; Binomial(300, .05) exceeds 26 twice in 1,000
    assert small <= 0.05 * tested


def test_errors_name_the_remedy():
    made = features(_series(np.random.default_rng(9), prompts=6), 30, models=THREE)
    for steps in ([1, 2], [1, 1, 2], [3, 2, 1], [0, 1, np.inf]):
        with pytest.raises(ValueError, match="in the order of their steps"):
            trend(made, steps=steps, extra=[])
    with pytest.raises(ValueError, match="two or more different"):
        trend(made, models=["one"], extra=[])
    with pytest.raises(ValueError, match="two or more different"):
        trend(made, models=["one", "two", "one"], extra=[])
    with pytest.raises(ValueError, match="choose from"):
        trend(made, models=["one", "four"], extra=[])
    with pytest.raises(ValueError, match=r"use 0\.05"):
        trend(made, alpha=2, extra=[])


def test_a_trend_comes_back_from_its_folder_as_it_was(tmp_path):
    made = features(_series(np.random.default_rng(5)), 30, models=THREE)
    found = trend(made, steps=[0, 500, 2000], **QUICK)
    assert open_trend(tmp_path, made, []) is None
    # a term can be called null or NA, and has to stay one
    names = found.table["feature"].astype(object).to_list()
    table = found.table.assign(feature=pd.Series(["null", "NA", "", *names[3:]], dtype=object))
    levels = found.levels.assign(feature=found.levels["feature"].replace({"0": "null", "1": "NA", "2": ""}))
    save_trend(replace(found, table=table, levels=levels), tmp_path)
    back = open_trend(tmp_path, made, [])
    pd.testing.assert_frame_equal(back.table, table, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(back.levels, levels, check_dtype=False, check_exact=True)
    assert back.table["feature"].tolist()[:3] == ["null", "NA", ""]
    assert back.table["monotone"].tolist() == table["monotone"].tolist()
    assert back.summary["models"] == list(THREE)
    assert back.summary["steps"] == [0, 500, 2000]
    assert (back.noise.draws, back.noise.p) == (found.noise.draws, found.noise.p)
    assert discovered(back).tolist() == discovered(found).tolist()
    # of other features it is no trend of theirs; a damaged one is said to be
    assert open_trend(tmp_path, replace(made, fingerprint="another"), []) is None
    (tmp_path / "trend.csv").write_text("kind,feature\nfeature,1\n")
    with pytest.raises(StoreError, match="test the trend again"):
        open_trend(tmp_path, made, [])
    (tmp_path / "trend.csv").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        open_trend(tmp_path, made, [])
