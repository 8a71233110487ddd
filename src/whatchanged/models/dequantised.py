"""A GGUF file as a folder in Hugging Face format, made once and kept in the cache.

The copy is kept as float32 safetensors. A marker with the checksum of every file is written last, so that
an interrupted or damaged copy is noticed and made again.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import struct
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from whatchanged.errors import ModelError
from whatchanged.store import cache_folder, read_json, sha256_file, write_json

__all__ = ["dequantised"]

_MARKER = "complete.json"


def dequantised(name: str, sha256: str, gguf: Callable[[Path], Path]) -> Path:
    """Folder in Hugging Face format made from a GGUF file.

    The first call needs four bytes of disk and memory for each weight; later calls verify sizes and the small
    files, and the weights' checksum once per change of the file's size or time.

    Args:
        name: Begins the folder's name in the cache.
        sha256: Checksum of the GGUF file.
        gguf: Gives the path of the file. It is called only when the copy must be made, with a folder it may
            write to; what it leaves there is removed.

    Raises:
        ModelError: If the file is damaged, or of an architecture that transformers cannot read.
    """
    folder = cache_folder() / "readers" / f"{name}-{sha256[:12]}"
    if _intact(folder, sha256):
        return folder
    building = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.building")
    spare = building.with_name(f"{building.name}.gguf")
    try:
        building.mkdir(parents=True)
        spare.mkdir()
        _dequantise(gguf(spare), building)
        write_json(building / _MARKER, {"gguf_sha256": sha256, "files": _checksums(building)})
        if folder.exists():
            shutil.rmtree(folder)
        try:
            building.rename(folder)
        except OSError:  # another process finished first
            if not _intact(folder, sha256):
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(spare, ignore_errors=True)
    return folder


def _checksums(folder: Path) -> dict[str, Any]:
    return {
        p.name: {"sha256": sha256_file(p), "size": p.stat().st_size, "mtime_ns": p.stat().st_mtime_ns}
        for p in sorted(folder.iterdir())
        if p.name != _MARKER
    }


def _intact(folder: Path, sha256: str) -> bool:
    """Whether every file is what the marker says; a touched file is hashed again, once."""
    marker = folder / _MARKER
    if not marker.exists():
        return False
    known = read_json(marker)
    if known.get("gguf_sha256") != sha256:
        return False
    refreshed = False
    for name, facts in known["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != facts["size"]:
            return False
        if path.stat().st_mtime_ns != facts["mtime_ns"]:
            if sha256_file(path) != facts["sha256"]:
                return False
            facts["mtime_ns"], refreshed = path.stat().st_mtime_ns, True
    if refreshed:
        write_json(marker, known)
    return True


def _dequantise(gguf: Path, folder: Path) -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars that cannot be switched off
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
            )  # fmt: skip
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, struct.error) as problem:
        raise ModelError(
            f"{str(gguf)!r} cannot be read as a causal language model: {problem}; copy it again, or give a "
            "folder in Hugging Face format"
        ) from problem
