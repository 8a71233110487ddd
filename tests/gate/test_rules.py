"""Rule files: what is read, and what is refused with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatchanged.errors import InputError
from whatchanged.gate import read_rules


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    rules = read_rules(
        write(
            tmp_path,
            'schema = 1\nalpha = 0.01\n[[rule]]\nname = "refusals"\nobservable = "refusal"\n'
            'direction = "up"\ntolerance = 0.02\n[[rule]]\nname = "length"\nlength = true\ntolerance = 0.1\n',
        )
    )
    assert [r.name for r in rules.rule] == ["refusals", "length"]
    assert rules.alpha == 0.01
    assert not rules.needs_features


H = '[[rule]]\nname = "a"\ntolerance = 0.1\nhypothesis = "is kind"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = ", "not TOML"),
        ("", "rule: Field required"),
        (H.replace("hypothesis", "#"), "one of observable, pattern, features, length, hypothesis; got none"),
        ('[[rule]]\nname = "a"\nlength = true\npattern = "x"\ntolerance = 0.1\n', "got pattern, length"),
        ('[[rule]]\nname = "a"\nobservable = "refusals"\ntolerance = 0.1\n', "rule 'a': no observable 'refusals'"),
        ('[[rule]]\nname = "a"\npattern = "("\ntolerance = 0.1\n', "not a regular expression"),
        ('[[rule]]\nname = "a"\npattern = "x"\ntolerance = 5\n', "write 0.02 for 2 %"),
        ('[[rule]]\nname = "a"\npattern = "x"\ntolerance = 0\nproof = "of-no-change"\n', "give a tolerance above 0"),
        ('[[rule]]\nname = "a"\npattern = "x"\ntolerance = 0.1\ntolerence = 1\n', "tolerence of rule 'a': Extra inputs"),
        ('[[rule]]\nname = "a"\npattern = "x"\ntolerance = 0.1\n' * 2, "names of rules must differ"),
        (H + 'pattern = "x"\n', "got pattern, hypothesis"),
        (H + 'counted = "refusals"\n', "no observable 'refusals'; write 'refusal', or ['refusals'] to count the word"),
        (H + 'counted = "my_own_thing"\n', "no observable 'my_own_thing'; choose from numbered_items"),
        (H + 'counted = ["a", " "]\n', "name an observable, a term or a list of terms"),
        (H + 'counted = "sure"\njudge = "a/b"\n', "counted or judged, not both"),
        (H + 'place = "closing"\n', "name it in counted"),
        (H + 'counted = "words"\nplace = "closing"\n', "words is of the whole answer and has no place"),
        (H + 'judge = "a/b"\nstatistic = "log_count"\n', "leave out statistic"),
        (H.replace("is kind", "h2"), 'add from = "baseline"'),
        ('[[rule]]\nname = "a"\npattern = "x"\ntolerance = 0.1\njudge = "a/b"\n', "judge belong to a hypothesis"),
    ],
)  # fmt: skip
def test_a_malformed_file_names_rule_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rules(write(tmp_path, text))
    assert said in str(refused.value)
    assert "rules.toml" in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check the path"):
        read_rules(tmp_path / "none.toml")
