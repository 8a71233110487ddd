"""The order of the stages. Every stage reads and writes the run folder, so each can be run alone."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff, Features, Findings, PromptSet, Responses
from whatchanged.errors import StoreError
from whatchanged.store import fingerprint, read_json, update_manifest

if TYPE_CHECKING:
    from whatchanged.report import Report
    from whatchanged.responses import Source
    from whatchanged.responses.collect import CollectProgress

__all__ = [
    "BANK",
    "Progress",
    "asked",
    "choose_prompts",
    "collect_run",
    "compare_run",
    "encode_run",
    "interpret",
    "interpret_run",
    "load_run",
    "run",
]

BANK = 100
"""Prompts of our own bank that models are asked where no others are named."""

_PACKAGES = (
    "whatchanged", "numpy", "openai", "pandas", "pyarrow", "scipy", "statsmodels", "torch", "transformers",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where long work tells how far it is; both calls may be left out.

    Attributes:
        stage: Called with a line when something begins.
        tokens: Called with tokens done and tokens in all while answers are read.
        calls: Called with how far a collection is while models are asked.
    """

    stage: Callable[[str], None] | None = None
    tokens: Callable[[int, int], None] | None = None
    calls: Callable[[CollectProgress], None] | None = None


def run(
    before: Source,
    after: Source,
    out: str | os.PathLike[str],
    *,
    prompts: PromptSet | Source | None = None,
    collecting: Mapping[str, Any] | None = None,
    sae: str = "gemma-3-270m",
    reader: str | None = None,
    limit: int | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Everything: answers in, report out. Run it again to resume; nothing is paid or computed twice.

    Args:
        before: Baseline: a model to ask (``google/gemini-2.0-flash-001``, ``openai:...``, ``hf:...``), or
            its answers: a file (``file:answers.csv#column``), a DataFrame, a dataset, or rows.
        after: The checkpoint compared with it, in the same ways.
        out: Run folder.
        prompts: What to ask: prompts, a file of them, or by default 100 prompts of our own bank. Of
            answers in files, only those to these prompts take part.
        collecting: How models are asked: options of `whatchanged.collect`, such as ``samples``,
            ``max_tokens`` or ``cost_limit``.
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
        LLMError: If a model cannot be asked, or a limit of cost or time leaves nothing to compare.
        StoreError: If `out` holds a run over other answers.
        MismatchError, ModelError, SAEError: If reader or SAE are wrong.
    """
    folder = Path(out)
    if asked(before) and asked(after):
        chosen = choose_prompts(prompts, limit=limit, seed=seed)
        collect_run(chosen, str(before), str(after), folder, progress=progress, **(collecting or {}))
    else:
        load_run(before, after, folder, prompts=prompts, limit=limit)
    encode_run(folder, sae=sae, reader=reader, progress=progress, **options)
    compare_run(folder, alpha=alpha, draws=draws, seed=seed, progress=progress)
    return interpret_run(folder, seed=seed, progress=progress)


def asked(source: object) -> bool:
    """Whether a side is a model to ask, and not a file, a folder or an object that holds its answers."""
    from whatchanged.llm.names import is_chat_name

    return isinstance(source, str) and not Path(source).expanduser().exists() and is_chat_name(source)


def choose_prompts(
    prompts: PromptSet | Source | None, *, limit: int | None = None, seed: int = 0
) -> PromptSet:
    """The prompts to ask: those named, or a balanced sample of our own bank.

    Args:
        prompts: Prompts, or where they stand; ``None`` means the bank.
        limit: How many; by default all that are named, or 100 of the bank.
        seed: Chooses from the bank.
    """
    from dataclasses import replace

    from whatchanged.prompts import load_prompts, prompt_bank

    if prompts is None:
        return prompt_bank(BANK if limit is None else limit, seed=seed)
    found = prompts if isinstance(prompts, PromptSet) else load_prompts(prompts)
    return found if limit is None else replace(found, prompts=found.prompts[: _positive(limit)])


def collect_run(
    prompts: PromptSet,
    before: str,
    after: str,
    folder: Path,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Responses:
    """Stage 1 for models: ask both the same prompts, and keep every answer in the run folder.

    Args:
        prompts: What to ask.
        before: Name of the baseline model.
        after: Name of the model compared with it.
        folder: Run folder; what it holds already is not asked again.
        progress: Where to tell how far it is.
        **options: Of `whatchanged.collect`.
    """
    from whatchanged.responses.collect import collect

    told = progress or Progress()
    if told.stage:
        told.stage(f"ask {before} and {after}: {len(prompts):,} prompts")
    with _timed(folder, "collect"):
        responses = collect(prompts, before, after, out=folder, progress=told.calls, **options)
    for warning in read_json(folder / "manifest.json")["collect"]["warnings"]:
        if told.stage:
            told.stage(f"note: {warning}")
    return _keep(responses, folder)


def load_run(
    before: Source,
    after: Source,
    folder: Path,
    *,
    prompts: PromptSet | Source | None = None,
    limit: int | None = None,
) -> Responses:
    """Stage 1 for files: read the answers, join them, keep them in the run folder."""
    from whatchanged.responses import load, save

    chosen = None if prompts is None else choose_prompts(prompts)
    responses = load(before, after, prompts=chosen)
    if limit is not None:
        responses = _first(responses, limit)
    identity = _identity(responses)
    manifest = folder / "manifest.json"
    if manifest.exists() and read_json(manifest).get("responses") not in {None, identity}:
        raise StoreError(
            f"{folder} holds a run over other answers; choose another folder, or delete this one to start afresh"
        )
    with _timed(folder, "load"):
        save(responses, folder)
    return _keep(responses, folder)


def _identity(responses: Responses) -> str:
    return fingerprint([[a.prompt_id, a.model, a.sample, a.text] for a in responses.answers])


def _keep(responses: Responses, folder: Path) -> Responses:
    update_manifest(
        folder,
        {
            "responses": _identity(responses),
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


def _positive(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"limit must be at least 1 prompt; got {limit}")
    return limit


def _first(responses: Responses, limit: int) -> Responses:
    """Only the first prompts, with everything that belongs to them."""
    from dataclasses import replace

    kept = responses.prompts.prompts[: _positive(limit)]
    ids = {p.id for p in kept}
    return replace(
        responses,
        prompts=replace(responses.prompts, prompts=kept),
        answers=tuple(a for a in responses.answers if a.prompt_id in ids),
        dropped=tuple(d for d in responses.dropped if d.prompt_id in ids or d.prompt_id is None),
    )
