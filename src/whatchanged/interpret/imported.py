"""Labels of SAE features that somebody else has written: Neuronpedia exports, Goodfire maps, tables."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict, ValidationError

from whatchanged.errors import InputError

__all__ = ["ImportedLabels", "read_labels"]

_TIMEOUT = 60.0
_BATCHES = "batch-{}.jsonl.gz"
_INDEX = ("feature", "index", "latent")
_LABEL = ("label", "description", "explanation")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLabels:
    """Words for features.

    Attributes:
        texts: Label of each feature, by its index.
        source: Where they came from, shown beside every label.
        dropped: Lines that gave no label, by reason: ``empty``, ``repeated`` (a feature had one already), and
            ``other_source`` (a line about another SAE).
    """

    texts: Mapping[int, str]
    source: str
    dropped: Mapping[str, int] = field(default_factory=dict)


class _Explanation(BaseModel):
    """One line of a Neuronpedia export; it has more fields, which we do not read."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)
    index: str
    description: str | None = None
    layer: str | None = None
    modelId: str | None = None  # noqa: N815  (their name)


def read_labels(source: str | Path, *, of: str | None = None, width: int | None = None) -> ImportedLabels:
    """Read labels.

    Args:
        source: One of

            * a folder or URL with Neuronpedia's ``explanations/batch-0.jsonl.gz, batch-1.jsonl.gz, ...``, or one
              such file (``.jsonl`` or ``.jsonl.gz``);
            * a JSON file that maps a feature's index to its label, as Goodfire publishes them;
            * a CSV file with columns ``feature`` (or index, latent) and ``label`` (or description, explanation).
        of: Neuronpedia's name of the SAE (``MODEL/SOURCE`` or ``SOURCE``), where a file holds several.
        width: Number of features of the SAE; an index beyond it is refused.

    Returns:
        The labels; the first of several for a feature is kept and the others are counted.

    Raises:
        InputError: The source cannot be read, is none of these, or names a feature the SAE does not have; the
            message names file and line.
    """
    texts: dict[int, str] = {}
    dropped: dict[str, int] = {}

    def drop(reason: str) -> None:
        dropped[reason] = dropped.get(reason, 0) + 1

    name = str(source)
    for where, index, text, owner in _lines(name):
        if of is not None and owner is not None and not _same(owner, of):
            drop("other_source")
            continue
        feature = _feature(index, where, width)
        label = " ".join(text.split()) if isinstance(text, str) else ""
        if not label:
            drop("empty")
        elif feature in texts:
            drop("repeated")
        else:
            texts[feature] = label
    if not texts:
        raise InputError(
            f"no label was found ({dropped or 'no lines'}); check the source, and of=", where=name
        )
    return ImportedLabels(texts=texts, source=f"imported from {_short(name)}", dropped=dropped)


_Line = tuple[str, object, object, str | None]
"""Where it stands, index, label, and the SAE it is about, where a line says so."""


def _lines(source: str) -> Iterator[_Line]:
    if source.startswith(("http://", "https://")):
        yield from _from_url(source)
        return
    path = Path(source).expanduser()
    if path.is_dir():
        batches = sorted(
            path.glob("batch-*.jsonl*"), key=lambda p: int("0" + "".join(filter(str.isdigit, p.name)))
        )
        if not batches:
            raise InputError(
                "no batch-N.jsonl.gz in this folder; give the folder explanations/", where=source
            )
        for batch in batches:
            yield from _neuronpedia(_bytes(batch), batch.name)
        return
    content = _bytes(path)
    if ".jsonl" in path.suffixes:
        yield from _neuronpedia(content, path.name)
    elif path.suffix == ".json":
        yield from _goodfire(content, path.name)
    elif path.suffix == ".csv":
        yield from _table(content, path.name)
    else:
        raise InputError(
            "labels come as .jsonl(.gz), .json or .csv, or as a folder of batches", where=path.name
        )


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        raise InputError(
            f"the labels cannot be read: {error}; fetch the file again", where=str(path)
        ) from error


def _from_url(url: str) -> Iterator[_Line]:
    """A file, or the batches of a folder, numbered from 0 until one is missing."""
    single = urlsplit(url).path.endswith((".jsonl", ".jsonl.gz", ".json", ".csv"))
    number = 0
    while True:
        address = url if single else f"{url.rstrip('/')}/{_BATCHES.format(number)}"
        try:
            with urlopen(address, timeout=_TIMEOUT) as reply:
                content = reply.read()
        except HTTPError as error:
            if error.code in {403, 404} and number:  # object stores answer 403 for what is not there
                return
            raise InputError(f"HTTP {error.code}; check the address", where=address) from error
        except (URLError, TimeoutError) as error:
            raise InputError(f"cannot be fetched: {error}; check the network", where=address) from error
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        if address.endswith(".json"):
            yield from _goodfire(content, address)
        elif address.endswith(".csv"):
            yield from _table(content, address)
        else:
            yield from _neuronpedia(content, address)
        if single:
            return
        number += 1


def _neuronpedia(content: bytes, name: str) -> Iterator[_Line]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            found = _Explanation.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            field_name = ".".join(map(str, problem["loc"])) or "line"
            raise InputError(f"no explanation: {field_name}: {problem['msg']}", where=where) from error
        owner = "/".join(part for part in (found.modelId, found.layer) if part)
        yield where, found.index, found.description, owner or None


def _goodfire(content: bytes, name: str) -> Iterator[_Line]:
    try:
        found: Any = json.loads(content)
    except ValueError as error:
        raise InputError(f"no JSON: {error}", where=name) from error
    if not isinstance(found, Mapping):
        raise InputError(f"expected a map of feature to label; got {type(found).__name__}", where=name)
    for index, text in found.items():
        yield f"{name}, key {index!r}", index, text, None


def _table(content: bytes, name: str) -> Iterator[_Line]:
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace")))
    columns = reader.fieldnames or []
    index = next((c for c in _INDEX if c in columns), None)
    label = next((c for c in _LABEL if c in columns), None)
    if index is None or label is None:
        raise InputError(
            f"columns {' or '.join(_INDEX)} and {' or '.join(_LABEL)} are needed; got {columns}", where=name
        )
    for row in reader:
        yield f"{name}:{reader.line_num}", row[index], row[label], None


def _feature(index: object, where: str, width: int | None) -> int:
    text = str(index).strip()
    if not text.isdecimal():
        raise InputError(f"a feature is a whole number from 0; got {index!r}", where=where)
    if width is not None and int(text) >= width:
        raise InputError(
            f"feature {text} is beyond the SAE's {width:,}; these labels belong to another SAE", where=where
        )
    return int(text)


def _same(owner: str, wanted: str) -> bool:
    return owner == wanted or owner.endswith("/" + wanted)


def _short(name: str) -> str:
    if name.startswith(("http://", "https://")):
        parts = urlsplit(name)
        return parts.netloc + parts.path
    return Path(name).name
