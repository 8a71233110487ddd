"""Labels and hypotheses of a run: asked for once, and kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Hypotheses
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.store import read_json, write_json

if TYPE_CHECKING:
    from whatchanged.interpret import Asker, LabelSheet
    from whatchanged.llm import Price
    from whatchanged.llm.limited import Purse

__all__ = ["Asking", "hypotheses_run", "label_run", "remarks_of", "sheet_of"]

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

    def asker(self, name: str | None) -> Asker | None:
        """One of the two, ready to be asked.

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
        return Asker(model=limited, store=LabelStore())


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
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import interpret, label_findings

    if progress and progress.stage:
        progress.stage(f"labels by {asking.writer or 'the run'}, scored by {asking.judge or 'nobody'}")
    tokens = ShardTokens(diff.features)
    with timed(folder, "label"):
        findings = interpret(diff, tokens=tokens, seed=seed, scored=False)
        sheet = label_findings(
            findings,
            tokens=tokens,
            labeller=asking.asker(asking.writer),
            judge=asking.asker(asking.judge),
            known=sheet_of(folder),
            seed=seed,
        )
        write_json(folder / "labels.json", sheet.to_dict())
    _tell(progress, *sheet.asked.values())
    return sheet


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
        found = interpret(half, tokens=ShardTokens(half.features), seed=seed, **options)
        made = hypothesise(
            found,
            held_out=held_out,
            writer=asking.asker(asking.writer),
            judge=asking.asker(asking.judge),
            alpha=float(diff.summary["alpha"]),
            seed=seed,
        )
        names = {"before": diff.responses.before, "after": diff.responses.after}
        write_json(folder / "hypotheses.json", hypotheses_json(made, **names))
    _tell(progress, *(made.summary[who] for who in ("writer", "judge") if made.summary[who]))
    return made


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
