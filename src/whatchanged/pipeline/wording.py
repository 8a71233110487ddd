"""Labels and hypotheses of a run: asked for once, and kept in its folder.

Beside them stand the replies they were made from (``replies/``), and in the manifest who was asked, with which seed, and
what that took: so they can be made again from the folder alone (`whatchanged.pipeline.remade`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Hypotheses
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.store import fingerprint, read_json, update_manifest, write_json

if TYPE_CHECKING:
    from whatchanged.interpret import Asker, LabelSheet
    from whatchanged.llm import Price
    from whatchanged.llm.limited import Purse

__all__ = [
    "REPLIES",
    "Asking",
    "hypotheses_made",
    "hypotheses_of",
    "hypotheses_run",
    "label_run",
    "labels_made",
    "remarks_of",
    "sheet_of",
    "sheet_print",
]

REPLIES = "replies"
"""Folder in a run folder with a copy of every reply that labels, scores or verdicts were made from."""

_DRAWS = 20  # the noise floor of the discovery half is not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom to ask, and what that may cost; no names, no questions.

    Attributes:
        writer: Chat model that writes labels, and hypotheses where they are asked for.
        judge: Chat model that scores labels and judges hypotheses.
        purse: What both may cost together; ``None`` is without limit.
        prices: Prices by model name, for providers that list none.
    """

    writer: str | None = None
    judge: str | None = None
    purse: Purse | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)

    def asker(self, name: str | None, folder: Path) -> Asker | None:
        """One of the two, ready to be asked; the run folder gets a copy of what it says.

        Raises:
            ValueError: The name is no chat model's.
            InputError: There is a limit, and no price.
        """
        from whatchanged.interpret import Asker, LabelStore
        from whatchanged.llm import chat_model
        from whatchanged.llm.limited import Limited

        if name is None:
            return None
        model = chat_model(name)
        limited = model if self.purse is None else Limited(model, self.purse, self.prices)
        return Asker(model=limited, store=LabelStore(copies=folder / REPLIES))


def sheet_of(folder: Path) -> LabelSheet | None:
    """The labels a run folder keeps in ``labels.json``, with their scores; ``None`` without any.

    Raises:
        StoreError: The file is damaged.
    """
    from whatchanged.interpret import read_sheet

    kept = folder / "labels.json"
    return read_sheet(read_json(kept), where=str(kept)) if kept.exists() else None


def hypotheses_of(folder: Path) -> Hypotheses | None:
    """The hypotheses a run folder keeps in ``hypotheses.json``; ``None`` without any.

    Raises:
        StoreError: The file is damaged.
    """
    from whatchanged.interpret import read_hypotheses

    kept = folder / "hypotheses.json"
    return read_hypotheses(read_json(kept), where=str(kept)) if kept.exists() else None


