"""What benchmark programs share: options, results that are resumed, encoding with a bar, the last lines."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from section import Section, save, show
from whatchanged.artifacts import Features, Responses
from whatchanged.encode.encode import Encoder, encode
from whatchanged.encode.registry import load_sae
from whatchanged.store import read_json

__all__ = ["ALPHA", "Reading", "bar", "finish", "opened", "options_of", "settings_of"]

ALPHA = 0.05


def options_of(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark on answers has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="results folder of alpaca_eval")
    parser.add_argument("--prompts", type=int, default=None, help="the first so many by id; all by default")
    parser.add_argument("--sae", default="gemma-3-270m")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; a .md file is written beside it")
    return parser


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that every figure depends on."""
    return {
        "prompts": options.prompts,
        "sae": {"name": options.sae, "fingerprint": load_sae(options.sae).fingerprint},
        "dtype": options.dtype,
        "seed": options.seed,
        "alpha": ALPHA,
    }


def opened(path: Path, settings: dict[str, Any], **empty: Any) -> dict[str, Any]:
    """The results so far, or an empty frame."""
    if not path.exists():
        return {"schema": 1, "settings": settings, "timing": {}, **empty}
    result: dict[str, Any] = read_json(path)
    if result.get("settings") != settings:
        differing = [k for k, v in settings.items() if result.get("settings", {}).get(k) != v]
        raise SystemExit(
            f"{path} holds results of other settings ({', '.join(differing)}); choose another --out"
        )
    return result


def bar(console: Console) -> Progress:
    """A progress bar that goes when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True)


class Reading:
    """A reader that is loaded when the first answers are to be encoded, and what it took.

    Attributes:
        timing: Answers encoded (not found in the cache) and seconds, added up over all calls.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options, self._console = options, console
        self._encoder: Encoder | None = None
        self.timing: dict[str, Any] = {"answers_encoded": 0, "encode_s": 0.0}

    @property
    def encoder(self) -> Encoder:
        """The reader with its SAE."""
        if self._encoder is None:
            self._encoder = Encoder(self._options.sae, dtype=self._options.dtype)
        return self._encoder

    def __call__(self, responses: Responses, *, cache: Path | None = None) -> Features:
        """The answers encoded, or read from the cache."""
        encoder, began = self.encoder, time.perf_counter()
        with bar(self._console) as shown:
            task = shown.add_task("reading tokens", total=None)
            features = encode(
                responses,
                encoder=encoder,
                cache=cache,
                progress=lambda done, all_: shown.update(task, completed=done, total=all_),
            )
        self.timing["answers_encoded"] += features.encoded
        self.timing["encode_s"] = round(self.timing["encode_s"] + time.perf_counter() - began, 1)
        return features


def finish(section: Section, out: Path, console: Console) -> None:
    """Write the section beside the results and print it."""
    save(section, out.with_suffix(".md"))
    show(section, Console())
    console.print(f"wrote {out} and {out.with_suffix('.md')}")
