"""Files of a run: atomic writes, checksums, fingerprints, the manifest and the caches' place.

Nothing is pickled. A file either has its whole content or does not exist under its name: content is
written beside it, flushed to the disk and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whatchanged.errors import StoreError

__all__ = [
    "atomic",
    "cache_folder",
    "fingerprint",
    "link_or_copy",
    "read_json",
    "sha256_file",
    "update_manifest",
    "write_json",
    "write_text",
]


def cache_folder() -> Path:
    """Folder for weights and encodings; ``WHATCHANGED_CACHE`` moves it. It is not created here."""
    chosen = os.environ.get("WHATCHANGED_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "whatchanged"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to it when the block ends well, removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, as a whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of ours.

    Raises:
        StoreError: If it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist; run the stage that writes it first") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged ({error}); delete it and run the stage again") from error


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of a value's canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def link_or_copy(source: Path, target: Path) -> None:
    """Give an immutable file a second name, by hard link where the file system allows it."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        with atomic(target) as temporary:
            temporary.write_bytes(source.read_bytes())


def update_manifest(folder: Path, changes: Mapping[str, Any]) -> None:
    """Merge `changes` into the top level of a run folder's ``manifest.json``."""
    path = folder / "manifest.json"
    manifest = read_json(path) if path.exists() else {"schema": 1}
    write_json(path, manifest | dict(changes))
