"""The order of the stages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import PromptSet
from whatchanged.pipeline.answers import answers_run
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.stages import compare_run, encode_run, interpret_run

if TYPE_CHECKING:
    from whatchanged.report import Report
    from whatchanged.responses import Source

__all__ = ["run"]


def run(
    before: Source,
    after: Source | list[Source],
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
    labels: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Everything: answers in, report out. Run it again to resume; nothing is paid or computed twice.

    Args:
        before: Baseline: a model to ask (``google/gemini-2.0-flash-001``, ``openai:...``, ``hf:...``), or
            its answers: a file (``file:answers.csv#column``), a DataFrame, a dataset, or rows.
        after: The checkpoint compared with it, in the same ways; or a list of several (all sides are
            models, or none is).
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
        labels: Where to read labels of the SAE's features: a Neuronpedia export, a Goodfire map, a CSV file.
        progress: Where to tell how far it is.
        **options: For the encoder: ``dtype``, ``device``, ``limit_tokens``, ``include_prompt``, ``verify``.

    Raises:
        InputError: If the answers cannot be read.
        LLMError: If a model cannot be asked, or a limit of cost or time leaves nothing to compare.
        StoreError: If `out` holds a run over other answers.
        MismatchError, ModelError, SAEError: If reader or SAE are wrong.
    """
    folder = Path(out)
    answers_run(
        before,
        after,
        folder,
        prompts=prompts,
        limit=limit,
        seed=seed,
        collecting=collecting,
        progress=progress,
    )
    encode_run(folder, sae=sae, reader=reader, progress=progress, **options)
    compare_run(folder, alpha=alpha, draws=draws, seed=seed, progress=progress)
    return interpret_run(folder, seed=seed, labels=labels, progress=progress)
