"""Labels and hypotheses of a run: asked for once, and kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Hypotheses
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.store import read_json, write_json

if TYPE_CHECKING:
    from whatchanged.interpret import Asker, LabelSheet

__all__ = ["hypotheses_run", "label_run", "remarks_of", "sheet_of"]

_DRAWS = 20  # the noise floor of the discovery half is not shown


def sheet_of(folder: Path) -> LabelSheet | None:
    """The labels a run folder keeps in ``labels.json``, with their scores; ``None`` without any.

    Raises:
        StoreError: The file is damaged.
    """
    from whatchanged.interpret import read_sheet

    kept = folder / "labels.json"
    return read_sheet(read_json(kept), where=str(kept)) if kept.exists() else None


def remarks_of(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """What the hypotheses in ``hypotheses.json`` say, by the id of the finding; empty without any.

    Raises:
        StoreError: The file is damaged.
    """
    from whatchanged.interpret import read_hypotheses, remarks

    kept = folder / "hypotheses.json"
    if not kept.exists():
        return {}
    made = read_hypotheses(read_json(kept), where=str(kept))
    return remarks(made, before=made.summary["before"], after=made.summary["after"])


def label_run(
    folder: Path,
    diff: Diff,
    *,
    labeller: str | None,
    judge: str | None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LabelSheet:
    """Have the leading features labelled, and the labels scored; kept as ``labels.json``.

    Args:
        folder: Run folder.
        diff: Its diff.
        labeller: Chat model that writes labels; without one those in the folder are scored.
        judge: Chat model that scores them; without one they stay unscored.
        seed: Of the split and of every draw.
        progress: Where to tell how far it is.

    Raises:
        ValueError: A name is no chat model's, or there is neither a labeller nor labels to score.
        LLMError: A model cannot be asked; run it again to go on, nothing is paid twice.
    """
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import interpret, label_findings

    if progress and progress.stage:
        progress.stage(f"labels by {labeller or 'the run'}, scored by {judge or 'nobody'}")
    tokens = ShardTokens(diff.features)
    with timed(folder, "label"):
        findings = interpret(diff, tokens=tokens, seed=seed, scored=False)
        sheet = label_findings(
            findings,
            tokens=tokens,
            labeller=_asker(labeller),
            judge=_asker(judge),
            known=sheet_of(folder),
            seed=seed,
        )
        write_json(folder / "labels.json", sheet.to_dict())
    _tell(progress, *sheet.asked.values())
    return sheet


def hypotheses_run(
    folder: Path,
    diff: Diff,
    *,
    writer: str | None = None,
    judge: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Hypotheses:
    """Discover on half of the run's prompts, write hypotheses, verify on the other half; ``hypotheses.json``.

    Nothing is encoded again. Labels that were made from other prompts than the discovery half are not shown
    to the writer.

    Args:
        folder: Run folder.
        diff: Its diff.
        writer: Chat model that writes the hypotheses; without one they are made from templates.
        judge: Chat model that judges pairs; without one they are counted.
        seed: Of the split, and of the order in which the judge sees two answers.
        progress: Where to tell how far it is.

    Raises:
        ValueError: A name is no chat model's, or the prompts cannot be split.
        LLMError: A model cannot be asked; run it again to go on, nothing is paid twice.
    """
    from whatchanged.diff import compare
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import (
        features_of,
        hypotheses_json,
        hypothesise,
        interpret,
        split_prompts,
    )

    if progress and progress.stage:
        progress.stage("hypotheses: discover on half of the prompts, verify on the other")
    with timed(folder, "hypotheses"):
        discovery, held_out = split_prompts(diff.responses, seed)
        half = compare(
            features_of(diff.features, discovery),
            alpha=float(diff.summary["alpha"]),
            draws=_DRAWS,
            splits=0,
            seed=seed,
        )
        sheet = sheet_of(folder)
        usable = sheet if sheet is not None and sheet.split_seed in {None, seed} else None
        options = usable.options if usable is not None else {}
        found = interpret(half, tokens=ShardTokens(half.features), seed=seed, scored=False, **options)
        made = hypothesise(
            found,
            held_out=held_out,
            writer=_asker(writer),
            judge=_asker(judge),
            alpha=float(diff.summary["alpha"]),
            seed=seed,
        )
        names = {"before": diff.responses.before, "after": diff.responses.after}
        write_json(folder / "hypotheses.json", hypotheses_json(made, **names))
    _tell(progress, *(made.summary[who] for who in ("writer", "judge") if made.summary[who]))
    return made


def _asker(name: str | None) -> Asker | None:
    from whatchanged.interpret import Asker, LabelStore
    from whatchanged.llm import chat_model

    return None if name is None else Asker(model=chat_model(name), store=LabelStore())


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
