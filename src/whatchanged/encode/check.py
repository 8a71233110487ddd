"""Does this SAE belong to this model, layer and hook point? Measured before anything is encoded.

A wrong neighbour layer keeps the L0 of a TopK SAE, and moves that of others only a little; what
gives it away is the explained variance, which is compared at the declared layer and at its
neighbours. The residual norm that defines massive activations is measured on the same texts, so
that it depends on reader and hook point alone, never on the user's data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from whatchanged.encode.reader import Reader
from whatchanged.encode.sae import SparseAutoencoder
from whatchanged.errors import MismatchError

__all__ = ["MASSIVE", "Health", "check", "compatible_names", "measure"]

_FACTOR = 3.0
"""L0 or unexplained variance off by more than this factor is a mismatch."""
MASSIVE = 5.0
"""Tokens whose residual norm exceeds this many median norms are massive activations, and masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the load check measured on a few hundred tokens of ordinary text.

    Attributes:
        tokens: Tokens measured (massive ones left out).
        l0: Mean number of active features per token.
        explained_variance: Share of the variance about the mean that is reconstructed.
        neighbours: Explained variance when the same SAE reads the layer before and after.
        median_norm: Median norm of the residual stream.
    """

    tokens: int
    l0: float
    explained_variance: float
    neighbours: dict[int, float]
    median_norm: float

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self) | {"neighbours": {str(k): v for k, v in self.neighbours.items()}}


def measure(reader: Reader, sae: SparseAutoencoder) -> Health:
    """Read the built-in texts and measure L0 and explained variance at the hook layer and beside it.

    Raises:
        MismatchError: If the SAE's input width is not that of the residual stream.
    """
    if sae.d_in != reader.d_model:
        raise MismatchError(
            f"SAE {sae.name} reads {sae.d_in} dimensions, but {reader.name} has a residual stream of "
            f"{reader.d_model}; use the SAE's own model" + (f" ({sae.model_name})" if sae.model_name else "")
        )
    import torch

    layer = reader.hook.layer
    layers = [n for n in (layer - 1, layer, layer + 1) if 0 <= n < reader.n_layers]
    streams: dict[int, list[Any]] = {n: [] for n in layers}
    text = files("whatchanged.encode").joinpath("calibration.txt").read_text(encoding="utf-8")
    passages = [t.strip() for t in text.split("%%")]
    for document in reader.template.tokenise([None] * len(passages), passages):
        found = reader.residuals(torch.tensor([document.ids]), layers=layers)
        for n in layers:
            streams[n].append(found[n][0, document.start :].float())
    explained, l0, median, tokens = {}, 0.0, 0.0, 0
    with torch.inference_mode():
        for n in layers:
            x = torch.cat(streams[n])
            norms = x.norm(dim=1)
            usual = norms <= MASSIVE * norms.median()
            x = x[usual]
            rest = (x - sae.reconstruct(x).float()).square().sum()
            explained[n] = 1 - float(rest / (x - x.mean(dim=0)).square().sum())
            if n == layer:
                l0, tokens = float(sae.encode(x).nnz.double().mean()), len(x)
                median = float(norms.median())
    return Health(
        tokens=tokens,
        l0=l0,
        explained_variance=explained[layer],
        neighbours={n: v for n, v in explained.items() if n != layer},
        median_norm=median,
    )


def check(reader: Reader, sae: SparseAutoencoder) -> Health:
    """Measure, and refuse what cannot be right.

    Raises:
        MismatchError: If the SAE names another model; if L0 or the unexplained variance is more than
            three times off the SAE's claim; if a neighbouring layer is explained clearly better
            (a quarter less unexplained); or if less than a tenth of the variance is explained.
    """
    if sae.model_name and not compatible_names(sae.model_name, reader.name):
        raise MismatchError(
            f"SAE {sae.name} was trained on {sae.model_name}, but the reader is {reader.name}; "
            f"give --reader {sae.model_name}, or another SAE"
        )
    health = measure(reader, sae)
    rest = 1 - health.explained_variance
    found = f"(measured on {health.tokens} tokens at {reader.hook} of {reader.name})"
    if not health.l0 > 0:
        raise MismatchError(f"no feature of SAE {sae.name} is ever active {found}; wrong model or hook point")
    claimed = sae.claims.get("l0")
    if claimed and not 1 / _FACTOR <= health.l0 / claimed <= _FACTOR:
        raise MismatchError(
            f"SAE {sae.name} claims L0 = {claimed:.1f}, measured {health.l0:.1f} {found}; "
            "wrong model, layer or architecture"
        )
    for n, explained in health.neighbours.items():
        if 1 - explained < 0.75 * rest:
            raise MismatchError(
                f"SAE {sae.name} leaves {rest:.1%} of the variance unexplained at layer {reader.hook.layer} but "
                f"only {1 - explained:.1%} at layer {n} {found}; its hook point is probably blocks.{n}"
            )
    claimed = sae.claims.get("explained_variance")
    if claimed is not None and claimed < 1 and rest > _FACTOR * (1 - claimed):
        raise MismatchError(
            f"SAE {sae.name} claims {1 - claimed:.1%} unexplained variance, measured {rest:.1%} {found}; "
            "wrong model, layer or architecture"
        )
    if health.explained_variance < 0.1:
        raise MismatchError(
            f"SAE {sae.name} explains only {health.explained_variance:.1%} of the variance {found}; "
            "wrong model, layer, architecture or input scale"
        )
    return health


def compatible_names(claimed: str, reader: str) -> bool:
    """Whether two model names can mean the same weights: equal after the owner and ``-pt`` are left out.

    A reader given as a folder is judged by what is measured, not by its name.
    """
    if reader.startswith((".", "/", "~")) or Path(reader).is_dir():
        return True
    return _bare(claimed) == _bare(reader)


def _bare(name: str) -> str:
    last = name.rstrip("/").rsplit("/", 1)[-1].casefold().removeprefix("meta-")
    return last.removesuffix("-pt")
