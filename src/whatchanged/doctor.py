"""Everything that can be said before a run spends anything: keys, access, reader and SAE, memory, disk, cost."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from whatchanged.artifacts import PromptSet
from whatchanged.errors import AccessDenied, WhatchangedError
from whatchanged.store import cache_folder

if TYPE_CHECKING:
    from whatchanged.responses.collect import Estimate

__all__ = ["Check", "Diagnosis", "examine"]

_GB = 1e9
_BYTES_PER_TOKEN_STORED = 400  # measured at L0 90; the embedded SAE takes a quarter
_BYTES_OF_RUN = 2e8


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: ``ok``, ``note`` (it will work, but know this) or ``fail`` (a run would stop here).
        message: What was found and, unless all is well, what to do.
    """

    name: str
    status: Literal["ok", "note", "fail"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        checks: In the order of a run.
        estimate: Calls, tokens, money and time, where models are asked.
    """

    checks: tuple[Check, ...]
    estimate: Estimate | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing would stop a run."""
        return all(c.status != "fail" for c in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.ok,
            "checks": [asdict(c) for c in self.checks],
            "estimate": None if self.estimate is None else asdict(self.estimate),
        }


def examine(
    before: str | None = None,
    after: str | Sequence[str] | None = None,
    *,
    prompts: PromptSet | None = None,
    sae: str = "gemma-3-270m",
    reader: str | None = None,
    dtype: str = "float32",
    device: str = "auto",
    load: bool = False,
    cost_limit: float | None = None,
    **collecting: Any,
) -> Diagnosis:
    """Look at everything a run needs. No model is asked anything and nothing is paid.

    Args:
        before: Baseline, as for a run.
        after: The checkpoint compared with it, or several.
        prompts: What would be asked.
        sae: Name of the SAE.
        reader: Name of the reader; the SAE's own model if ``None``.
        dtype: Number type of the reader.
        device: Torch device of the reader.
        load: Also load reader and SAE (which may download them), run the load check and measure how
            fast answers are read.
        cost_limit: US dollars that the run may cost.
        **collecting: ``out``, ``samples``, ``max_tokens``, ``concurrency`` and ``prices`` of the estimate.

    Raises:
        ValueError: A name has none of the known forms.
    """
    checks: list[Check] = [_packages()]
    afters = [] if after is None else [after] if isinstance(after, str) else list(after)
    sides = [n for n in (before, *afters) if n is not None]
    names = [n for n in sides if _is_model(n)]
    estimate = None
    if before is not None and afters and names == sides and prompts is not None:
        from whatchanged.responses.collect import estimate as reckon

        estimate = reckon(prompts, before, afters, **collecting)
        checks += _money(estimate, cost_limit)
    for name in names:
        checks += _access(name)
    checks += [_file(n) for n in sides if n not in names]
    checks += _encoder(sae, reader, dtype, device, load=load)
    checks.append(_disk())
    return Diagnosis(checks=tuple(checks), estimate=estimate)


def _is_model(name: str) -> bool:
    from whatchanged.pipeline import asked

    return asked(name)


def _packages() -> Check:
    found = ", ".join(f"{p} {version(p)}" for p in ("whatchanged", "torch", "transformers"))
    return Check(name="installation", status="ok", message=f"{found}; {os.cpu_count()} processors")


def _file(name: str) -> Check:
    from whatchanged.tables import read_table

    try:
        table = read_table(name, "answers")
    except WhatchangedError as error:
        return Check(name=f"answers {name}", status="fail", message=str(error))
    return Check(name=f"answers {name}", status="ok", message=f"{len(table.rows):,} rows")


def _money(estimate: Estimate, cost_limit: float | None) -> Iterator[Check]:
    if estimate.unpriced:
        status: Literal["note", "fail"] = "note" if cost_limit is None else "fail"
        yield Check(
            name="price",
            status=status,
            message=f"no price is known for {', '.join(estimate.unpriced)}; give a price file with --prices, "
            "which a cost limit needs",
        )
    elif estimate.worst is not None and cost_limit is not None and estimate.worst > cost_limit:
        yield Check(
            name="price",
            status="note",
            message=f"at worst ${estimate.worst:,.2f}, more than the limit of ${cost_limit:,.2f}: the run may stop "
            "early; what it has by then is kept and can be compared",
        )
    elif estimate.worst is not None:
        expected = estimate.expected or 0.0
        yield Check(
            name="price", status="ok", message=f"about ${expected:,.2f}, at worst ${estimate.worst:,.2f}"
        )


def _access(name: str) -> Iterator[Check]:
    """Whether a model is there to be asked: local weights on disk, or named by its endpoint's list."""
    from whatchanged.llm.blocking import run_blocking
    from whatchanged.llm.http_model import HTTPModel
    from whatchanged.llm.names import chat_model

    if name.startswith(("hf:", "gguf:")):
        path = Path(name.partition(":")[2].split("+")[0].split("#")[0]).expanduser()
        here = path.exists() or str(path) == "gemma-3-270m"
        yield Check(
            name=f"model {name}",
            status="ok" if here else "note",
            message="on this machine"
            if here
            else "not a folder here; it is fetched from the hub when it is first used",
        )
        return
    try:
        model = chat_model(name)
    except AccessDenied as error:
        yield Check(name="key", status="fail", message=str(error))
        return
    except WhatchangedError as error:
        yield Check(name=f"model {name}", status="fail", message=str(error))
        return
    if not isinstance(model, HTTPModel):
        yield Check(name=f"model {name}", status="ok", message="answers by script")
        return

    async def ask() -> bool | None:
        try:
            return await model.listed()
        finally:
            await model.close()

    listed = run_blocking(ask)
    said: dict[bool | None, tuple[Literal["ok", "note", "fail"], str]] = {
        True: ("ok", "named by its endpoint"),
        False: ("fail", "its endpoint does not name it; check the spelling"),
        None: ("note", "its endpoint gave no list of models; check the network and the key if the run fails"),
    }
    status, message = said[listed]
    yield Check(name=f"model {name}", status=status, message=message)


def _encoder(sae: str, reader: str | None, dtype: str, device: str, *, load: bool) -> Iterator[Check]:
    from whatchanged.encode import KNOWN, load_sae
    from whatchanged.encode.registry import reader_name

    local = sae == "gemma-3-270m" or Path(sae).expanduser().exists()
    if not local and not load:
        if find_spec("sae_lens") is None:
            advice = "install it: pip install 'whatchanged[sae-lens]'"
            yield Check(name="SAE", status="fail", message=f"{sae} is read through sae-lens; {advice}")
        else:
            known = "known to work" if sae in KNOWN else "not tried by us"
            yield Check(
                name="SAE",
                status="note",
                message=f"{sae} ({known}) is fetched when it is first used; --load does it now and checks it",
            )
        return
    try:
        found = load_sae(sae)
    except WhatchangedError as error:
        yield Check(name="SAE", status="fail", message=str(error))
        return
    name = reader or reader_name(found)
    yield Check(
        name="SAE",
        status="ok",
        message=f"{found.width:,} features of {name}, {found.hook}, {found.architecture}",
    )
    yield _memory(name, found.width * found.d_in * 8, dtype)
    if load:
        yield from _measured(found, name, dtype, device)


def _memory(reader: str, sae_bytes: int, dtype: str) -> Check:
    """Reader and SAE against the memory that is free; activations of a batch count half as much again."""
    size = {"float32": 4, "bfloat16": 2}.get(dtype, 4)
    stored = sum(f.stat().st_size for f in Path(reader).expanduser().glob("*.safetensors"))
    weights = 268e6 * size if reader == "gemma-3-270m" else stored * size / 2  # stored in 16 bits, as a rule
    free = _free_memory()
    if not weights or free is None:
        return Check(
            name="memory",
            status="note",
            message="not known for this reader: its weights are not on this machine",
        )
    need = 1.5 * (weights + sae_bytes) + 0.5 * _GB
    text = f"about {need / _GB:.1f} GB needed, {free / _GB:.1f} GB free"
    if need > free:
        return Check(
            name="memory", status="fail", message=f"{text}; use --dtype bfloat16 or a smaller reader"
        )
    return Check(name="memory", status="ok", message=text)


def _free_memory() -> float | None:
    """Bytes that can be had without swapping, on Linux; ``None`` elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024.0


def _measured(sae: Any, reader: str, dtype: str, device: str) -> Iterator[Check]:
    from whatchanged.encode import Encoder

    began = time.monotonic()
    try:
        encoder = Encoder(sae, reader=reader, dtype=dtype, device=device)
    except WhatchangedError as error:
        yield Check(name="load check", status="fail", message=str(error))
        return
    health = encoder.health
    yield Check(
        name="load check",
        status="ok",
        message=f"L0 {health.l0:.1f}, explained variance {health.explained_variance:.3f} on {health.tokens} tokens; "
        f"ready in {time.monotonic() - began:.0f} s on {encoder.reader.device}",
    )


def _disk() -> Check:
    """Room for the caches and a run."""
    folder = cache_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    need = _BYTES_OF_RUN + 1e6 * _BYTES_PER_TOKEN_STORED
    text = f"{free / _GB:.1f} GB free under {folder}"
    if free < need:
        return Check(
            name="disk",
            status="fail",
            message=f"{text}; a million answer tokens take up to {need / _GB:.1f} GB; free some, or move the "
            "caches with WHATCHANGED_CACHE",
        )
    return Check(name="disk", status="ok", message=text)
