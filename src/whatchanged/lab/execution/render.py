"""A cell's result as an agent reads it: one line of state, then the outputs."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator

from whatchanged.lab.execution.cell import CellResult
from whatchanged.lab.execution.cut import cut_text
from whatchanged.lab.execution.outputs import text_of
from whatchanged.lab.execution.toolbox import Picture

__all__ = ["ANSWER_TEXT", "render"]

ANSWER_TEXT = 20_000
"""Characters of output in one answer to an agent; the middle of longer text is left out with counts."""

_PICTURES = 6
_SIDE = 1568  # pixels of a picture's longer side
_SIZE = 1_500_000  # characters of a picture in base64
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def render(result: CellResult) -> list[str | Picture]:
    """One line of state, the text of the outputs, and at most six pictures, made smaller where they are large."""
    pictures: list[Picture] = []
    text = ""
    for output in result.outputs:
        shown = [(mime, str(output["data"][mime])) for mime in _SHOWN if mime in output.get("data", {})]
        said = _COLOURS.sub("", text_of(dict(output)))
        text += said if not said or said.endswith("\n") else said + "\n"
        for mime, data in shown[:1]:
            if len(pictures) < _PICTURES and (picture := _fit(mime, data)) is not None:
                pictures.append(picture)
                text += f"[picture {len(pictures)}]\n"
            else:
                text += f"[a picture of kind {mime} is in the notebook only]\n"
    return ["\n".join([_state(result), *([cut_text(text, ANSWER_TEXT)] if text else [])]), *pictures]


def _state(result: CellResult) -> str:
    cell = "set-up cell" if result.cell is None else f"cell {result.cell}"
    if result.status == "queued":
        return f"{cell} waits behind another cell; call wait(handle={result.handle}) for its outputs"
    if result.status == "running":
        facts = ", ".join(_facts(result))
        return (
            f"{cell} is still running ({facts}); call wait(handle={result.handle}) for its outputs, or interrupt(). "
            "Outputs so far:"
        )
    count = "" if result.execution_count is None else f" [{result.execution_count}]"
    ended = {
        "ok": "ok",
        "error": "raised an error",
        "interrupted": "was interrupted",
        "died": "did not finish",
    }
    return f"{cell}{count} {ended[result.status]} after {result.seconds:.1f} s"


def _facts(result: CellResult) -> Iterator[str]:
    yield f"for {result.seconds:.0f} s"
    yield f"last output {result.silent:.0f} s ago"
    if result.memory is not None:
        yield f"kernel memory {result.memory / 2**20:,.0f} MiB"


def _fit(mime: str, data: str) -> Picture | None:
    """The picture in a size a model is served with; ``None`` if it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            if max(image.size) <= _SIDE and len(data) <= _SIZE:
                return Picture(mime=mime, data="".join(data.split()))
            image.thumbnail((_SIDE, _SIDE))
            small = io.BytesIO()
            image.convert("RGB").save(small, "JPEG", quality=85)
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    return Picture(mime="image/jpeg", data=base64.b64encode(small.getvalue()).decode())
