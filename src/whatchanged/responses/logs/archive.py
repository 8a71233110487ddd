"""Members of a zip archive, those compressed with Zstandard included."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from whatchanged.errors import InputError

__all__ = ["is_archive", "read_members"]

_ZSTANDARD = 93  # the method's number in zip files; Python's own zipfile knows it from 3.14 on
_LOCAL = struct.Struct("<4s22xHH")


def is_archive(path: Path) -> bool:
    """Whether a file begins as zip archives do."""
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


def read_members(path: Path, wanted: str) -> dict[str, bytes]:
    """Content of the members whose name begins with ``wanted``; of a name written twice the last.

    Raises:
        InputError: The archive is cut off or damaged, or compressed in a way we cannot read.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
            found = {i.filename: i for i in archive.infolist() if i.filename.startswith(wanted)}
            return {
                name: _zstandard(raw, info) if info.compress_type == _ZSTANDARD else archive.read(info)
                for name, info in found.items()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, OSError) as error:
        raise InputError(
            f"the archive is damaged or was cut off ({error}); copy it again, or export the log once more",
            where=path.name,
        ) from error
    except NotImplementedError as error:
        raise InputError(
            f"the archive is compressed in an unknown way ({error}); write the log again as JSON: inspect log "
            "convert --to json",
            where=path.name,
        ) from error


def _zstandard(raw: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """One member's bytes, its checksum verified."""
    import pyarrow

    raw.seek(info.header_offset)
    _, name, extra = _LOCAL.unpack(raw.read(_LOCAL.size))
    raw.seek(name + extra, 1)
    packed = raw.read(info.compress_size)
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
        data: bytes = stream.read()
    if zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"bad CRC-32 of {info.filename}")
    return data
