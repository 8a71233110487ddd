"""What CI systems are told."""

from __future__ import annotations

from xml.etree import ElementTree

from gate_world import answers

from whatchanged.gate import Rules, check, github, junit, lines

RULES = Rules.model_validate(
    {
        "rule": [
            {"name": "calm", "pattern": "item", "tolerance": 0.1},
            {"name": "no <sorry>, never: 100%", "pattern": "^sorry", "tolerance": 0.05},
        ]
    }
)
VERDICTS = check(answers(10, 40, 0, 150), RULES)


def test_failures_come_first_and_are_counted() -> None:
    said = lines(VERDICTS)
    assert said[0].startswith("FAIL no <sorry>")
    assert said[1].startswith("ok   calm")
    assert said[-1] == "1 of 2 rules failed; the data could not tell for 0"


def test_junit_is_wellformed_and_escaped() -> None:
    suite = ElementTree.fromstring(junit(VERDICTS))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {case.get("name"): case for case in suite}
    failure = cases["no <sorry>, never: 100%"].find("failure")
    assert failure is not None
    assert "beyond the tolerance" in (failure.get("message") or "")
    assert cases["calm"].find("failure") is None


def test_annotations_follow_the_workflow_command_format() -> None:
    notice, error = github(VERDICTS)
    assert notice.startswith("::notice title=whatchanged%3A calm::")
    assert error.startswith("::error title=whatchanged%3A no <sorry>%2C never%3A 100%25::")
    assert "\n" not in error
