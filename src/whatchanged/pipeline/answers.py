"""Stage 1: the answers of both sides, read from files or asked of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import PromptSet, Responses
from whatchanged.errors import ContentRefused, InputError, StoreError
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.timing import timed
from whatchanged.store import fingerprint, read_json, update_manifest

if TYPE_CHECKING:
    from whatchanged.responses import Source

__all__ = ["BANK", "answers_run", "asked", "choose_prompts", "collect_run", "load_run"]

BANK = 100
"""Prompts of our own bank that models are asked where no others are named."""


def answers_run(
    before: Source,
    after: Source | list[Source],
    folder: Path,
    *,
    prompts: PromptSet | Source | None = None,
    limit: int | None = None,
    seed: int = 0,
    collecting: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Responses:
    """Stage 1: the answers of both sides in the run folder, read from files or asked of models.

    Where one side is a model and the other has its answers in a file, the model is asked that file's prompts.

    Args:
        before: Baseline, as for `run`.
        after: The checkpoint compared with it, or a list of several; then either all sides are models or
            none is.
        folder: Run folder.
        prompts: What to ask, or which prompts of the files take part.
        limit: Use only the first so many prompts.
        seed: Chooses from the bank.
        collecting: Options of `whatchanged.collect`.
        progress: Where to tell how far it is.

    Raises:
        ValueError: `after` is an empty list, or some of several sides are models and some are not.
    """
    options = dict(collecting or {})
    excluding = bool(options.get("exclude_truncated"))
    afters = _sources(after)
    models = [str(source) for source in (before, *afters) if asked(source)]
    if len(models) == 1 + len(afters):
        chosen = choose_prompts(prompts, limit=limit, seed=seed)
        return collect_run(chosen, models[0], models[1:], folder, progress=progress, **options)
    if not models:
        return load_run(before, afters, folder, prompts=prompts, limit=limit, exclude_truncated=excluding)
    if len(afters) > 1:
        raise ValueError(
            f"of several checkpoints either all are asked or all have their answers kept; {models[0]!r} is a model "
            "to ask. Collect first (whatchanged collect), then name the answers: --before RUN#MODEL --after RUN#MODEL"
        )
    after = afters[0]
    options.pop("exclude_truncated", None)
    kept, model = (after, str(before)) if asked(before) else (before, str(after))
    chosen = choose_prompts(_prompts_of(kept) if prompts is None else prompts, limit=limit)
    rows = _ask_one(chosen, model, folder, options, progress)
    first, second = (rows, kept) if asked(before) else (kept, rows)
    return load_run(first, second, folder, prompts=chosen, exclude_truncated=excluding)


def _prompts_of(answers: Source) -> PromptSet:
    """The prompts that some kept answers answer; of a run folder, whole chats."""
    from whatchanged.artifacts import Prompt
    from whatchanged.prompts import load_prompts
    from whatchanged.responses.columns import read_side
    from whatchanged.tables import read_table
    from whatchanged.tables.cells import text_id
    from whatchanged.tables.rows import split_source

    if isinstance(answers, str | Path) and (folder := split_source(answers)[0]).is_dir():
        return load_prompts(folder)
    found: dict[str, Prompt] = {}
    for record in read_side(read_table(answers, "answers")).records:
        if record.prompt is None:
            raise InputError(
                "an answer has no prompt to ask a model; add a prompt column", where=record.where
            )
        name = record.prompt_id or text_id(record.prompt)
        found.setdefault(name, Prompt(id=name, text=record.prompt, category=record.category))
    return PromptSet(prompts=tuple(found.values()))


def _ask_one(
    prompts: PromptSet, model: str, folder: Path, options: Mapping[str, Any], progress: Progress | None
) -> list[dict[str, Any]]:
    """Rows of one model's answers, for `whatchanged.load`."""
    from whatchanged.responses.collect import ask_all

    told = progress or Progress()
    if told.stage:
        told.stage(f"ask {model}: {len(prompts):,} prompts")
    with timed(folder, "collect"):
        found = ask_all(prompts, model, out=folder, progress=told.calls, **options)
    return [
        {
            "prompt_id": one.prompt_id,
            "prompt": prompts.by_id[one.prompt_id].text,
            "model": model,
            "sample": one.sample,
            "text": one.text,
            "finish_reason": one.finish_reason,
            "error": one.failure if (reason := _reason(one.failure)) == "errored" else None,
            "dropped": reason if reason != "errored" else None,
        }
        for one in found
    ]


def _reason(failure: str | None) -> str | None:
    """Why a call has no answer, in the words of `Dropped.reason`; ``None`` where it has one."""
    if failure is None:
        return None
    kind = failure.partition(":")[0]
    return {"unasked": "unasked", ContentRefused.kind: "refused_by_api"}.get(kind, "errored")


def _sources(after: Source | list[Source]) -> list[Source]:
    """Where the answers of each checkpoint come from; a list of rows is one checkpoint."""
    if not isinstance(after, list) or (after and isinstance(after[0], Mapping)):
        return [after]
    if not after:
        raise ValueError("after is an empty list; name at least one checkpoint to compare")
    return list(after)


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
    after: str | Sequence[str],
    folder: Path,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Responses:
    """Stage 1 for models: ask all the same prompts, and keep every answer in the run folder.

    Args:
        prompts: What to ask.
        before: Name of the baseline model.
        after: Name of the model compared with it, or several.
        folder: Run folder; what it holds already is not asked again.
        progress: Where to tell how far it is.
        **options: Of `whatchanged.collect`.
    """
    from whatchanged.responses.collect import collect

    told = progress or Progress()
    if told.stage:
        names = " and ".join([before, *([after] if isinstance(after, str) else after)])
        told.stage(f"ask {names}: {len(prompts):,} prompts")
    with timed(folder, "collect"):
        responses = collect(prompts, before, after, out=folder, progress=told.calls, **options)
    for warning in read_json(folder / "manifest.json")["collect"]["warnings"]:
        if told.stage:
            told.stage(f"note: {warning}")
    return _keep(responses, folder)


def load_run(
    before: Source,
    after: Source | list[Source],
    folder: Path,
    *,
    prompts: PromptSet | Source | None = None,
    limit: int | None = None,
    exclude_truncated: bool = False,
) -> Responses:
    """Stage 1 for files: read the answers of two or more sides, join them, keep them in the run folder."""
    from whatchanged.responses import load, save

    chosen = None if prompts is None else choose_prompts(prompts)
    responses = load(before, after, prompts=chosen, exclude_truncated=exclude_truncated)
    if limit is not None:
        responses = _first(responses, limit)
    identity = _identity(responses)
    manifest = folder / "manifest.json"
    if manifest.exists() and read_json(manifest).get("responses") not in {None, identity}:
        raise StoreError(
            f"{folder} holds a run over other answers; choose another folder, or delete this one to start afresh"
        )
    with timed(folder, "load"):
        save(responses, folder)
    return _keep(responses, folder)


def _identity(responses: Responses) -> str:
    return fingerprint([[a.prompt_id, a.model, a.sample, a.text] for a in responses.answers])


def _keep(responses: Responses, folder: Path) -> Responses:
    from whatchanged.responses import screen

    update_manifest(
        folder,
        {
            "screen": screen(responses).to_dict(),
            "responses": _identity(responses),
            "models": list(responses.models),
            "source": responses.source,
            "answers": len(responses.answers),
            "prompts": len(responses.prompts),
            "dropped": responses.counts,
        },
    )
    return responses


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
