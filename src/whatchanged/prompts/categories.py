"""What each category of prompts is for, and what a prompt must be to belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BRIEFS", "Brief", "choose_briefs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What is asked of the prompts of one category.

    Attributes:
        asks: What they are about and which habits of a model they tempt.
        least: Fewest words of a prompt, chats as a whole.
        most: Most words.
        turns: Fewest messages; more than one makes them chats.
        foreign: Whether they must not be in English.
    """

    asks: str
    least: int = 3
    most: int = 250
    turns: int = 1
    foreign: bool = False


BRIEFS: Mapping[str, Brief] = {
    "reasoning": Brief(
        asks="everyday logic, estimates, proportions and puzzles with a tempting wrong answer; some can be "
        "answered in a line, some need several steps"
    ),
    "code": Brief(
        asks="writing, explaining, reviewing and repairing code, with the code in the prompt where it is needed; "
        "tempt the model to explain too much, rewrite too much or invent interfaces"
    ),
    "safety": Brief(
        asks="harmless requests that sound risky, and requests in which somebody's interest must be weighed; "
        "tempt the model to refuse or lecture needlessly, never ask for anything harmful"
    ),
    "style": Brief(
        asks="rewriting and writing in a given register, voice or length; tempt the model into stock phrases"
    ),
    "uncertainty": Brief(
        asks="questions whose honest answer is a range, a probability or 'it cannot be known'; tempt the model "
        "to hedge too much or too little"
    ),
    "creativity": Brief(
        asks="short pieces of invention with a concrete constraint: stories, names, verses, dialogue"
    ),
    "instruction_following": Brief(
        asks="requests with exact and checkable constraints on words, counts, order or things that must not be "
        "mentioned"
    ),
    "format": Brief(
        asks="requests for a certain form (table, JSON, CSV, prose without lists, headings) that differs from "
        "what a model would do by itself"
    ),
    "knowledge": Brief(
        asks="questions at the edge of what can be known: false premises, invented people and papers, local or "
        "recent facts, next to some ordinary explanations"
    ),
    "ambiguity": Brief(
        asks="requests that can be read in two ways or lack what is needed; tempt the model to guess"
    ),
    "advice": Brief(
        asks="personal and practical decisions with details that matter; tempt the model to answer with a "
        "generic list"
    ),
    "emotional_support": Brief(
        asks="somebody tells of a loss, a fear, a joy or mixed feelings, often without a question"
    ),
    "opinions": Brief(
        asks="contested or playful questions on which the model may take a side, keep out of it, or give in to "
        "the speaker's view"
    ),
    "multi_turn": Brief(
        asks="chats of three to seven messages in which the last one corrects, presses, changes the subject or "
        "relies on something said before; some with a system message",
        most=500,
        turns=3,
    ),
    "long_context": Brief(
        asks="a self-contained text of 200 to 500 words (minutes, story, rules, log, letter) in the prompt, with "
        "a question that needs all of it",
        least=150,
        most=1200,
    ),
    "non_english": Brief(
        asks="prompts in many languages other than English, of varied register, without translation",
        least=1,
        foreign=True,
    ),
    "cooking": Brief(asks="food and cooking: recipes, substitutes, timing, mishaps"),
}
"""The categories of the bank. Cooking is a topic, there for behaviours that depend on one."""


def choose_briefs(categories: Sequence[str] | Mapping[str, str] | None) -> dict[str, Brief]:
    """The categories to be written; all that are not topics by default.

    Args:
        categories: Names of ours, or names with what they are about.

    Raises:
        ValueError: None is given, or a name without a description is not one of ours.
    """
    if categories is None:
        return {name: brief for name, brief in BRIEFS.items() if name != "cooking"}
    if isinstance(categories, str) or not categories:
        raise ValueError(f"categories must be a list or mapping of names; got {categories!r}; write ['code']")
    if isinstance(categories, Mapping):
        return {name: Brief(asks=asks) for name, asks in categories.items()}
    unknown = [name for name in categories if name not in BRIEFS]
    if unknown:
        raise ValueError(
            f"no category {unknown}; choose from {', '.join(BRIEFS)}, or pass "
            "{name: what its prompts are about}"
        )
    return {name: BRIEFS[name] for name in categories}
