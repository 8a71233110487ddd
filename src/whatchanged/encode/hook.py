"""Where in the reader the residual stream is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from whatchanged.errors import SAEError

__all__ = ["HookPoint"]

_NAMES = (
    (re.compile(r"blocks\.(\d+)\.hook_resid_post"), 0),
    (re.compile(r"blocks\.(\d+)\.hook_resid_pre"), -1),
    (re.compile(r"(?:model\.)?layers\.(\d+)(?:\.output)?"), 0),
    (re.compile(r"transformer\.h\.(\d+)"), 0),
)


@dataclass(frozen=True, slots=True)
class HookPoint:
    """The residual stream after one decoder layer.

    Attributes:
        layer: Index of the decoder layer whose output is read, from 0.
    """

    layer: int

    @classmethod
    def parse(cls, name: str) -> HookPoint:
        """Read a hook name in TransformerLens or Hugging Face spelling.

        ``blocks.L.hook_resid_pre`` is the output of layer ``L - 1``.

        Raises:
            SAEError: If it is not a residual-stream hook point, or lies before the first layer.
        """
        for pattern, offset in _NAMES:
            if match := pattern.fullmatch(name):
                layer = int(match.group(1)) + offset
                if layer < 0:
                    raise SAEError(
                        f"hook point {name!r} lies before the first layer, which has no output to read"
                    )
                return cls(layer)
        raise SAEError(
            f"hook point {name!r} cannot be read; only the residual stream is supported "
            "(blocks.L.hook_resid_post, blocks.L.hook_resid_pre, model.layers.L): choose a residual-stream SAE"
        )

    def __str__(self) -> str:
        return f"blocks.{self.layer}.hook_resid_post"
