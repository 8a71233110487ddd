"""A sparse autoencoder's encoder, in every architecture we read.

Only what encoding needs is kept on the device. The arithmetic is that of `sae_lens`; the tests hold
the two equal on every architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whatchanged.encode.hook import HookPoint

__all__ = ["ARCHITECTURES", "SparseActivations", "SparseAutoencoder"]

ARCHITECTURES = ("standard", "jumprelu", "topk", "gated")
_BLOCK = 1 << 24  # dense activations held at once: 16.8 M, 64 MB in float32
_ROWS = 16
"""A matmul's rows are padded to a multiple of this: kernels for a few rows round differently, and a token's
features must not depend on how many others are read with it."""


@dataclass(frozen=True, slots=True)
class SparseActivations:
    """Active features of a run of tokens, in CSR form on the CPU.

    Attributes:
        nnz: Active features of each token, ``[tokens]``, int64.
        column: Feature indices, ascending within a token, ``[sum of nnz]``, int32.
        value: Activations, > 0, float32, in the SAE's own units.
    """

    nnz: Any
    column: Any
    value: Any


@dataclass(frozen=True, kw_only=True)
class SparseAutoencoder:
    """Encoder (and decoder, for checks and cosines) of one SAE.

    Attributes:
        name: How the user named it.
        architecture: One of `ARCHITECTURES`; BatchTopK is read in its JumpReLU form.
        hook: Where in the model it reads.
        model_name: Model it was trained on, as its maker wrote it; empty if unknown.
        encoder: ``[d_in, features]``.
        encoder_bias: ``[features]``; the magnitude bias of a gated SAE.
        decoder: ``[features, d_in]``.
        decoder_bias: ``[d_in]``.
        threshold: ``[features]`` for JumpReLU, else ``None``.
        gate_bias: ``[features]`` for gated, else ``None``.
        gate_scale: ``exp(r_mag)``, ``[features]``, for gated, else ``None``.
        k: Active features per token for TopK, else 0.
        subtract_bias: Whether the decoder bias is subtracted from the input.
        normalise: ``none``, ``layer_norm`` or ``constant_norm_rescale``.
        rescale: Whether TopK acts on activations times decoder norms.
        claims: ``l0``, ``explained_variance`` and what else its maker states.
        fingerprint: Identity of its weights.
    """

    name: str
    architecture: str
    hook: HookPoint
    model_name: str
    encoder: Any
    encoder_bias: Any
    decoder: Any
    decoder_bias: Any
    threshold: Any = None
    gate_bias: Any = None
    gate_scale: Any = None
    k: int = 0
    subtract_bias: bool = False
    normalise: str = "none"
    rescale: bool = False
    claims: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.encoder.shape[1])

    @property
    def d_in(self) -> int:
        """Width of the residual stream it reads."""
        return int(self.encoder.shape[0])

    def to(self, device: Any, dtype: Any) -> SparseAutoencoder:
        """The same SAE with every tensor on a device and in a number type."""
        from dataclasses import replace

        names = ("encoder", "encoder_bias", "decoder", "decoder_bias", "threshold", "gate_bias", "gate_scale")
        tensors = {n: getattr(self, n) for n in names}
        return replace(
            self, **{n: t.to(device=device, dtype=dtype) for n, t in tensors.items() if t is not None}
        )

    def _normalised(self, x: Any) -> tuple[Any, Any, Any]:
        """Input as the encoder sees it, and the scale and shift that undo it."""
        if self.normalise == "constant_norm_rescale":
            scale = x.norm(dim=-1, keepdim=True) / self.d_in**0.5
            return x / scale, scale, 0.0
        if self.normalise == "layer_norm":
            shift = x.mean(dim=-1, keepdim=True)
            centred = x - shift
            scale = centred.std(dim=-1, keepdim=True)
            return centred / (scale + 1e-5), scale, shift
        return x, 1.0, 0.0

    def _input(self, x: Any) -> Any:
        x = self._normalised(x.to(self.encoder.dtype))[0]
        return x - self.decoder_bias if self.subtract_bias else x

    def _gated(self, x: Any) -> Any:
        import torch

        product = x @ self.encoder
        magnitude = torch.relu(product * self.gate_scale + self.encoder_bias)
        return magnitude * (product + self.gate_bias > 0)

    def dense(self, x: Any) -> Any:
        """Activations ``[tokens, features]`` of residuals ``[tokens, d_in]``."""
        import torch

        x = self._input(x)
        if self.architecture == "gated":
            return self._gated(x)
        pre = torch.addmm(self.encoder_bias, x, self.encoder)
        if self.architecture == "jumprelu":
            return torch.relu(pre) * (pre > self.threshold)
        if self.k:
            if self.rescale:
                pre = pre * self.decoder.norm(dim=-1)
            values, columns = torch.topk(pre, self.k, dim=-1, sorted=False)
            return torch.zeros_like(pre).scatter_(-1, columns, values.relu())
        return torch.relu(pre)

    def encode(self, x: Any) -> SparseActivations:
        """Active features of residuals ``[tokens, d_in]``; leaves the device sparse.

        Dense activations exist only for a block of tokens at a time (64 MB in float32).
        """
        import torch

        rows = max(_ROWS, _BLOCK // self.width // _ROWS * _ROWS)
        found = [(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int32), torch.zeros(0))]
        with torch.inference_mode():
            held = min(rows, len(x) + -len(x) % _ROWS)
            # One buffer for all blocks: fresh memory would cost a tenth of the matmul's time.
            buffer = self.encoder.new_empty(held if self.architecture != "gated" else 0, self.width)
            scale = self.decoder.norm(dim=-1) if self.rescale else None
            for block in x.split(rows) if len(x) else ():
                count, column, value = self._sparse(block, buffer, scale)
                found.append((count.cpu(), column.to(torch.int32).cpu(), value.float().cpu()))
            return SparseActivations(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _sparse(self, x: Any, buffer: Any, scale: Any) -> tuple[Any, Any, Any]:
        """Counts, columns and values of one block, with as few passes over the dense block as it takes."""
        import torch

        tokens = len(x)
        x = torch.nn.functional.pad(self._input(x), (0, 0, 0, -tokens % _ROWS))
        if self.architecture == "gated":
            dense, bound = self._gated(x)[:tokens], 0.0
        else:
            dense = torch.addmm(self.encoder_bias, x, self.encoder, out=buffer[: len(x)])[:tokens]
            if self.k:
                return self._top(dense if scale is None else dense.mul_(scale))
            bound = 0.0 if self.threshold is None else self.threshold.clamp_min(0)
        flat = _true(dense > bound)
        count = torch.bincount(flat.cpu().div(self.width, rounding_mode="floor"), minlength=tokens)
        return count, flat.remainder(self.width), dense.view(-1)[flat]

    def _top(self, pre: Any) -> tuple[Any, Any, Any]:
        import torch

        values, columns = torch.topk(pre, self.k, dim=-1, sorted=False)
        columns, order = columns.sort(dim=-1)
        values = values.gather(-1, order)
        active = values > 0
        return active.sum(dim=1), columns[active], values[active]

    def reconstruct(self, x: Any) -> Any:
        """Residuals ``[tokens, d_in]`` rebuilt from their active features."""
        _, scale, shift = self._normalised(x.to(self.encoder.dtype))
        features = self.dense(x)
        if self.rescale:
            features = features / self.decoder.norm(dim=-1)
        return (features @ self.decoder + self.decoder_bias) * scale + shift


def _true(mask: Any) -> Any:
    """Flat positions of what is true; NumPy skips empty stretches of a mask, torch on the CPU does not."""
    if mask.device.type != "cpu":
        return mask.view(-1).nonzero().view(-1)
    import numpy as np
    import torch

    return torch.from_numpy(np.flatnonzero(mask.numpy()))