def remarks_of(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """What the hypotheses in ``hypotheses.json`` say, by the id of the finding; empty without any.

    Raises:
        StoreError: The file is damaged.
    """
    from whatchanged.interpret import remarks

    made = hypotheses_of(folder)
    if made is None:
        return {}
    return remarks(made, before=made.summary["before"], after=made.summary["after"])


def label_run(
    folder: Path,
    diff: Diff,
    asking: Asking,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> LabelSheet:
    """Have the leading features labelled, and the labels scored; kept as ``labels.json``.

    Args:
        folder: Run folder.
        diff: Its diff.
        asking: Whom to ask. Without a writer the labels in the folder are scored; without a judge they stay
            unscored.
        seed: Of the split and of every draw.
        progress: Where to tell how far it is.

    Raises:
        ValueError: A name is no chat model's, or there is neither a labeller nor labels to score.
        LLMError: A model cannot be asked; run it again to go on, nothing is paid twice.
    """
    if progress and progress.stage:
        progress.stage(f"labels by {asking.writer or 'the run'}, scored by {asking.judge or 'nobody'}")
    labeller, judge = asking.asker(asking.writer, folder), asking.asker(asking.judge, folder)
    with timed(folder, "label"):
        sheet = labels_made(diff, labeller=labeller, judge=judge, known=sheet_of(folder), seed=seed)
        write_json(folder / "labels.json", sheet.to_dict())
    record = {"seed": seed, "labeller": _record(labeller), "judge": _record(judge)}
    update_manifest(folder, {"labels": record})
    _tell(progress, *sheet.asked.values())
    return sheet


def labels_made(
    diff: Diff, *, labeller: Asker | None, judge: Asker | None, known: LabelSheet | None, seed: int
) -> LabelSheet:
    """Labels of the leading features with their scores; see `whatchanged.interpret.label_findings`."""
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import interpret, label_findings

    tokens = ShardTokens(diff.features)
    findings = interpret(diff, tokens=tokens, seed=seed, scored=False)
    return label_findings(findings, tokens=tokens, labeller=labeller, judge=judge, known=known, seed=seed)


def hypotheses_run(
    folder: Path,
    diff: Diff,
    asking: Asking,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Hypotheses:
    """Discover on half of the run's prompts, write hypotheses, verify on the other half; ``hypotheses.json``.

    Nothing is encoded again. Labels that were made from other prompts than the discovery half are not shown
    to the writer.

    Args:
        folder: Run folder.
        diff: Its diff.
        asking: Whom to ask. Without a writer hypotheses are made from templates; without a judge they are
            counted.
        seed: Of the split, and of the order in which the judge sees two answers.
        progress: Where to tell how far it is.

    Raises:
        ValueError: A name is no chat model's, or the prompts cannot be split.
        LLMError: A model cannot be asked; run it again to go on, nothing is paid twice.
    """
    from whatchanged.interpret import hypotheses_json

    if progress and progress.stage:
        progress.stage("hypotheses: discover on half of the prompts, verify on the other")
    writer, judge = asking.asker(asking.writer, folder), asking.asker(asking.judge, folder)
    with timed(folder, "hypotheses"):
        sheet = sheet_of(folder)
        usable = sheet if sheet is not None and sheet.split_seed in {None, seed} else None
        made = hypotheses_made(diff, sheet=usable, writer=writer, judge=judge, seed=seed)
        names = {"before": diff.responses.before, "after": diff.responses.after}
        write_json(folder / "hypotheses.json", hypotheses_json(made, **names))
    record = {
        "seed": seed,
        "labels": None if usable is None else sheet_print(usable),
        "writer": _record(writer),
        "judge": _record(judge),
    }
    update_manifest(folder, {"hypotheses": record})
    _tell(progress, *(made.summary[who] for who in ("writer", "judge") if made.summary[who]))
    return made


def hypotheses_made(
    diff: Diff, *, sheet: LabelSheet | None, writer: Asker | None, judge: Asker | None, seed: int
) -> Hypotheses:
    """Hypotheses from one half of a diff's prompts, verified on the other; see `whatchanged.hypothesise`."""
    from whatchanged.diff import compare
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import features_of, hypothesise, interpret, split_prompts

    alpha = float(diff.summary["alpha"])
    discovery, held_out = split_prompts(diff.responses, seed)
    half = compare(features_of(diff.features, discovery), alpha=alpha, draws=_DRAWS, splits=0, seed=seed)
    options = {} if sheet is None else sheet.options
    found = interpret(half, tokens=ShardTokens(half.features), seed=seed, **options)
    return hypothesise(found, held_out=held_out, writer=writer, judge=judge, alpha=alpha, seed=seed)


def sheet_print(sheet: LabelSheet) -> str:
    """Fingerprint of what labels lend to hypotheses: the texts, their source, their scores."""
    content = sheet.to_dict()
    return fingerprint([content[name] for name in ("source", "labels", "scores")])


def _record(asker: Asker | None) -> dict[str, Any] | None:
    """Who was asked and what that took, for the manifest; the identity finds the replies again."""
    return None if asker is None else {"identity": dict(asker.model.identity), "took": asker.summary}


def _tell(progress: Progress | None, *asked: Mapping[str, Any]) -> None:
    """A line for each model that was asked: what it took, and what did not come."""
    say = progress.stage if progress else None
    if say is None:
        return
    for one in asked:
        cost = "" if one["cost"] is None else f", ${one['cost']:,.4f}"
        lost = f", {one['unanswered']:,} questions unanswered" if one["unanswered"] else ""
        say(
            f"{one['model']}: {one['calls']:,} calls{cost}, {one['from_store']:,} answers kept from before{lost}"
        )
