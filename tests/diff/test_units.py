import pytest

from whatchanged.artifacts import Answer, Prompt, PromptSet, Responses
from whatchanged.diff.units import clusters, pair


def _responses(prompts, answers, models=("a", "b")):
    return Responses(
        prompts=PromptSet(prompts=tuple(prompts)),
        models=models,
        answers=tuple(Answer(prompt_id=p, model=m, sample=s, text="t") for p, m, s in answers),
    )


def test_same_words_and_named_clusters_join_transitively():
    prompts = [
        Prompt(id="1", text="What is  TEA?", cluster="x"),
        Prompt(id="2", text="something else"),
        Prompt(id="3", text=" what is tea?\n"),
        Prompt(id="4", text="a third thing", cluster="x"),
    ]
    assert clusters(prompts) == [0, 1, 0, 0]


def test_one_sided_prompts_take_no_part_and_are_counted():
    prompts = [Prompt(id=i, text=f"q{i}") for i in "1234"]
    answers = [("1", "a", 0), ("1", "b", 0), ("2", "a", 0), ("3", "b", 0), ("4", "c", 0)]
    pairing = pair(_responses(prompts, answers, ("a", "b", "c")), "a", "b")
    assert pairing.prompts == ("1",)
    assert pairing.dropped == {"prompts_before_only": 1, "prompts_after_only": 1, "prompts_neither": 1}


def test_weights_make_unequal_samples_exact():
    prompts = [Prompt(id="1", text="q"), Prompt(id="2", text="Q"), Prompt(id="3", text="r")]
    answers = [
        *[("1", "a", s) for s in range(2)],
        *[("1", "b", s) for s in range(3)],
        ("2", "a", 0),
        ("2", "b", 0),
        ("3", "a", 0),
        ("3", "b", 0),
    ]
    pairing = pair(_responses(prompts, answers), "a", "b")
    assert pairing.n_units == 2
    assert pairing.weight.tolist() == [-3, -3, 2, 2, 2, -6, 6, -1, 1]
    assert pairing.scale.tolist() == [12.0, 1.0]  # six parts, two prompts
    assert not pairing.single


def test_order_of_prompts_does_not_matter():
    prompts = [Prompt(id=str(i), text=f"q{i % 3}") for i in range(6)]
    answers = [(str(i), m, 0) for i in range(6) for m in "ab"]
    one = pair(_responses(prompts, answers), "a", "b")
    other = pair(_responses(prompts[::-1], answers[::-1]), "a", "b")
    assert one.prompts == other.prompts == ("0", "3", "1", "4", "2", "5")
    assert one.prompt_unit.tolist() == other.prompt_unit.tolist() == [0, 0, 1, 1, 2, 2]


def test_errors_name_the_remedy():
    prompts = [Prompt(id="1", text="q"), Prompt(id="2", text="r")]
    responses = _responses(prompts, [("1", "a", 0), ("2", "b", 0)])
    with pytest.raises(ValueError, match="give both the same ids"):
        pair(responses, "a", "b")
    with pytest.raises(ValueError, match="two different checkpoints"):
        pair(responses, "a", "a")
    with pytest.raises(ValueError, match=r"choose from \['a', 'b'\]"):
        pair(responses, "a", "z")
