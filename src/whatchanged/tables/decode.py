"""Bytes of a text file as text, or a message that says where they go wrong."""

from __future__ import annotations

from pathlib import Path

from whatchanged.errors import InputError

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; line ends as they stand.

    Raises:
        InputError: The file is not UTF-8 or has NUL bytes; the message names the byte and the line.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            "the file is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 IN > OUT", where=path.name
        )
    nul = data.find(b"\0")
    if nul >= 0:
        raise InputError(
            f"NUL byte at offset {nul}: the file is damaged, binary or UTF-16; write it again as UTF-8 text",
            where=f"{path.name}:{_line(data, nul)}",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8; convert the file: "
            "iconv -f WINDOWS-1252 -t UTF-8 IN > OUT (or save it as UTF-8)",
            where=f"{path.name}:{_line(data, error.start)}",
        ) from error


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
