"""Rules about hypotheses: counted like observables, judged blind, and refused where nothing verifies them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gate_world import answers

import whatchanged as wc
from whatchanged.artifacts import Hypotheses, Hypothesis
from whatchanged.errors import ContentRefused, InputError, LLMError
from whatchanged.gate import (
    Claim,
    Rules,
    Verdict,
    check,
    claims_of,
    judges_of,
    judges_said,
    lines,
    read_known,
)
from whatchanged.interpret import Asker, LabelStore, hypotheses_json
from whatchanged.llm import ChatRequest, Price, ScriptedModel
from whatchanged.store import write_json

SENTENCE = "begins with an apology"


def rules(**rule: object) -> Rules:
    return Rules.model_validate({"rule": [{"name": "r", "tolerance": 0.05, "hypothesis": SENTENCE, **rule}]})


def one(world: wc.Responses, **rule: object) -> Verdict:
    return check(world, rules(**rule))[0]


def sees(request: ChatRequest) -> str:
    """A judge that reads: which of the two answers apologises?"""
    text = request.messages[-1].content
    first, second = text.split("Answer 1:")[1].split("Answer 2:")
    has = ["Sorry" in part.split("Which answer does this more")[0] for part in (first, second)]
    choice = "tie" if has[0] == has[1] else "1" if has[0] else "2"
    return f'{{"choice": "{choice}"}}'


def judged(
    world: wc.Responses,
    model: ScriptedModel,
    *,
    store: LabelStore | None = None,
    seed: int = 0,
    **rule: object,
) -> tuple[Verdict, Asker]:
    asker = Asker(model=model, store=store, attempts=2)
    guarded = rules(judge=model.name, **rule)
    [verdict] = check(world, guarded, judges={model.name: asker}, seed=seed)
    return verdict, asker


def numbers(v: Verdict) -> tuple[object, ...]:
    return v.failed, v.shown, v.delta, v.lo, v.hi, v.n, v.n_after, v.n_before, v.needed


@pytest.mark.parametrize("direction", ["up", "down", "any"])
@pytest.mark.parametrize("proof", ["of-change", "of-no-change"])
def test_counting_a_hypothesis_judging_it_and_a_pattern_give_the_same_numbers(
    direction: str, proof: str
) -> None:
    world = answers(10, 40, 5, 145)
    options = {"direction": direction, "proof": proof}
    [pattern] = check(
        world,
        Rules.model_validate({"rule": [{"name": "r", "pattern": "^sorry", "tolerance": 0.05, **options}]}),
    )
    counted = one(world, counted=["sorry"], **options)
    seen, asker = judged(world, ScriptedModel(sees), **options)
    assert numbers(counted) == numbers(seen) == numbers(pattern)
    assert (counted.method, seen.method) == ('counted: "sorry"', "judged by scripted")
    assert (counted.missing, seen.missing, asker.calls) == (0, 0, 200)
    assert 'counted: "sorry"' in counted.message


@pytest.mark.parametrize("observable", ["bullets", "apology", "exclamation_marks"])
@pytest.mark.parametrize("statistic", ["presence", "log_count"])
def test_an_observable_says_the_same_whether_it_is_guarded_itself_or_verifies_a_sentence(
    observable: str, statistic: str
) -> None:
    world = answers(20, 30, 4, 46, mark="I apologise!\n- one\n- two!\n\n")
    [itself] = check(
        world,
        Rules.model_validate(
            {"rule": [{"name": "r", "observable": observable, "tolerance": 0.05, "statistic": statistic}]}
        ),
    )
    assert numbers(one(world, counted=observable, statistic=statistic)) == numbers(itself)


def test_a_place_narrows_what_is_counted() -> None:
    far = "word " * 40
    world = answers(0, 40, 0, 40, mark=f"{far} sorry, {far}")
    assert one(world, counted="sorry").failed
    assert one(world, counted="sorry", place="opening").n_after == 0
    assert one(world, counted="sorry", place="closing").n_after == 0


def test_swapping_the_sides_negates_a_counted_and_a_judged_hypothesis() -> None:
    world = answers(10, 30, 5, 100)
    for verdicts in (
        [one(w, counted="sorry") for w in (world, world.swapped())],
        [judged(w, ScriptedModel(sees))[0] for w in (world, world.swapped())],
    ):
        there, back = verdicts
        assert (back.delta, back.n_after, back.n_before) == (-there.delta, there.n_before, there.n_after)
        assert (back.lo, back.hi) == (-there.hi, -there.lo)


def test_a_judge_who_always_says_the_first_finds_no_change() -> None:
    shown = {
        judged(answers(0, 0, 0, 300), ScriptedModel(lambda _: '{"choice": "1"}'), seed=s)[0].delta
        for s in (1, 2)
    }
    assert len(shown) == 2  # the order is drawn by the seed
    assert all(abs(delta) < 0.2 for delta in shown)


def test_a_judge_is_blind_to_checkpoints_and_direction() -> None:
    model = ScriptedModel(sees)
    judged(answers(5, 5, 5, 5), model, direction="up")
    said = [r.messages[-1].content for r in model.requests]
    assert all(SENTENCE in text and "old" not in text and "new" not in text for text in said)


def test_failures_are_missing_counted_and_no_evidence() -> None:
    world = answers(0, 40, 0, 40)

    def moody(request: ChatRequest) -> str | LLMError:
        refused = any(f"question number {i}\n" in request.messages[-1].content for i in (3, 50, 51))
        return ContentRefused("no", free=True) if refused else sees(request)

    verdict, asker = judged(world, ScriptedModel(moody))
    assert (verdict.n, verdict.n_after, verdict.missing) == (77, 39, 3)
    assert "judged by scripted, 3 undecided" in verdict.message
    assert asker.summary["failures"] == {"content_refused": 3}
    few = judged(world, ScriptedModel(moody), minimum_prompts=78)[0]
    assert (few.shown, few.failed) == ("unknown", False)
    assert "asks for 78 prompts, there are 77" in few.message
    with pytest.raises(LLMError, match=r"decided none of 80 pairs \(80 content_refused\)"):
        judged(world, ScriptedModel(lambda _: ContentRefused("no", free=True)))
    with pytest.raises(LLMError, match="no reply was the JSON asked for"):
        judged(world, ScriptedModel(lambda _: "Both are lovely."))


def test_pairs_limit_what_is_asked_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    world, store = answers(10, 40, 5, 145), LabelStore(tmp_path / "cache", copies=tmp_path / "replies")
    some, asker = judged(world, ScriptedModel(sees), store=store, pairs=60)
    assert (some.n, asker.calls) == (60, 60)
    every, asker = judged(world, ScriptedModel(sees), store=store)
    assert (every.n, asker.calls, asker.kept) == (200, 140, 60)
    again, asker = judged(world, ScriptedModel(lambda _: ContentRefused("no")), store=store)
    assert (again, asker.calls) == (every, 0)
    only = LabelStore(tmp_path / "replies")
    copied, asker = judged(world, ScriptedModel(lambda _: ContentRefused("no")), store=only)
    assert (copied, asker.calls) == (every, 0)


def test_what_a_judge_cost_is_told() -> None:
    world = answers(0, 40, 0, 40)

    def moody(request: ChatRequest) -> str | LLMError:
        return (
            ContentRefused("no") if "question number 7\n" in request.messages[-1].content else sees(request)
        )

    _, asker = judged(world, ScriptedModel(moody, price=Price(prompt=1e-6, completion=1e-6)))
    words = sum(u.prompt_tokens + u.completion_tokens for u in asker.usages)
    assert asker.summary["cost"] == pytest.approx(words * 1e-6)
    assert judges_said({"m": asker.summary}) == [
        f"judge m: 80 calls, ${words * 1e-6:.4f} and 1 calls of unknown cost, 1 pairs undecided"
    ]


def test_near_duplicate_prompts_count_once() -> None:
    world = answers(0, 40, 0, 40)
    same = tuple(wc.Prompt(id=p.id, text="the same" if int(p.id[1:]) < 20 else p.text) for p in world.prompts)
    world = wc.Responses(prompts=wc.PromptSet(prompts=same), models=world.models, answers=world.answers)
    assert (one(world, counted="sorry").n, one(world, counted="sorry").n_after) == (61, 21)
    assert judged(world, ScriptedModel(sees))[0].n == 61


def test_several_samples_are_one_prompt_for_counting() -> None:
    world = answers(0, 40, 0, 0)
    more = [wc.Answer(prompt_id=a.prompt_id, model=a.model, text="plain", sample=1) for a in world.answers]
    world = wc.Responses(prompts=world.prompts, models=world.models, answers=(*world.answers, *more))
    assert (one(world, counted="sorry").n, one(world, counted="sorry").n_after) == (40, 40)


def hypothesis(name: str, method: str) -> Hypothesis:
    return Hypothesis(
        id=name, behaviour=SENTENCE, direction=1, findings=(), method=method, verdict="verified",
        n=9, n_after=9, n_before=0, missing=0, delta=1.0, lo=0.7, hi=1.0, p=0.004, q=0.004,
    )  # fmt: skip


def test_a_hypothesis_of_a_run_is_verified_as_it_was_there(tmp_path: Path) -> None:
    made = Hypotheses(
        items=(
            hypothesis("h1", 'counted: "sorry" · opening'),
            hypothesis("h2", "counted: less of apology"),
            hypothesis("h3", "judged by some/model"),
            hypothesis("h4", ""),
        )
    )
    (tmp_path / "runs" / "june").mkdir(parents=True)
    write_json(tmp_path / "runs" / "june" / "hypotheses.json", hypotheses_json(made, before="a", after="b"))
    world = answers(0, 40, 0, 40, mark="I apologise, sorry.")

    def of(name: str, source: str = "runs/june", **more: object) -> Claim:
        guarded = rules(hypothesis=name, **{"from": source}, **more)
        judge = str(more.pop("judge", "")) or None
        known = read_known(guarded, baseline=f"{tmp_path / 'runs' / 'june'}#b", here=tmp_path)
        return claims_of(guarded, known=known, judge=judge)["r"]

    first = of("h1")
    assert (first.behaviour, first.method) == (SENTENCE, 'counted: "sorry" · opening')
    assert of("h1", "baseline") == first
    less = of("h2")
    [verdict] = check(world, rules(hypothesis="h2", **{"from": "x"}), claims={"r": less})
    assert (verdict.n_after, verdict.n_before) == (
        0,
        40,
    )  # it has more apologies, so less of what the sentence says
    assert of("h3", judge="some/model").judge == "some/model"
    with pytest.raises(InputError, match=r'judge = "some/model" in the rule, or --judge some/model'):
        of("h3")
    with pytest.raises(InputError, match="nothing verifies the hypothesis of rule 'r'"):
        of("h4")
    with pytest.raises(InputError, match="has no hypothesis 'h9'; it has h1, h2, h3, h4"):
        of("h9")
    with pytest.raises(
        InputError, match=r"there is no .*july/hypotheses.json; name a run folder that has hypotheses"
    ):
        of("h1", "runs/july")


def test_what_verifies_a_hypothesis_is_looked_for_in_order() -> None:
    assert (
        claims_of(rules(counted="sorry"), judge="a/b")["r"].judge is None
    )  # a model is asked only where it must be
    assert claims_of(rules(judge="c/d"), judge="a/b")["r"].judge == "c/d"
    assert claims_of(rules(), judge="a/b")["r"].judge == "a/b"
    with pytest.raises(InputError) as refused:
        claims_of(rules(hypothesis="uses numbered lists"))
    assert 'counted = "numbered_items"' in str(refused.value)  # what the sentence itself lets one count
    assert "--judge MODEL" in str(refused.value)
    with pytest.raises(ValueError, match=r"judged by 'a/b', which is not among the judges \[\]"):
        check(answers(1, 1, 1, 1), rules(judge="a/b"))
    with pytest.raises(ValueError, match="has no claim"):
        check(answers(1, 1, 1, 1), rules(counted="sorry"), claims={})


def test_judges_are_one_per_model_and_share_a_purse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path))
    script = tmp_path / "rules.jsonl"
    script.write_text('{"text": "{\\"choice\\": \\"tie\\"}"}\n')
    name = f"scripted:{script}"
    claims = {str(i): Claim(behaviour=f"{i}", judge=name) for i in range(3)}
    found = judges_of(claims, cost_limit=0.0)  # free, so that a limit of nothing is kept
    assert list(found) == [name]
    guarded = Rules.model_validate(
        {"rule": [{"name": str(i), "hypothesis": f"{i}", "tolerance": 0.1, "judge": name} for i in range(3)]}
    )
    verdicts = check(answers(0, 0, 0, 60), guarded, claims=claims, judges=found)
    assert {v.shown for v in verdicts} == {"within"}
    assert found[name].summary["calls"] == 180
    assert lines(verdicts)[-1].startswith("0 of 3 rules failed")


def test_the_error_rates_of_a_counted_hypothesis_are_those_of_every_rule() -> None:
    """At a true change of exactly the tolerance the gate shuts for at most alpha of candidates."""
    rng = np.random.default_rng(11)
    shut, draws = 0, 150
    for _ in range(draws):
        more, less, _ = rng.multinomial(100, [0.15, 0.10, 0.75])
        world = answers(0, int(more), int(less), int(100 - more - less))
        shut += one(world, counted="sorry", direction="up").failed
    assert shut / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
