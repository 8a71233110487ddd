"""The order of the stages. Every stage reads and writes the run folder, so each can be run alone."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Features, Findings, Responses
from whatchanged.errors import StoreError
from whatchanged.store import fingerprint, read_json, update_manifest

if TYPE_CHECKING:
    from whatchanged.report import Report
    from whatchanged.responses import Source

__all__ = ["Progress", "compare_run", "encode_run", "interpret", "interpret_run", "load_run", "run"]

_PACKAGES = ("whatchanged", "numpy", "scipy", "statsmodels", "pandas", "torch", "transformers", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where long work tells how far it is; both calls may be left out.

    Attributes:
        stage: Called with a line when something begins.
        tokens: Called with tokens done and tokens in all while answers are read.
    """

    stage: Callable[[str], None] | None = None
    tokens: Callable[[int, int], None] | None = None


def run(
    before: Source,
    after: Source,
    out: str | os.PathLike[str],
    *,
    sae: str = "gemma-3-270m",
    reader: str | None = None,
    limit: int | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Everything: answers in, report out. Run it again to resume; nothing is computed twice that need not be.

    Args:
        before: Baseline answers: a file (``file:answers.csv#column``), a DataFrame, a dataset, or rows.
        after: Answers of the checkpoint compared with it.
        out: Run folder.
        sae: Name of the SAE.
        reader: Name of the reader; the SAE's own model if ``None``.
        limit: Use only the first so many prompts (in the order of the set).
        alpha: False discovery rate.
        draws: Label swaps for the noise floor.
        seed: Of every random choice.
        progress: Where to tell how far it is.
        **options: For the encoder: ``dtype``, ``device``, ``limit_tokens``, ``include_prompt``, ``verify``.

    Raises:
        InputError: If the answers cannot be read.
        StoreError: If `out` holds a run over other answers.
        MismatchError, ModelError, SAEError: If reader or SAE are wrong.
    """
    folder = Path(out)
    load_run(before, after, folder, limit=limit)
    encode_run(folder, sae=sae, reader=reader, progress=progress, **options)
    compare_run(folder, alpha=alpha, draws=draws, seed=seed, progress=progress)
    return interpret_run(folder, seed=seed, progress=progress)


def load_run(before: Source, after: Source, folder: Path, *, limit: int | None = None) -> Responses:
    """Stage 1: read the answers, join them, keep them in the run folder."""
    from whatchanged.responses import load, save

    responses = load(before, after)
    if limit is not None:
        responses = _first(responses, limit)
    identity = fingerprint([[a.prompt_id, a.model, a.sample, a.text] for a in responses.answers])
    manifest = folder / "manifest.json"
    if manifest.exists() and read_json(manifest).get("responses") not in {None, identity}:
        raise StoreError(
            f"{folder} holds a run over other answers; choose another folder, or delete this one to start afresh"
        )
    with _timed(folder, "load"):
        save(responses, folder)
    update_manifest(
        folder,
        {
            "responses": identity,
            "models": list(responses.models),
            "source": responses.source,
            "answers": len(responses.answers),
            "prompts": len(responses.prompts),
            "dropped": responses.counts,
        },
    )
    return responses


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
    with _timed(folder, "encode"):
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
    with _timed(folder, "compare"):
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


def interpret_run(folder: Path, *, seed: int = 0, progress: Progress | None = None) -> Report:
    """Stages 4 and 5: findings with evidence, and the report."""
    from whatchanged.report import report

    diff = open_run(folder)
    if progress and progress.stage:
        progress.stage("findings and evidence")
    with _timed(folder, "interpret"):
        findings = interpret(diff, seed=seed)
    if progress and progress.stage:
        progress.stage("report")
    with _timed(folder, "report"):
        made = report(findings)
        made.save(folder)
    update_manifest(folder, {"findings": len(findings), "aside": len(findings.aside)})
    return made


@contextmanager
def _timed(folder: Path, stage: str) -> Iterator[None]:
    """Record how long a stage took, and on what, in the manifest."""
    began = time.monotonic()
    yield
    manifest = folder / "manifest.json"
    seconds = read_json(manifest).get("seconds", {}) if manifest.exists() else {}
    update_manifest(
        folder,
        {
            "seconds": seconds | {stage: round(time.monotonic() - began, 2)},
            "versions": {p: version(p) for p in _PACKAGES} | {"python": platform.python_version()},
        },
    )


def _first(responses: Responses, limit: int) -> Responses:
    """Only the first prompts, with everything that belongs to them."""
    from dataclasses import replace

    if limit < 1:
        raise ValueError(f"limit must be at least 1 prompt; got {limit}")
    kept = responses.prompts.prompts[:limit]
    ids = {p.id for p in kept}
    return replace(
        responses,
        prompts=replace(responses.prompts, prompts=kept),
        answers=tuple(a for a in responses.answers if a.prompt_id in ids),
        dropped=tuple(d for d in responses.dropped if d.prompt_id in ids or d.prompt_id is None),
    )
