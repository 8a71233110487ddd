"""Files and objects in memory as rows with their place: CSV, TSV, JSON, JSONL, Parquet, pandas, datasets."""

from __future__ import annotations

from whatchanged.tables.rows import Row, Source, Table, read_table

__all__ = ["Row", "Source", "Table", "read_table"]
