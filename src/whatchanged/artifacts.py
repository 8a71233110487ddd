"""What the rooms hand each other: prompts, responses, features, a diff, findings.

Every artifact is frozen and holds its parent, so a `Diff` reaches the texts it came from. Nothing
here reads files, loads models or tests hypotheses.

Order: `Responses.answers` is sorted by prompt, then model, then sample. Row ``i`` of every
`Occurrences` table belongs to ``responses.answers[i]``; rows are never matched by anything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CHECKPOINT_COLUMNS",
    "CONDITION_COLUMNS",
    "DIFF_COLUMNS",
    "Answer",
    "Diff",
    "Dropped",
    "Evidence",
    "Features",
    "Finding",
    "Findings",
    "Hypotheses",
    "Hypothesis",
    "LabelScore",
    "Message",
    "NoiseFloor",
    "Occurrences",
    "Prompt",
    "PromptSet",
    "Responses",
    "TokenActivations",
    "TokenSource",
    "Trend",
]

Kind = Literal["feature", "observable", "lexical", "group"]
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: Who speaks.
        content: What is said.
    """

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question put to every checkpoint.

    Attributes:
        id: Unique name; answers are joined by it.
        text: What the model was asked; of a chat, ``role: content`` with blank lines between.
        category: Slice it belongs to, if any.
        cluster: Prompts with the same cluster are near-duplicates and count as one unit; ``None``
            means the prompt stands alone.
        messages: The chat to send where it is more than one user message; empty otherwise.
        reveals: The contrast the prompt is meant to show, in a few words, if anybody said so.
    """

    id: str
    text: str
    category: str | None = None
    cluster: str | None = None
    messages: tuple[Message, ...] = ()
    reveals: str | None = None

    @property
    def chat(self) -> tuple[Message, ...]:
        """The chat to send: `messages`, or `text` as one user message."""
        return self.messages or (Message(role="user", content=self.text),)


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """Prompts in a fixed order, with unique ids.

    Attributes:
        prompts: The prompts.
        source: Where they came from, for the manifest.
        dropped: What was left out on the way; takes no part in comparisons.
    """

    prompts: tuple[Prompt, ...]
    source: str = "memory"
    dropped: tuple[Dropped, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        repeated = [i for i, n in Counter(p.id for p in self.prompts).items() if n > 1]
        if repeated:
            raise ValueError(f"prompt ids must be unique; got {repeated[:3]!r} more than once; rename them")

    def __len__(self) -> int:
        return len(self.prompts)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)

    @cached_property
    def by_id(self) -> Mapping[str, Prompt]:
        """Each prompt by its id."""
        return {p.id: p for p in self.prompts}

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Index of each prompt id in this set."""
        return {p.id: i for i, p in enumerate(self.prompts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sampled answer of one checkpoint.

    Attributes:
        prompt_id: Prompt it answers.
        model: Checkpoint name, one of `Responses.models`.
        sample: Index of the sample, from 0.
        text: The answer; never empty.
        finish_reason: Why the model stopped, as the provider said; ``"length"`` means truncated.
    """

    prompt_id: str
    model: str
    text: str
    sample: int = 0
    finish_reason: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether the model ran out of tokens before it had finished."""
        return self.finish_reason in {"length", "max_tokens", "MAX_TOKENS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An answer that did not take part, or a prompt left out of a set, and why.

    Attributes:
        reason: ``missing``, ``empty``, ``errored``, ``refused_by_api`` (a content filter let nothing
            through), ``unasked`` (the collection stopped before it), ``duplicate`` (same prompt, model
            and sample again; of prompts, the same text as `prompt_id`), ``unlisted`` (its prompt is not
            in the set asked for), ``unpaired`` (no usable answer of another checkpoint to this prompt),
            ``truncated`` and ``partner_truncated`` (left out in pairs on request), or ``part`` (no
            answer but a part of one that is no text: a tool call, an image, reasoning).
        where: File and line, or of a collected answer what went wrong; where known.
    """

    reason: str
    prompt_id: str | None = None
    model: str | None = None
    sample: int | None = None
    where: str | None = None


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The answers of two or more checkpoints to the same prompts.

    Attributes:
        prompts: Prompts that at least two checkpoints answered.
        models: Checkpoint names; the first is *before* (the baseline).
        answers: Usable answers in canonical order (prompt, model, sample).
        dropped: Whatever did not take part, one entry each.
        source: Where the answers came from, for the manifest.
    """

    prompts: PromptSet
    models: tuple[str, ...]
    answers: tuple[Answer, ...]
    dropped: tuple[Dropped, ...] = ()
    source: str = "memory"

    def __post_init__(self) -> None:
        if len(self.models) < 2 or len(set(self.models)) != len(self.models):
            raise ValueError(f"two or more distinct model names are needed; got {self.models!r}")
        rank = {m: i for i, m in enumerate(self.models)}
        unknown = {a.model for a in self.answers} - rank.keys()
        if unknown:
            raise ValueError(
                f"answers of models that are not listed: {sorted(unknown)!r}; add them to models"
            )
        missing = {a.prompt_id for a in self.answers} - self.prompts.position.keys()
        if missing:
            raise ValueError(f"answers to prompts that are not in the set: {sorted(missing)[:3]!r}")
        order = self.prompts.position
        answers = tuple(sorted(self.answers, key=lambda a: (order[a.prompt_id], rank[a.model], a.sample)))
        object.__setattr__(self, "answers", answers)

    @property
    def before(self) -> str:
        """Name of the baseline checkpoint."""
        return self.models[0]

    @property
    def after(self) -> str:
        """Name of the checkpoint compared with it."""
        return self.models[1]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many answers were dropped for each reason, and how many kept ones are truncated."""
        counts = dict(sorted(Counter(d.reason for d in self.dropped).items()))
        truncated = sum(a.truncated for a in self.answers)
        return counts | ({"truncated": truncated} if truncated else {})

    def rows(self, model: str) -> dict[str, list[int]]:
        """Positions in `answers` of one model's samples, by prompt id."""
        if model not in self.models:
            raise ValueError(f"no model {model!r} here; choose from {list(self.models)}")
        found: dict[str, list[int]] = {}
        for i, answer in enumerate(self.answers):
            if answer.model == model:
                found.setdefault(answer.prompt_id, []).append(i)
        return found

    def swapped(self) -> Responses:
        """The same answers with *before* and *after* exchanged."""
        return replace(self, models=(self.models[1], self.models[0], *self.models[2:]))

    def to_pandas(self) -> pd.DataFrame:
        """One row per answer: prompt_id, prompt, category, model, sample, text, finish_reason."""
        import pandas as pd

        prompt = self.prompts.by_id
        return pd.DataFrame(
            {
                "prompt_id": [a.prompt_id for a in self.answers],
                "prompt": [prompt[a.prompt_id].text for a in self.answers],
                "category": [prompt[a.prompt_id].category for a in self.answers],
                "model": [a.model for a in self.answers],
                "sample": [a.sample for a in self.answers],
                "text": [a.text for a in self.answers],
                "finish_reason": [a.finish_reason for a in self.answers],
            }
        )


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Where things occur in answers: a sparse table of answers × columns (CSR).

    A column is an SAE feature, an observable or a word; positions count *units* of the answer
    (reader tokens for features, words for observables and lexical terms), from 0.

    Attributes:
        kind: What a column is.
        names: Name of each column, or ``None`` where the index is the name.
        n_columns: Number of columns, those that never occur included.
        n_units: Length of each answer in units, ``[answers]``.
        indptr: CSR row pointer, ``[answers + 1]``.
        column: Column of each entry, ascending within a row, ``[entries]``.
        maximum: Largest activation (for counted things, the count), ``[entries]``, > 0.
        count: Number of units on which the column is active, ``[entries]``, >= 1.
        total: Sum of activations over the answer, ``[entries]``.
        first: Position of the first active unit, ``[entries]``.
        last: Position of the last active unit, ``[entries]``.
        graded: Whether `maximum` is an activation; ``False`` where it merely repeats `count`.
    """

    kind: Kind
    n_columns: int
    n_units: NDArray[np.int32]
    indptr: NDArray[np.int64]
    column: NDArray[np.int32]
    maximum: NDArray[np.float32]
    count: NDArray[np.int32]
    total: NDArray[np.float32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    names: tuple[str, ...] | None = None
    graded: bool = True

    def __post_init__(self) -> None:
        assert len(self.indptr) == len(self.n_units) + 1, "one row pointer per answer"
        entries = int(self.indptr[-1])
        for name in ("column", "maximum", "count", "total", "first", "last"):
            assert len(getattr(self, name)) == entries, f"{name} has one value per entry"
        assert self.names is None or len(self.names) == self.n_columns, "one name per column"

    def name(self, column: int) -> str:
        """Name of a column as it stands in tables."""
        return self.names[column] if self.names is not None else str(column)

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Answer index of each entry, ``[entries]``."""
        return np.repeat(np.arange(len(self.n_units)), np.diff(self.indptr))


@dataclass(frozen=True, kw_only=True)
class Features:
    """The answers as a reader LLM and an SAE see them.

    Attributes:
        responses: The answers.
        occurrences: Pooled feature activations, one row per answer.
        reader: Name, hook point, template, limit and dtype of the reader, for the manifest.
        sae: Name, architecture, width and fingerprint of the SAE.
        fingerprint: Identifies reader, SAE, template and options; equal fingerprints are comparable.
        cut: Whether the answer was longer than the reader's limit, ``[answers]``.
        masked: Tokens left out as massive activations, ``[answers]``.
        shards: Files that hold the per-token activations, in the order of `shard`.
        shard: Index into `shards` for each answer, ``[answers]``.
        shard_row: Row within that shard, ``[answers]``.
        encoded: How many answers were encoded for this call; the rest came from the cache.
        health: Measured L0 and explained variance of the load check.
    """

    responses: Responses
    occurrences: Occurrences
    reader: Mapping[str, Any]
    sae: Mapping[str, Any]
    fingerprint: str
    cut: NDArray[np.bool_]
    masked: NDArray[np.int32]
    shards: tuple[Path, ...]
    shard: NDArray[np.int32]
    shard_row: NDArray[np.int32]
    encoded: int = 0
    health: Mapping[str, Any] = field(default_factory=dict)


DIFF_COLUMNS: Mapping[str, str] = {
    "before": "name of the baseline checkpoint",
    "after": "name of the checkpoint compared with it",
    "kind": "feature, observable, lexical or group",
    "feature": "feature index, observable name or lexical term, as text",
    "statistic": "the sign test that gave the smallest p: presence, high_presence, log_count, log_maximum, "
    "opening or closing",
    "rate_before": "share of prompts whose before-answers have more of it by that statistic (for presence-like "
    "statistics with one sample: the share of answers that have it)",
    "rate_after": "the same for after",
    "delta": "rate_after - rate_before; positive means more in after",
    "lo": "lower end of the 95 % Tango score interval of delta",
    "hi": "upper end of the same interval",
    "p": "two-sided p: the smallest of the testable sign tests times their number, at most 1",
    "q": "Benjamini-Hochberg adjusted p over every row tested in the report",
    "delta_length": "delta of presence when both answers are cut to the shorter length",
    "replication": "share of split halves in which the sign is confirmed at one-sided p <= .05",
    "tags": "artefact and length tags, separated by spaces",
    "reason": "why there is no p (too_rare, constant, no_discordant_pairs), else empty",
    "n": "units compared (prompts, near-duplicates as one)",
    "n_after": "units with more of it in after (discordant)",
    "n_before": "units with more of it in before (discordant)",
    "per_1000_before": "active tokens (words, for counted things) per 1,000 in the before-answers; NaN for "
    "what is measured over a whole answer",
    "per_1000_after": "the same for after",
    "p_prefix": "two-sided p of presence when both answers are cut to the shorter length",
    "p_firth": "p of the effect in a Firth-penalised conditional logistic regression on log length",
    "length": "verdict of the length rule: ok, length-driven, length-not-identifiable or empty when not asked",
    "column": "index of the column in its table",
}
"""Meaning of every column of `Diff.table`, in order."""

CONDITION_COLUMNS: Mapping[str, str] = {
    "after": "checkpoint compared with the baseline",
    "kind": "kind of the finding",
    "feature": "its name, as in the table of the diff",
    "attribute": "what prompts have in common: category, length or word",
    "value": "which category or word; short or long for the shortest and the longest third",
    "asked": "direction (among discordant units) or occurrence (among all, where nearly all moved one way)",
    "n_in": "units with the attribute",
    "delta_in": "net share of them with more of it in after",
    "lo_in": "lower end of the 95 % Tango score interval of delta_in",
    "hi_in": "upper end of the same interval",
    "n_out": "units without the attribute",
    "delta_out": "net share of them with more of it in after",
    "p": "exact p when the attribute is exchanged at random among the units asked about",
    "q": "Benjamini-Hochberg adjusted p over every question asked in the report",
    "questions": "how many questions that were",
}
"""Meaning of every column of `Diff.conditions`, in order."""


CHECKPOINT_COLUMNS: Mapping[str, str] = {
    "kind": "kind of the finding",
    "feature": "its name, as in the table of the diff",
    "statistic": "the statistic of the comparison in which its p is smallest, used for every checkpoint",
    "after": "checkpoint compared with the baseline",
    "rate_before": "as in the table of the diff, by that statistic",
    "rate_after": "the same for after",
    "delta": "net share of units with more of it in after, by that statistic",
    "lo": "lower end of the 95 % Tango score interval of delta",
    "hi": "upper end of the same interval",
    "n": "units compared",
    "n_after": "units with more of it in after",
    "n_before": "units with more of it in before",
}
"""Meaning of every column of `Diff.checkpoints`, in order."""


def _no_conditions() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(CONDITION_COLUMNS))


def _no_checkpoints() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(CHECKPOINT_COLUMNS))


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """What chance alone can do, from label swaps.

    Attributes:
        discordant: Number of discordant units, ascending, ``[k]``.
        delta: Smallest absolute net share of discordant units, times discordant / n, that fewer than
            5 % of swapped reports reach anywhere, ``[k]``; 1 where no outcome would suffice.
        p: The smallest row p that 5 % of the swapped reports reach.
        draws: Number of label swaps.
        any_discovery: Share of swapped reports with any row at q <= alpha.
        lower: Lower end of its one-sided 95 % Clopper-Pearson interval.
    """

    discordant: NDArray[np.int64]
    delta: NDArray[np.float64]
    p: float
    draws: int
    any_discovery: float
    lower: float


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What differs between a baseline and one or more other checkpoints, row by row, with tests.

    Attributes:
        features: The features compared (its `responses` hold the texts).
        families: Every table that was contrasted, the features' own first.
        table: One row per column of every family, comparison by comparison; see `DIFF_COLUMNS`.
        noise: The label-swap noise floor, of the first comparison.
        slices: Per-category contrast of the discovered rows: kind, feature, category, n, delta, lo,
            hi, p_heterogeneity; of several comparisons *after* too.
        summary: Counts and settings: pairs, tested rows, alpha, seed, length medians, replication. Of
            several comparisons those of the whole, and of each in ``comparisons``.
        noises: The noise floor of each comparison, by the name of *after*; empty where there is one.
        conditions: On which prompts findings moved; see `CONDITION_COLUMNS`.
        checkpoints: Of several comparisons, each row that is a finding in any of them at every checkpoint by
            one statistic, so that checkpoints can be set side by side; see `CHECKPOINT_COLUMNS`. Else empty.
    """

    features: Features
    families: tuple[Occurrences, ...]
    table: pd.DataFrame
    noise: NoiseFloor
    slices: pd.DataFrame
    summary: Mapping[str, Any]
    noises: Mapping[str, NoiseFloor] = field(default_factory=dict)
    conditions: pd.DataFrame = field(default_factory=_no_conditions)
    checkpoints: pd.DataFrame = field(default_factory=_no_checkpoints)

    @property
    def responses(self) -> Responses:
        """The answers behind the diff."""
        return self.features.responses

    def noise_of(self, after: str) -> NoiseFloor:
        """The noise floor of one comparison."""
        return self.noises.get(after, self.noise)

    def family(self, kind: str) -> Occurrences:
        """The table of one kind of column."""
        for family in self.families:
            if family.kind == kind:
                return family
        raise ValueError(f"no {kind!r} rows in this diff; it has {[f.kind for f in self.families]}")

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table of their own, smallest q first."""
        return self.table.copy()


@dataclass(frozen=True, kw_only=True)
class Trend:
    """What rises or falls along a series of checkpoints.

    Attributes:
        features: The features compared.
        families: Every table that was contrasted, the features' own first.
        table: One row per column of every family; see `whatchanged.diff.TREND_COLUMNS`.
        levels: Of rows at q <= alpha: kind, feature, model, step, level (the mean of the row's statistic).
        noise: The floor from reversing the order within prompts at random.
        summary: Counts and settings.
    """

    features: Features
    families: tuple[Occurrences, ...]
    table: pd.DataFrame
    levels: pd.DataFrame
    noise: NoiseFloor
    summary: Mapping[str, Any]

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table of their own."""
        return self.table.copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A stretch of one answer and how strongly the finding is active on each token.

    Attributes:
        model: Checkpoint that wrote it.
        prompt_id: Prompt it answers.
        sample: Sample index.
        tokens: Text of each token; their concatenation is the stretch.
        activations: Activation on each token, 0 where inactive, in the SAE's units.
        cut_left: Whether the answer goes on to the left of the stretch.
        cut_right: Whether it goes on to the right.
    """

    model: str
    prompt_id: str
    sample: int
    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    cut_left: bool = False
    cut_right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """How well a label tells answers apart that it has never seen.

    Attributes:
        value: Share of balanced decisions that were right; 0.5 is a coin.
        lo: Lower end of its 95 % Wilson interval.
        hi: Upper end.
        n: Decisions made.
        method: Who decided and how, in words.
        missing: Decisions that a judge owed and did not give; they count neither way.
    """

    value: float
    lo: float
    hi: float
    n: int
    method: str
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One behaviour that changed, or one row set aside, with its evidence.

    Attributes:
        id: Stable name within the report, such as ``feature:123``.
        kind: Kind of the leading row.
        label: Short words for what it fires on.
        label_source: How the label was made (``lexical``, ``observable``, an importer's name).
        statement: One sentence with the numbers.
        rows: Index in `Diff.table` of the leading row, then of its redundant members.
        statistic, rate_before, rate_after, delta, lo, hi, p, q: Those of the leading row.
        tags: Artefact and length tags.
        notes: Plain-language lines about tags, position and observables.
        evidence: Stretches from both sides, strongest first.
        agrees: Names of observables that moved the same way on the same answers.
        contradicts: Names of observables the label names that moved the other way.
        label_score: Can texts with it be told from texts without by the label alone (detection); ``None``
            where nobody asked or there is nothing to ask (an observable or a term is what it says).
        fuzzing_score: Are the marked tokens the ones the label means; asked of an LLM only.
    """

    id: str
    kind: Kind
    label: str
    label_source: str
    statement: str
    rows: tuple[int, ...]
    statistic: str
    rate_before: float
    rate_after: float
    delta: float
    lo: float
    hi: float
    p: float
    q: float
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    agrees: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    label_score: LabelScore | None = None
    fuzzing_score: LabelScore | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The behaviours that changed, strongest first, and the rows set aside.

    Attributes:
        diff: Where they came from.
        items: Behaviour findings, ranked by q, then by absolute delta.
        aside: Length-driven and artefact rows that are significant but are no behaviour.
        summary: Counts of significant rows, of those shown, and of those left out by the limit.
    """

    diff: Diff
    items: tuple[Finding, ...]
    aside: tuple[Finding, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)


Verdict = Literal["verified", "consistent", "unconfirmed", "contradicted", "not_judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One sentence about what changed, and what held-out pairs say of it.

    Attributes:
        id: Stable name within its list, such as ``h1``.
        behaviour: What an answer does, without naming a checkpoint.
        direction: 1 if *after* is said to do it more, -1 if *before* is.
        findings: Ids of the findings it was made from.
        method: How it was checked: the judge's name, or what was counted; empty where it could not be.
        verdict: ``verified`` (q <= alpha, as predicted, on prompts nothing was made from), ``consistent``
            (the same on prompts that discovery had seen), ``contradicted`` (q <= alpha the other way),
            ``unconfirmed``, or ``not_judged`` (no pair was decided).
        n: Units (prompts, near-duplicates as one) that were decided, ties included.
        n_after: Those in which the after-answers do it more.
        n_before: Those in which the before-answers do.
        missing: Units for which no decision came; they count neither way.
        delta: ``(n_after - n_before) / n``; NaN without a decision.
        lo: Lower end of its 95 % Tango interval.
        hi: Upper end.
        p: Exact two-sided sign-test p; NaN without a decision.
        q: Benjamini-Hochberg adjusted p over the list.
    """

    id: str
    behaviour: str
    direction: int
    findings: tuple[str, ...]
    method: str
    verdict: Verdict
    n: int
    n_after: int
    n_before: int
    missing: int
    delta: float
    lo: float
    hi: float
    p: float
    q: float


@dataclass(frozen=True, kw_only=True)
class Hypotheses:
    """What changed in sentences, each checked.

    Attributes:
        items: The hypotheses, in the order in which they were written.
        summary: Writer, judge, seed, alpha, prompts held out, whether these were fresh, what was dropped
            and why, and calls, tokens and cost.
    """

    items: tuple[Hypothesis, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Hypothesis]:
        return iter(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenActivations:
    """Feature activations on every reader token of one answer (CSR, tokens × features).

    Attributes:
        tokens: Text of each token; their concatenation is the answer, up to what byte-level tokens
            and a reader's limit leave out.
        indptr: CSR row pointer, ``[tokens + 1]``.
        column: Feature of each entry, ``[entries]``.
        value: Activation of each entry, ``[entries]``, > 0.
        masked: Whether the token is a massive activation, which takes no part in pooling, ``[tokens]``.
    """

    tokens: tuple[str, ...]
    indptr: NDArray[np.int64]
    column: NDArray[np.int32]
    value: NDArray[np.float32]
    masked: NDArray[np.bool_]

    def __post_init__(self) -> None:
        assert len(self.indptr) == len(self.tokens) + 1, "one row pointer per token"
        assert len(self.masked) == len(self.tokens), "one mask per token"
        assert len(self.column) == len(self.value) == int(self.indptr[-1]), "one value per entry"


@runtime_checkable
class TokenSource(Protocol):
    """Where interpretation reads token activations and decoder rows."""

    def document(self, answer_index: int) -> TokenActivations:
        """Token activations of ``responses.answers[answer_index]``."""
        ...

    def decoder(self, columns: Sequence[int]) -> NDArray[np.float32] | None:
        """Unit-norm decoder rows of the features, ``[columns, d_model]``; ``None`` if there are none."""
        ...
