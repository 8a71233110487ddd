"""The card of a trained SAE: what it was made of, how good it is, how to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whatchanged.encode.train.corpus import Corpus
    from whatchanged.encode.train.trainer import TrainConfig

__all__ = ["card"]

_GEMMA = """
## Terms
The reader is Gemma 3 270M. Gemma is provided under and subject to the Gemma Terms of Use
(ai.google.dev/gemma/terms), which also govern the use of this dictionary of its activations.
"""


def card(
    config: TrainConfig,
    corpus: Corpus,
    figures: Mapping[str, float],
    *,
    masked: int,
    tokens: int,
    seconds: float,
) -> str:
    """Markdown of the card; every number in it was measured by the run that writes it."""
    sources = "\n".join(f"| {name} | {count:,} |" for name, count in corpus.sources.items())
    data = (
        f"| source · licence | documents in the corpus |\n|---|---:|\n{sources}\n"
        if sources
        else "(sources not named)\n"
    )
    return f"""# SAE of {config.reader}, residual stream after layer {config.layer}

| | |
|---|---|
| features | {config.width:,} (TopK, k = {config.k}) |
| training tokens | {tokens:,} (answer tokens; {masked:,} massive-activation tokens masked) |
| unexplained variance (FVU), held out | {figures["fvu"]:.4f} |
| the same with every dimension scaled to unit variance | {figures["fvu_standardised"]:.4f} |
| L0, held out | {figures["l0"]:.1f} |
| dead features at the end of training | {figures["dead_share"]:.2%} |
| held-out tokens | {int(figures["held_out_tokens"]):,}; features silent on them {figures["held_out_silent_share"]:.1%} |
| time | {seconds / 60:.0f} min on the machine that trained it |

A token is masked when the norm of its residual stream exceeds five times the median norm. The
variance is taken about the mean of the held-out activations. The input is whitened while training and the
whitening is folded into the weights, so the SAE reads the raw residual stream.

## Data
{data}
## Make it again, or one of your own
```
whatchanged sae train CORPUS.parquet --reader {config.reader} --layer {config.layer} --width {config.width} \\
    --k {config.k} --tokens {config.tokens} --out FOLDER
```
`CORPUS` is a Parquet, JSONL or CSV file with a column `text` and, where known, `prompt`. Use the
folder with `--sae FOLDER`.
{_GEMMA if "gemma" in config.reader else ""}"""
