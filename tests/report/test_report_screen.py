"""The report says whether the answers are fit to be compared, in HTML and in markdown."""

from dataclasses import replace

import pytest
from report_sample import realistic

from whatchanged.artifacts import Dropped, Findings, Responses
from whatchanged.report import Report, report

CALM = "No share of empty, refused, truncated, repeated or wrong-language answers differs notably"


@pytest.fixture(scope="module")
def found() -> Findings:
    return realistic()


def shown(found: Findings, responses: Responses) -> Report:
    features = replace(found.diff.features, responses=responses)
    return report(replace(found, diff=replace(found.diff, features=features)))


def test_sides_that_do_not_differ_are_said_to_be_comparable(found: Findings) -> None:
    calm = replace(
        found.diff.responses,
        answers=tuple(replace(a, finish_reason="stop") for a in found.diff.responses.answers),
        dropped=(),
    )
    made = shown(found, calm)
    assert CALM in made.html
    assert CALM in made.markdown
    assert '<td class="num">0.0\u00a0%</td>' in made.html


def test_what_differs_is_warned_of_with_its_numbers(found: Findings) -> None:
    responses = found.diff.responses
    before, after = responses.before, responses.after
    mine = [a for a in responses.answers if a.model == after]
    answers = tuple(
        replace(a, finish_reason="length" if a.model == after and i % 4 == 1 else "stop")
        for i, a in enumerate(responses.answers)
    )
    cut = sum(a.truncated for a in answers) / len(mine)
    lost = [Dropped(reason="refused_by_api", prompt_id="gone", model=before)] * len(mine)
    made = shown(found, replace(responses, answers=answers, dropped=tuple(lost)))
    for text in (made.html, made.markdown):
        assert CALM not in text
        assert f"answers refused by the API: 50.0% of {before}, 0.0% of {after}" in text
        assert f"truncated answers: 0.0% of {before}, {cut:.1%} of {after}" in text
    assert f"| truncated answers | 0.0\u00a0% | {100 * cut:.1f}\u00a0% |" in made.markdown
    assert "<strong>0.0\u00a0%</strong>" in made.html, "the share that differs is marked"
    assert f"{len(mine)} refused by the API" in made.html
    assert found.diff.responses is responses
