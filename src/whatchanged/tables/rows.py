"""Files and objects in memory as rows, each with the place it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from whatchanged.errors import InputError
from whatchanged.tables.delimited import read_delimited
from whatchanged.tables.jsons import read_json, read_jsonl

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "Source", "Table", "read_table", "split_source"]

Row: TypeAlias = tuple[str, Mapping[str, Any]]
"""Where a row stands (``answers.csv:17``), and its cells."""

Source: TypeAlias = "str | Path | pd.DataFrame | Sequence[Mapping[str, Any]] | Any"
"""A path, ``file:answers.csv#column``, a DataFrame, a `datasets.Dataset`, or a list of dicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of one source.

    Attributes:
        label: Short name of the source for messages.
        columns: Column names in order; of rows with differing keys, all that occur.
        rows: The rows.
        path: The file, if it is one.
        selector: What stood after ``#``: a column, or a model of the model column.
    """

    label: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    path: Path | None = None
    selector: str | None = None

    def find(self, name: str) -> str | None:
        """The column of this name; case and outer spaces are forgiven when no other is meant."""
        if name in self.columns:
            return name
        alike = [c for c in self.columns if c.strip().casefold() == name.strip().casefold()]
        return alike[0] if len(alike) == 1 else None

    def first(self, names: Sequence[str]) -> str | None:
        """The first column that has one of these names."""
        return next((column for name in names if (column := self.find(name))), None)


def read_parquet(path: Path) -> list[Row]:
    """Rows of a Parquet file; nulls are ``None``."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(
            f"not a readable Parquet file ({str(error).splitlines()[0]}); write it again, "
            "or convert it to JSONL",
            where=path.name,
        ) from error
    _distinct(table.column_names, path.name)
    return [(f"{path.name} row {i}", row) for i, row in enumerate(table.to_pylist())]


_READERS: Mapping[str, Callable[[Path], list[Row]]] = {
    ".csv": lambda path: read_delimited(path, ","),
    ".tsv": lambda path: read_delimited(path, "\t"),
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
}


def _distinct(names: Iterable[Any], label: str) -> None:
    repeated = [name for name, n in Counter(str(n).strip() for n in names).items() if n > 1]
    if repeated:
        raise InputError(f"column names {repeated!r} occur more than once; rename them", where=label)


def split_source(source: str | Path) -> tuple[Path, str | None]:
    """Path and what stands after ``#``; a file whose name has a ``#`` is found as it stands."""
    text = str(source).removeprefix("file:")
    path = Path(text).expanduser()
    if path.exists() or "#" not in text:
        return path, None
    name, _, selector = text.rpartition("#")
    return Path(name).expanduser(), selector or None


def _read_file(source: str | Path, item: str, in_folder: str) -> Table:
    path, selector = split_source(source)
    if path.is_dir():
        path = path / in_folder
    if not path.is_file():
        raise InputError(f"no such file: {path}; check the path (relative ones start at {Path.cwd()})")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"cannot tell the format from the ending {path.suffix!r}; use one of {', '.join(_READERS)}",
            where=path.name,
        )
    return _table(reader(path), path.name, item, path=path, selector=selector)


def _table(
    rows: Sequence[Row], label: str, item: str, *, path: Path | None = None, selector: str | None = None
) -> Table:
    if not rows:
        raise InputError(f"no rows; expected one per {item}", where=label)
    columns = tuple(dict.fromkeys(key for _, row in rows for key in row))
    return Table(label=label, columns=columns, rows=tuple(rows), path=path, selector=selector)


def _records(records: Iterable[Any], label: str) -> list[Row]:
    rows: list[Row] = []
    for i, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InputError(
                f"expected a dict of columns; got {type(record).__name__}; pass a list of dicts",
                where=f"{label}[{i}]",
            )
        rows.append((f"{label}[{i}]", {str(k): v for k, v in record.items()}))
    return rows


def read_table(
    source: Source, label: str, *, item: str = "answer", in_folder: str = "responses.jsonl"
) -> Table:
    """Reads any supported source.

    Args:
        source: See `Source`.
        label: Name of an object in memory for messages (``before``, ``after``).
        item: What a row is, for messages.
        in_folder: The file that a folder stands for.

    Raises:
        InputError: The file is missing, malformed or of an unknown format; the message names file,
            line and remedy.
        TypeError: The source is none of the supported kinds.
    """
    if isinstance(source, str | Path):
        return _read_file(source, item, in_folder)
    if isinstance(source, Sequence):
        return _table(_records(source, label), label, item)
    data: Any = source  # from here on told by what it can do: datasets and pandas are not imported for it
    if type(data).__name__ == "DatasetDict":
        raise InputError(
            f"a DatasetDict has several splits {sorted(data)!r}; choose one, such as dataset[{min(data)!r}]",
            where=label,
        )
    if hasattr(data, "column_names") and hasattr(data, "to_list"):
        return _table(_records(data.to_list(), label), label, item)
    if hasattr(data, "itertuples"):
        frame = data if data.index.name is None else data.reset_index()
        _distinct(frame.columns, label)
        names = [str(name) for name in frame.columns]
        cells = enumerate(frame.itertuples(index=False, name=None))
        rows = [(f"{label} row {i}", dict(zip(names, row, strict=True))) for i, row in cells]
        return _table(rows, label, item)
    raise TypeError(
        f"cannot read {item}s from {type(source).__name__}; pass a path, 'file:{item}s.csv#column', a pandas "
        "DataFrame, a datasets.Dataset or a list of dicts"
    )
