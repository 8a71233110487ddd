"""What a release must not change, as a TOML file says it."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from whatchanged.errors import InputError
from whatchanged.text import OBSERVABLES

__all__ = ["Rule", "Rules", "read_rules"]

_ID = re.compile(r"h\d+")
_TARGETS = ("observable", "pattern", "features", "length", "hypothesis")


class Rule(BaseModel):
    """One guarded behaviour.

    Attributes:
        name: What the report calls it.
        observable: An observable of `whatchanged.text.OBSERVABLES`.
        pattern: A regular expression (case is ignored); an answer has it or not.
        features: SAE features; an answer has the group when any of them is active.
        length: The number of words; the tolerance is then relative (0.1: ten per cent longer).
        hypothesis: What an answer does, in words (*ends with an offer to help*); verified by what `counted` counts
            or by `judge`. With `source`, the id of a hypothesis there.
        source: ``from`` in the file: the run folder whose ``hypotheses.json`` the id is of, beside the file of
            rules; ``baseline`` is the one the candidate is held against.
        counted: What verifies the hypothesis: the name of an observable, or a term; of several terms any.
        place: Count it only in the ``opening`` (first 16 words) or ``closing`` (last 24) of answers.
        judge: Chat model that verifies the hypothesis: it sees both answers in random order and says which does it
            more, or neither.
        pairs: Most prompts the judge is asked about, drawn without looking at answers; all by default.
        direction: The change that is guarded against, seen from the candidate.
        tolerance: Largest acceptable net change: share of prompts with more in the candidate minus
            share with more in the baseline, or the relative change of length.
        proof: ``of-change``: the rule fails when a change beyond the tolerance is shown, and passes,
            with a remark, when the data cannot tell. ``of-no-change``: it passes only when the change
            is shown to lie within the tolerance (an equivalence test).
        statistic: ``presence`` counts prompts that have it, ``log_count`` prompts that have more of it. A judge
            decides which has more.
        minimum_prompts: With fewer paired prompts (of a judge: decided ones) the data cannot tell, whatever they say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    observable: str | None = None
    pattern: str | None = None
    features: tuple[int, ...] | None = None
    length: Literal[True] | None = None
    hypothesis: str | None = Field(default=None, min_length=1)
    source: str | None = Field(default=None, min_length=1, alias="from")
    counted: str | tuple[str, ...] | None = None
    place: Literal["opening", "closing"] | None = None
    judge: str | None = Field(default=None, min_length=1)
    pairs: int | None = Field(default=None, ge=1)
    direction: Literal["up", "down", "any"] = "any"
    tolerance: float = Field(ge=0)
    proof: Literal["of-change", "of-no-change"] = "of-change"
    statistic: Literal["presence", "log_count"] = "presence"
    minimum_prompts: int = Field(default=30, ge=1)

    @field_validator("observable")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in OBSERVABLES:
            raise ValueError(f"no observable {name!r}; choose from {', '.join(OBSERVABLES)}")
        return name

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression ({error}); correct it") from error
        return pattern

    @field_validator("counted")
    @classmethod
    def _countable(cls, counted: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if counted is None:
            return None
        terms = (counted,) if isinstance(counted, str) else counted
        if not terms or not all(t.strip() for t in terms):
            raise ValueError("name an observable, a term or a list of terms")
        if isinstance(counted, str) and counted not in OBSERVABLES:
            near = get_close_matches(counted, OBSERVABLES, n=1, cutoff=0.8)
            if near or "_" in counted:
                meant = f"; write {near[0]!r}" if near else f"; choose from {', '.join(OBSERVABLES)}"
                raise ValueError(
                    f"no observable {counted!r}{meant}, or [{counted!r}] to count the word itself"
                )
        return counted

    @model_validator(mode="after")
    def _verified(self) -> Rule:
        given = [
            shown
            for name, shown in (
                ("source", "from"), ("counted", "counted"), ("place", "place"), ("judge", "judge"), ("pairs", "pairs")
            )
            if getattr(self, name) is not None
        ]  # fmt: skip
        if given and self.hypothesis is None:
            raise ValueError(f"{', '.join(given)} belong to a hypothesis; name one, or leave them out")
        if self.counted is not None and self.judge is not None:
            raise ValueError("a hypothesis is counted or judged, not both; leave out counted or judge")
        if self.place is not None and self.counted is None:
            raise ValueError("a place is where something is counted; name it in counted, or leave out place")
        whole = OBSERVABLES.get(self.counted) if isinstance(self.counted, str) else None
        if self.place is not None and whole is not None and whole.spans is None:
            raise ValueError(f"{self.counted} is of the whole answer and has no place; leave out place")
        if self.source is None and self.hypothesis is not None and _ID.fullmatch(self.hypothesis):
            raise ValueError('an id is of some run; add from = "baseline" or a run folder')
        if self.judge is not None and self.statistic != "presence":
            raise ValueError("a judge says which answer does it more; leave out statistic")
        return self

    @model_validator(mode="after")
    def _one_target(self) -> Rule:
        named = [t for t in _TARGETS if getattr(self, t) not in (None, ())]
        if len(named) != 1:
            raise ValueError(
                f"a rule guards exactly one of {', '.join(_TARGETS)}; got {', '.join(named) or 'none'}"
            )
        if self.length is None and self.tolerance >= 1:
            raise ValueError(
                f"a tolerance is a share of prompts below 1; got {self.tolerance}; write 0.02 for 2 %"
            )
        if self.proof == "of-no-change" and self.tolerance == 0:
            raise ValueError("nothing can be shown to have changed by exactly 0; give a tolerance above 0")
        return self


class Rules(BaseModel):
    """A file of rules.

    Attributes:
        version: Of the format.
        alpha: Chance that any rule of the file fails although nothing changed beyond its tolerance.
        rule: The rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = Field(default=1, alias="schema")
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    rule: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Rules:
        names = [r.name for r in self.rule]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"names of rules must differ; got {repeated} more than once")
        return self

    @property
    def needs_features(self) -> bool:
        """Whether a rule names SAE features, so that the answers must be encoded."""
        return any(r.features for r in self.rule)


def read_rules(path: str | Path) -> Rules:
    """Read a file of rules.

    Raises:
        InputError: The file is missing, no TOML, or a rule is not well-formed; the message names the rule.
    """
    file = Path(path).expanduser()
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"the rules cannot be read: {error}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}; correct it", where=file.name) from error
    try:
        return Rules.model_validate(found)
    except ValidationError as error:
        problem = error.errors()[0]
        place = problem["loc"]
        rule = ""
        if len(place) > 1 and place[0] == "rule" and isinstance(place[1], int):
            given = found["rule"][place[1]]
            rule = f" of rule {given.get('name', place[1] + 1)!r}" if isinstance(given, dict) else ""
        field = ".".join(str(p) for p in place[2:] or place if isinstance(p, str))
        message = problem["msg"].removeprefix("Value error, ")
        where = f"{field}{rule}: " if field or rule else ""
        raise InputError(f"{where}{message}; got {problem['input']!r:.80}", where=file.name) from error
