"""What a run folder keeps besides its diff, made again from the answers, the features and the replies it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts import Diff
from whatchanged.errors import RequestRejected
from whatchanged.pipeline.wording import (
    REPLIES,
    hypotheses_made,
    hypotheses_of,
    labels_made,
    sheet_of,
    sheet_print,
)
from whatchanged.store import read_json, write_json

if TYPE_CHECKING:
    from whatchanged.interpret import Asker
    from whatchanged.llm import ChatRequest, Reply

__all__ = ["remake"]

_AGAIN = "make them again (whatchanged interpret)"


def remake(folder: Path, diff: Diff, into: Path) -> tuple[str, ...]:
    """Make ``labels.json``, ``hypotheses.json`` and the files of a trend again, as far as the run has them.

    Nobody is asked: what models said is read from the folder's ``replies/``. Labels from elsewhere are given, not made,
    and taken as they stand. What calls took (their number, tokens, cost) cannot be made again; it is taken from the
    manifest, which recorded it too.

    Args:
        folder: The run folder; nothing in it is changed.
        diff: Its diff, made again.
        into: Where to write.

    Returns:
        For each file that cannot be made again, why; it stands in `into` as the folder has it.

    Raises:
        StoreError: A file is damaged.
    """
    manifest = read_json(folder / "manifest.json")
    reasons = {
        "labels.json": _labels(folder, diff, into, manifest.get("labels")),
        "hypotheses.json": _hypotheses(folder, diff, into, manifest.get("hypotheses")),
        "trend.json": _trend(folder, diff, into, manifest.get("trend")),
    }
    for name, reason in reasons.items():
        if reason:
            (into / name).write_bytes((folder / name).read_bytes())
    return tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)


def _labels(folder: Path, diff: Diff, into: Path, record: Mapping[str, Any] | None) -> str:
    sheet = sheet_of(folder)
    if sheet is None:
        return ""
    if not sheet.asked and not sheet.scores:  # labels from elsewhere
        write_json(into / "labels.json", read_json(folder / "labels.json"))
        return ""
    if record is None:
        return f"the manifest does not record who was asked; {_AGAIN}"
    labeller, judge = _asker(folder, record["labeller"]), _asker(folder, record["judge"])
    made = labels_made(
        diff,
        labeller=labeller,
        judge=judge,
        known=None if labeller is not None else sheet,
        seed=record["seed"],
    )
    if lost := _lost(labeller, record["labeller"]) or _lost(judge, record["judge"]):
        return lost
    took = {name: record[name]["took"] for name in ("labeller", "judge") if record[name]}
    write_json(into / "labels.json", made.to_dict() | {"asked": took})
    return ""


def _hypotheses(folder: Path, diff: Diff, into: Path, record: Mapping[str, Any] | None) -> str:
    from whatchanged.interpret import hypotheses_json

    if hypotheses_of(folder) is None:
        return ""
    if record is None:
        return f"the manifest does not record how they were made; {_AGAIN}"
    sheet = None if record["labels"] is None else sheet_of(folder)
    if record["labels"] is not None and (sheet is None or sheet_print(sheet) != record["labels"]):
        return f"labels.json is not the one they were made with; {_AGAIN}"
    writer, judge = _asker(folder, record["writer"]), _asker(folder, record["judge"])
    made = hypotheses_made(diff, sheet=sheet, writer=writer, judge=judge, seed=record["seed"])
    if lost := _lost(writer, record["writer"]) or _lost(judge, record["judge"]):
        return lost
    content = hypotheses_json(made, before=diff.responses.before, after=diff.responses.after)
    for name in ("writer", "judge"):
        content["summary"][name] = record[name]["took"] if record[name] else None
    write_json(into / "hypotheses.json", content)
    return ""


def _trend(folder: Path, diff: Diff, into: Path, record: Mapping[str, Any] | None) -> str:
    from whatchanged.diff import trend
    from whatchanged.diff.trend_folder import save_trend

    if not (folder / "trend.json").exists():
        return ""
    if record is None:
        for name in ("trend.csv", "trend_levels.csv"):
            (into / name).write_bytes((folder / name).read_bytes())
        return "the manifest does not record its settings; test the trend again (whatchanged trend)"
    save_trend(trend(diff.features, **record), into)
    return ""


def _asker(folder: Path, record: Mapping[str, Any] | None) -> Asker | None:
    from whatchanged.interpret import Asker, LabelStore

    if record is None:
        return None
    model = _Recorded(record["took"]["model"], record["identity"])
    return Asker(model=model, store=LabelStore(folder / REPLIES), attempts=1)


def _lost(asker: Asker | None, record: Mapping[str, Any] | None) -> str:
    """What is missing of a model's replies, beyond those that never came."""
    if asker is None or record is None:
        return ""
    lost = asker.unanswered - int(record["took"]["unanswered"])
    asked = asker.unanswered + asker.kept
    if lost <= 0:
        return ""
    return f"{lost:,} of {asked:,} replies of {asker.model.name} are not in {REPLIES}/; {_AGAIN}"


class _Recorded:
    """A chat model that was asked once and is not asked again."""

    def __init__(self, name: str, identity: Mapping[str, Any]) -> None:
        self._name, self._identity = name, identity

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> Mapping[str, Any]:
        return self._identity

    async def reply(self, request: ChatRequest) -> Reply:
        raise RequestRejected(f"{self._name} is not asked again", free=True)

    async def close(self) -> None:
        """Nothing is held."""
