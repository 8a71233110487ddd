"""Sentences say what the statistic means, with the numbers of the row."""

from __future__ import annotations

import pytest

from whatchanged.interpret.statement import level, statement

ROW: dict[str, object] = {
    "before": "old",
    "after": "new",
    "kind": "feature",
    "statistic": "presence",
    "rate_before": 0.12,
    "rate_after": 0.483,
    "delta": 0.363,
    "lo": 0.301,
    "hi": 0.42,
    "q": 1.2e-9,
    "n": 102,
    "n_after": 40,
    "n_before": 3,
}


def test_presence() -> None:
    assert statement(ROW, one_sample=True) == (
        "More in new: present in 12.0 % → 48.3 % of answers (Δ +36.3 points, 95 % CI +30.1 to +42.0; "
        "40 prompts gained it and 3 lost it, of 102; q = 1.2e-09)"
    )


def test_less_is_more_in_the_other_checkpoint() -> None:
    row = ROW | {"rate_before": 0.483, "rate_after": 0.12, "delta": -0.363, "lo": -0.42, "hi": -0.301}
    said = statement(row | {"n_after": 1, "n_before": 38}, one_sample=True)
    assert said.startswith("More in old: present in 48.3 % → 12.0 % of answers (Δ −36.3 points")
    assert "1 prompt gained it and 38 lost it" in said


@pytest.mark.parametrize(
    ("statistic", "kind", "words"),
    [
        ("log_count", "lexical", "more of it in new for 48.3 % of prompts, in old for 12.0 %"),
        ("log_maximum", "feature", "its peak is stronger in new for 48.3 % of prompts, in old for 12.0 %"),
        ("opening", "feature", "in the first 16 tokens of 12.0 % → 48.3 % of answers"),
        ("closing", "lexical", "in the last 24 words of 12.0 % → 48.3 % of answers"),
        ("high_presence", "feature", "in 12.0 % → 48.3 % of answers"),
    ],
)
def test_each_statistic_has_its_meaning(statistic: str, kind: str, words: str) -> None:
    assert words in statement(ROW | {"statistic": statistic, "kind": kind}, one_sample=True)


def test_rates_are_shares_of_prompts_when_there_are_several_samples() -> None:
    said = statement(ROW, one_sample=False)
    assert "present in more of the samples of new for 48.3 % of prompts, in old for 12.0 %" in said
    assert "of answers" not in said


def test_levels() -> None:
    assert level(0.0123) == "q = 0.012"
    assert level(4.2e-5) == "q = 4.2e-05"
    assert level(0.0, "p") == "p < 1e-300"
