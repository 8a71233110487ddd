"""Answers in, from files and objects in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from whatchanged.artifacts import PromptSet, Responses
from whatchanged.responses.columns import Side, read_side
from whatchanged.responses.folder import read_prompts
from whatchanged.responses.join import join
from whatchanged.responses.logs import read_log
from whatchanged.responses.truncated import without_truncated
from whatchanged.tables.rows import Source, read_table, split_source

__all__ = ["load"]


def load(
    before: Source,
    after: Source | list[Source],
    *,
    names: Sequence[str] | None = None,
    prompts: PromptSet | None = None,
    exclude_truncated: bool = False,
) -> Responses:
    r"""Reads the answers of two or more checkpoints to the same prompts.

    A source is a path (``.csv``, ``.tsv``, ``.json``, ``.jsonl``, ``.parquet``, a run folder),
    ``file:answers.csv#column``, a DataFrame, a `datasets.Dataset` or a list of dicts. Columns:

    * the answer: the one named after ``#``, else exactly one of text, response, output, answer,
      completion, generation; where a model column names several models, ``#MODEL`` chooses one;
    * the prompt: exactly one of prompt, instruction, question, input (``instruction`` and ``input``
      together are one prompt); a list of chat messages becomes ``role: content`` with blank lines
      between, a single message its content;
    * the id: the first of prompt_id, id, uid, example_id; 1 and "1" are the same;
    * where there: category or dataset, sample, finish_reason or stop_reason, error, model or generator.

    Logs of other tools are told by their content: Inspect AI (``.eval`` and JSON), samples of
    lm-evaluation-harness (``#FILTER`` reads what a filter left), OpenAI batch output (the prompts
    come from the batch input beside it or from ``output.jsonl#input.jsonl``), and chat calls with
    request and reply on a line; ``#MODEL`` chooses where a log holds several. Tool calls, images and
    reasoning are no text of an answer: each is in ``dropped`` as a ``part``.

    Rows are joined by id where every row has one and every side shares some with *before* (or with
    ``prompts``); else by prompt text, outer white space aside, and the id is made from the text.
    ``source`` of the result says which. Without a sample column, rows of one prompt with different
    texts are further samples and equal ones duplicates; with one, a sample that comes again is a
    duplicate and the first usable one is kept. Line ends become ``\n``. Missing, empty, errored,
    duplicate, unpaired and (not among ``prompts``) unlisted answers are in ``dropped``, and so are
    those an API's filter refused.

    Args:
        before: The baseline.
        after: The checkpoint compared with it, or a list of several.
        names: Names of the checkpoints in this order; by default the first of model column, column,
            file and folder that tells all of them apart.
        prompts: Compare on these prompts only; needed where no file holds the prompt texts.
        exclude_truncated: Leave out every prompt that has a truncated answer of any checkpoint, with
            all answers to it: leaving out one side alone would favour its short answers. The
            truncated ones are in ``dropped`` as ``truncated``, the others as ``partner_truncated``.

    Returns:
        The answers, near-duplicate prompts clustered.

    Raises:
        InputError: A file is missing or malformed, or the sides do not meet; the message names
            file, line and remedy.
        ValueError: ``names`` are not as many as the checkpoints, or not distinct.
        TypeError: A source is of an unsupported type.
    """
    sources: list[Source] = [before]
    if isinstance(after, list) and not (after and isinstance(after[0], Mapping)):
        sources += after
    else:
        sources.append(after)
    if len(sources) < 2:
        raise ValueError("after is an empty list; name at least one checkpoint to compare")
    roles = ["before", "after", *(f"after-{i}" for i in range(2, len(sources)))]
    sides = [_read(source, role) for source, role in zip(sources, roles, strict=True)]
    if names is not None and (len(names) != len(sides) or len(set(names)) != len(sides) or not all(names)):
        raise ValueError(
            f"names must be {len(sides)} distinct words, one per checkpoint; got {tuple(names)!r}"
        )
    responses = join(sides, list(names) if names is not None else _names(sides, roles), prompts)
    return without_truncated(responses) if exclude_truncated else responses


def _read(source: Source, role: str) -> Side:
    """One side; answers of a run folder take their prompt texts from the prompts beside them."""
    if isinstance(source, str | Path):
        path, selector = split_source(source)
        if path.is_file() and (log := read_log(path, selector)) is not None:
            return log
    table = read_table(source, role)
    side = read_side(table)
    beside = table.path.with_name("prompts.jsonl") if table.path else None
    if beside is None or not _is_run(table.path, beside) or any(r.prompt for r in side.records):
        return side
    prompt = read_prompts(beside).by_id
    records = tuple(
        replace(r, prompt=found.text.strip(), category=r.category or found.category)
        if r.prompt_id and (found := prompt.get(r.prompt_id))
        else r
        for r in side.records
    )
    return replace(side, records=records)


def _is_run(path: Path | None, beside: Path) -> bool:
    return path is not None and path.name == "responses.jsonl" and beside.is_file()


def _names(sides: Sequence[Side], roles: Sequence[str]) -> list[str]:
    """The first kind of name by which all sides differ; as a last resort, name and role."""
    for candidate in _candidates(sides):
        if len(set(candidate)) == len(sides):
            return candidate
    return [
        f"{side.names[0]} ({role})" if side.names else role for side, role in zip(sides, roles, strict=True)
    ]


def _candidates(sides: Sequence[Side]) -> Iterator[list[str]]:
    for rank in range(max(len(side.names) for side in sides)):
        if all(side.names for side in sides):
            yield [side.names[min(rank, len(side.names) - 1)] for side in sides]
