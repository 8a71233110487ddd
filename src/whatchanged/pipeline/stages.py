"""Stages 2 to 5. Every stage reads and writes the run folder, so each can be run alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Features, Findings
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.store import read_json, update_manifest

if TYPE_CHECKING:
    from whatchanged.report import Report

__all__ = ["compare_run", "encode_run", "interpret", "interpret_run", "labels_of", "open_run"]


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
    """Labels from elsewhere as options of `interpret`; what is read once is kept in ``labels.json``.

    Args:
        folder: Run folder.
        diff: Its diff; labels of an SAE with fewer features are refused.
        source: Where to read labels (see `whatchanged.interpret.read_labels`); by default those that the
            folder has.
    """
    from whatchanged.interpret import read_labels
    from whatchanged.store import write_json

    kept = folder / "labels.json"
    if source is not None:
        found = read_labels(source, width=diff.features.occurrences.n_columns)
        texts = {str(i): text for i, text in sorted(found.texts.items())}
        write_json(
            kept, {"schema": 1, "source": found.source, "dropped": dict(found.dropped), "labels": texts}
        )
    if not kept.exists():
        return {}
    sheet = read_json(kept)
    return {
        "labels": {int(i): text for i, text in sheet["labels"].items()},
        "label_source": sheet["source"],
    }


def interpret_run(
    folder: Path, *, seed: int = 0, labels: str | None = None, progress: Progress | None = None
) -> Report:
    """Stages 4 and 5: findings with evidence, and the report."""
    from whatchanged.report import report

    diff = open_run(folder)
    if progress and progress.stage:
        progress.stage("findings and evidence")
    with timed(folder, "interpret"):
        findings = interpret(diff, seed=seed, **labels_of(folder, diff, labels))
    if progress and progress.stage:
        progress.stage("report")
    with timed(folder, "report"):
        made = report(findings)
        made.save(folder)
    update_manifest(folder, {"findings": len(findings), "aside": len(findings.aside)})
    return made
