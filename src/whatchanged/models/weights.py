"""Where a model's weights are, what tells them from others, and on what device they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from whatchanged.errors import ModelError
from whatchanged.models.dequantised import dequantised
from whatchanged.models.embedded import EMBEDDED, GGUF_SHA256, reader_path
from whatchanged.store import fingerprint, sha256_file

__all__ = ["Weights", "find_gguf", "find_weights", "folder_fingerprint", "pick_device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model that transformers can load.

    Attributes:
        path: Folder in Hugging Face format, or name on the hub.
        identity: Equal only for equal content: ``gguf:`` and ``files:`` with a checksum. ``hub:`` with the name
            says nothing of the revision, which is known once the model is loaded.
    """

    path: str
    identity: str


def find_weights(name: str) -> Weights:
    """The weights of a model name; nothing is downloaded or loaded here.

    Args:
        name: `EMBEDDED`, a folder in Hugging Face format, or a name on the hub.

    Raises:
        ModelError: If it looks like a path and is no folder, or the folder holds no weights or only an adapter.
    """
    if name == EMBEDDED:
        return Weights(path=str(reader_path()), identity=f"gguf:{GGUF_SHA256}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
            raise ModelError(f"{folder} is an adapter without its base; write BASE+{folder}")
        if not any(p.suffix in {".safetensors", ".bin"} for p in folder.iterdir()):
            raise ModelError(
                f"{folder} holds no weights (*.safetensors); give a folder in Hugging Face format"
            )
        return Weights(path=str(folder), identity=f"files:{folder_fingerprint(folder)}")
    if folder.is_file() or name[:1] in {"/", ".", "~"} or name.count("/") > 1:
        raise ModelError(
            f"there is no folder {str(folder)!r}; give a folder in Hugging Face format, or the name of a model "
            "on the hub (owner/model)"
        )
    return Weights(path=name, identity=f"hub:{name}")


def find_gguf(path: Path) -> Weights:
    """The weights of a GGUF file, dequantised on first use.

    Raises:
        ModelError: If there is no such file, or it cannot be read as a causal language model.
    """
    if not path.is_file():
        raise ModelError(f"there is no file {str(path)!r}; give the path of a .gguf file")
    sha256 = sha256_file(path)
    folder = reader_path() if sha256 == GGUF_SHA256 else dequantised(path.stem, sha256, lambda _: path)
    return Weights(path=str(folder), identity=f"gguf:{sha256}")


def folder_fingerprint(folder: Path) -> str:
    """Fingerprint of a folder's weights and JSON files, by content."""
    files = sorted(p for p in folder.iterdir() if p.suffix in {".safetensors", ".bin", ".json", ".jinja"})
    return fingerprint({p.name: sha256_file(p) for p in files})


def pick_device(asked: str) -> str:
    """A torch device; ``auto`` takes CUDA or MPS when there is one.

    Raises:
        ValueError: If it is no device, or one this machine lacks.
    """
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        raise ValueError(
            f"device must be 'auto', 'cpu', 'cuda', 'cuda:1' or the like; got {asked!r}"
        ) from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"this machine has no CUDA device for {asked!r}; use device='auto' or 'cpu'")
    return asked
