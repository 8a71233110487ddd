"""CSV and TSV with the line number of every row."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatchanged.errors import InputError
from whatchanged.tables.decode import read_text

__all__ = ["read_delimited"]


def read_delimited(path: Path, delimiter: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Rows of a delimited file with a header line, each with ``file:line`` of its first line.

    Quoted fields may hold delimiters and line ends; quotes inside are doubled. Blank lines are
    passed over.

    Raises:
        InputError: A row has more or fewer fields than the header, a quote is never closed, or the
            header repeats a name or lacks one.
    """
    text = read_text(path)
    limit = csv.field_size_limit(sys.maxsize if sys.maxsize <= 2**31 - 1 else 2**31 - 1)
    try:
        return _rows(text, path.name, delimiter)
    finally:
        csv.field_size_limit(limit)


def _rows(text: str, name: str, delimiter: str) -> list[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    rows: list[tuple[str, Mapping[str, Any]]] = []
    line = 1
    while True:
        where = f"{name}:{line}"
        try:
            cells = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            raise InputError(
                f"the row that begins here cannot be read ({error}); close every quoted field and double the "
                "quotes inside it",
                where=where,
            ) from error
        line = reader.line_num + 1
        if not cells:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_header(header, where)
        elif len(cells) != len(header):
            raise InputError(
                f"{len(cells)} fields, but the header has {len(header)} ({', '.join(header)}); put fields "
                f"that hold {delimiter!r} or line ends in double quotes",
                where=where,
            )
        else:
            rows.append((where, dict(zip(header, cells, strict=True))))


def _check_header(header: list[str], where: str) -> None:
    repeated = [column for column, n in Counter(header).items() if n > 1 and column]
    if repeated:
        raise InputError(f"column names {repeated!r} occur more than once; rename them", where=where)
    if header.count("") > 1:
        raise InputError(f"{header.count('')} columns have no name; name them", where=where)
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|,"):
        raise InputError(
            f"only one column, {header[0]!r}: the fields seem to be separated otherwise; save as .csv with "
            "commas or .tsv with tabs",
            where=where,
        )
