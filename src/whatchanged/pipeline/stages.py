"""Stages 2 to 5. Every stage reads and writes the run folder, so each can be run alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Features, Findings
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.pipeline.wording import (
    Asking,
    hypotheses_of,
    hypotheses_run,
    label_run,
    remarks_of,
    sheet_of,
)
from whatchanged.store import update_manifest, write_json

if TYPE_CHECKING:
    from whatchanged.report import Report

__all__ = ["compare_run", "encode_run", "interpret", "interpret_run", "labels_of", "open_run", "said_of"]


def encode_run(
    folder: Path,
    *,
    sae: str = "gemma-3-270m",
    reader: str | None = None,
    progress: Progress | None = None,
    limit_tokens: int = 2048,
    **options: Any,
) -> Features:
    """Stage 2: read the run's answers with the reader and the SAE."""
    from whatchanged.encode import Encoder, encode, save_features
    from whatchanged.responses import open_folder

    told = progress or Progress()
    responses = open_folder(folder)
    if told.stage:
        told.stage(f"reader and SAE: {sae}")
    with timed(folder, "encode"):
        encoder = Encoder(sae, reader=reader, limit=limit_tokens, **options)
        if told.stage:
            told.stage(f"encode {len(responses.answers):,} answers")
        features = save_features(encode(responses, encoder=encoder, progress=told.tokens), folder)
    update_manifest(
        folder,
        {
            "reader": dict(features.reader),
            "sae": dict(features.sae),
            "features": features.fingerprint,
            "health": dict(features.health),
            "encoded": features.encoded,
            "cut": int(features.cut.sum()),
            "masked_tokens": int(features.masked.sum()),
            "tokens": int(features.occurrences.n_units.sum()),
        },
    )
    return features


def compare_run(
    folder: Path, *, alpha: float = 0.05, draws: int = 1000, seed: int = 0, progress: Progress | None = None
) -> Diff:
    """Stage 3: contrast the two sides."""
    from whatchanged.diff import compare
    from whatchanged.diff.folder import save_diff
    from whatchanged.encode import open_features
    from whatchanged.responses import open_folder

    features = open_features(folder, open_folder(folder))
    with timed(folder, "compare"):
        diff = compare(
            features, alpha=alpha, draws=draws, seed=seed, progress=progress.stage if progress else None
        )
        save_diff(diff, folder)
    update_manifest(folder, {"alpha": alpha, "draws": draws, "seed": seed})
    return diff


def open_run(folder: Path) -> Diff:
    """The diff of a run folder, with its features and answers."""
    from whatchanged.diff.folder import open_diff
    from whatchanged.encode import open_features
    from whatchanged.responses import open_folder
    from whatchanged.text import families

    responses = open_folder(folder)
    return open_diff(folder, open_features(folder, responses), families(responses))


def interpret(diff: Diff, **options: Any) -> Findings:
    """Turn a diff into findings with evidence; see `whatchanged.interpret.interpret` for the options."""
    from whatchanged.encode import ShardTokens
    from whatchanged.interpret import interpret as read

    return read(diff, tokens=ShardTokens(diff.features), **options)


def labels_of(folder: Path, diff: Diff, source: str | None = None) -> dict[str, Any]:
    """What a run folder keeps of labels and hypotheses, as options of `interpret`.

    Labels that lexical ones give way to stand in ``labels.json``, hypotheses in ``hypotheses.json``.

    Args:
        folder: Run folder.
        diff: Its diff; labels of an SAE with fewer features are refused.
        source: Where to read labels (see `whatchanged.interpret.read_labels`); by default those that the
            folder has, with their scores.
    """
    from whatchanged.interpret import LabelSheet, read_labels

    if source is not None:
        found = read_labels(source, width=diff.features.occurrences.n_columns)
        imported = LabelSheet(texts=found.texts, source=found.source, dropped=found.dropped)
        write_json(folder / "labels.json", imported.to_dict())
    sheet, said = sheet_of(folder), remarks_of(folder)
    return ({} if sheet is None else sheet.options) | ({"remarks": said} if said else {})


def said_of(folder: Path, diff: Diff) -> dict[str, Any]:
    """What a run folder keeps besides its findings, as options of `whatchanged.report`: hypotheses and a trend.

    Args:
        folder: Run folder.
        diff: Its diff; a trend of other features is passed over.
    """
    from whatchanged.diff.trend_folder import open_trend

    return {
        "hypotheses": hypotheses_of(folder),
        "trend": open_trend(folder, diff.features, diff.families[1:]),
    }


def interpret_run(
    folder: Path,
    *,
    seed: int = 0,
    labels: str | None = None,
    label_with: str | None = None,
    judge: str | None = None,
    hypotheses: bool = False,
    cost_limit: float | None = None,
    prices: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Stages 4 and 5: findings with evidence, and the report.

    Args:
        folder: Run folder.
        seed: Of every random choice.
        labels: Where to read labels of the SAE's features.
        label_with: Chat model that writes labels, and hypotheses where they are asked for.
        judge: Chat model that scores labels and judges hypotheses; `label_with` by default. Without either no
            model is asked.
        hypotheses: Whether to write hypotheses from half of the prompts and verify them on the other, as
            ``hypotheses.json``.
        cost_limit: US dollars for all that is asked here; nothing is sent that could pass it.
        prices: File of prices (see `whatchanged.llm.read_prices`), for providers that list none.
        progress: Where to tell how far it is.

    Raises:
        ValueError: Both `labels` and `label_with`, or a judge with nothing to judge.
        LLMError: A model cannot be asked; nothing is paid twice when this is run again.
    """
    from whatchanged.llm import read_prices
    from whatchanged.llm.limited import Purse
    from whatchanged.report import report

    if labels is not None and label_with is not None:
        raise ValueError("labels are read or written, not both; leave out labels or label_with")
    diff = open_run(folder)
    known = "labels" in labels_of(folder, diff, labels)
    if judge is not None and not (known or label_with or hypotheses):
        raise ValueError("there is nothing to judge; add labels, label_with or hypotheses")
    asking = Asking(
        writer=label_with,
        judge=judge or label_with,
        purse=None if cost_limit is None else Purse(cost_limit),
        prices={} if prices is None else read_prices(prices),
    )
    if label_with is not None or (judge is not None and known):
        label_run(folder, diff, asking, seed=seed, progress=progress)
    if hypotheses:
        hypotheses_run(folder, diff, asking, seed=seed, progress=progress)
    if progress and progress.stage:
        progress.stage("findings and evidence")
    with timed(folder, "interpret"):
        findings = interpret(diff, seed=seed, **labels_of(folder, diff))
    if progress and progress.stage:
        progress.stage("report")
    with timed(folder, "report"):
        made = report(findings, **said_of(folder, diff))
        made.save(folder)
    update_manifest(folder, {"findings": len(findings), "aside": len(findings.aside), "interpret_seed": seed})
    return made
