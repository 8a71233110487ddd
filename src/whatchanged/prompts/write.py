"""Prompts written by a model for one question, until every category has its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatchanged.artifacts import PromptSet
from whatchanged.llm import ChatModel, chat_model
from whatchanged.llm.blocking import run_blocking
from whatchanged.prompts.ask import purpose_of
from whatchanged.prompts.categories import choose_briefs
from whatchanged.prompts.rounds import Rounds
from whatchanged.prompts.sift import Sieve
from whatchanged.prompts.written import Written

__all__ = ["write_prompts"]


def write_prompts(
    model: str | ChatModel,
    *,
    question: str | None = None,
    before: str | None = None,
    after: str | None = None,
    n: int = 64,
    categories: Sequence[str] | Mapping[str, str] | None = None,
    there: PromptSet | None = None,
    seed: int = 0,
    per_call: int = 8,
    max_calls: int | None = None,
    max_tokens: int = 4096,
    temperature: float | None = 1.0,
    similarity: float = 0.6,
) -> Written:
    """Lets a model write prompts that answer a question about two checkpoints, or tell two apart.

    It is asked category by category, in rounds; a category that is short after a round (drafts were
    thrown away, calls failed, replies were malformed) is asked for again, until all are covered or
    `max_calls` is reached. The same replies give the same prompts.

    Args:
        model: The model that writes, or its name as in `collect`.
        question: What the prompts shall bring out, such as "does the new model hedge more?".
        before: Name of the baseline, if the model may know it.
        after: Name of the checkpoint compared with it; both, where there is no question.
        n: How many prompts, spread evenly over the categories, the first of which get one more.
        categories: Names of the bank's categories, or ``{name: what its prompts are about}``; by default
            all of the bank's that are not topics.
        there: Prompts that exist; none of them is written again.
        seed: Chooses subjects and voices, and seeds the model.
        per_call: Most prompts asked for in one call.
        max_calls: Most calls, failed ones included; by default twice as many as are needed if nothing
            is thrown away, and one more for each category.
        max_tokens: Limit of one reply.
        temperature: Of the sampling; ``None`` leaves it to the model.
        similarity: Jaccard similarity of five-character shingles, in (0, 1], from which a prompt counts
            as a near-duplicate of another.

    Returns:
        The prompts, whatever was thrown away with its reason, and the coverage. What could not be
        covered is in ``missing``, and ``stopped`` says why.

    Raises:
        ValueError: There is neither a question nor both names, a category is unknown, `n` is less than
            the number of categories, or a number is out of its range.
        LLMError: Access was denied or the budget exhausted before a single reply came.
    """
    purpose = purpose_of(question, before, after)
    briefs = choose_briefs(categories)
    if n < len(briefs):
        raise ValueError(
            f"n={n} cannot cover {len(briefs)} categories; ask for at least {len(briefs)}, or name fewer"
        )
    if per_call < 1 or max_tokens < 1 or (max_calls is not None and max_calls < 1):
        raise ValueError(
            f"per_call, max_calls and max_tokens must be at least 1; got {per_call}, {max_calls}, {max_tokens}"
        )
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity must be above 0 and at most 1; got {similarity}; 0.6 is the default")
    shares = {name: n // len(briefs) + (i < n % len(briefs)) for i, name in enumerate(briefs)}
    needed = sum(-(-share // per_call) for share in shares.values())
    writer = chat_model(model) if isinstance(model, str) else model
    rounds = Rounds(
        model=writer,
        purpose=purpose,
        briefs=briefs,
        wanted=shares,
        sieve=Sieve(there or (), similarity),
        seed=seed,
        per_call=per_call,
        max_calls=2 * needed + len(briefs) if max_calls is None else max_calls,
        max_tokens=max_tokens,
        temperature=temperature,
    )
    for prompt in there or ():
        rounds.taken.setdefault(str(prompt.category), []).append(prompt.text)
    run_blocking(rounds.run)
    return rounds.written(f"written by {writer.name} (n={n}, seed={seed}): {purpose}")
