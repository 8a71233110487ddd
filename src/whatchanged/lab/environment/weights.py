"""Weights of models for a local sandbox: found or downloaded by the host, seen read-only inside."""

from __future__ import annotations

from pathlib import Path

from whatchanged.errors import MissingExtra, SandboxError
from whatchanged.lab.environment.config import ModelConfig

__all__ = ["host_weights"]


def host_weights(model: ModelConfig) -> list[tuple[str, Path, str]]:
    """Where a model's weights are on this machine; they are downloaded if need be.

    Returns:
        For the model, and then for its base model if it has one: the name to bind it by (which tells nothing about a
        hidden model), the folder to bind, and the path of the weights within that folder.

    Raises:
        SandboxError: If they cannot be had.
    """
    wanted = [(model.var_name, model.name)]
    if model.base_model:
        wanted.append((f"{model.var_name}-base", model.base_model))
    return [(name, *_find(source)) for name, source in wanted]


def _find(source: str) -> tuple[Path, str]:
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.resolve(), ""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra("huggingface_hub", extra="lab", purpose="find a model's weights") from None
    try:
        snapshot = Path(snapshot_download(source))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise SandboxError(f"the weights of {source} cannot be had: {error}") from error
    top = snapshot.parent.parent  # the files are links into its sibling folder "blobs"
    return top, str(snapshot.relative_to(top))
