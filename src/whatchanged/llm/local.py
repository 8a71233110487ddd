"""Checkpoints of this machine behind the chat seam: Hugging Face models, LoRA adapters, GGUF files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from whatchanged.errors import LLMError, RequestRejected
from whatchanged.llm.prices import FREE, Price
from whatchanged.llm.protocol import ChatRequest, Reply, Usage
from whatchanged.models.chat import ChatFormat
from whatchanged.models.decode import Row, Written, write
from whatchanged.models.generate import row_seed
from whatchanged.models.lora import Checkpoint, Dtype, adapter_fingerprint, load_checkpoint
from whatchanged.models.sampling import Sampling
from whatchanged.models.weights import Weights, find_gguf, find_weights, pick_device

if TYPE_CHECKING:
    from transformers import GenerationConfig

__all__ = ["LocalModel", "local_model"]

_EXTRA = frozenset({"top_k", "repetition_penalty"})


def local_model(
    name: str,
    *,
    device: str = "auto",
    dtype: Dtype | Literal["auto"] = "auto",
    batch_size: int = 16,
) -> LocalModel:
    """A checkpoint of this machine, loaded.

    Args:
        name: ``hf:ID_OR_PATH`` or ``gguf:PATH``, and ``+ADAPTER`` behind it for a LoRA adapter's folder in PEFT's
            format. ``hf:gemma-3-270m`` is the embedded reader. A GGUF is dequantised on first use.
        device: ``auto`` (CUDA or MPS when there is one), ``cpu``, ``cuda``, ...
        dtype: Type of the weights in memory; ``auto`` is bfloat16 on CUDA and float32 elsewhere.
        batch_size: Answers written together. Another one may flip a rare token of a sampled answer.

    Raises:
        ValueError: If the name has neither form, or an option is out of its range.
        ModelError: If the weights are not there, cannot be read, or do not fit the adapter.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    scheme, base, adapter = _parse(name)
    chosen = pick_device(device)
    kept: Dtype = ("bfloat16" if chosen.startswith("cuda") else "float32") if dtype == "auto" else dtype
    weights = find_gguf(Path(base).expanduser()) if scheme == "gguf" else find_weights(base)
    return LocalModel(name, weights, adapter, device=chosen, dtype=kept, batch_size=batch_size)


def _parse(name: str) -> tuple[str, str, Path | None]:
    """Scheme, base and adapter; a plus sign in an existing path belongs to the path."""
    scheme, colon, rest = name.partition(":")
    if scheme not in {"hf", "gguf"} or not colon or not rest:
        raise ValueError(
            f"a local checkpoint is hf:ID_OR_PATH[+ADAPTER] or gguf:PATH[+ADAPTER]; got {name!r}"
        )
    pieces = rest.split("+")
    for cut in range(len(pieces), 0, -1):
        base = "+".join(pieces[:cut])
        if Path(base).expanduser().exists():
            break
    else:
        cut = 1
    base, adapter = "+".join(pieces[:cut]), "+".join(pieces[cut:])
    if not base or (cut < len(pieces) and not adapter):
        raise ValueError(f"there is a plus sign but no base or no adapter in {name!r}; write BASE+ADAPTER")
    return scheme, base, Path(adapter).expanduser() if adapter else None


@cache
def _writer() -> ThreadPoolExecutor:
    """The thread in which checkpoints write, one after another: two at once would share the same cores."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-checkpoint")


class LocalModel:
    """A checkpoint of this machine as a chat model; see `local_model`.

    An answer depends on the weights, the request and the batch it runs in, never on the order of requests.
    A request without a seed has seed 0, so equal requests get equal answers.
    """

    def __init__(
        self, name: str, weights: Weights, adapter: Path | None, *, device: str, dtype: Dtype, batch_size: int
    ) -> None:
        self._name, self._batch_size = name, batch_size
        self._load: Callable[[], Checkpoint] = lambda: load_checkpoint(
            weights.path, adapter, dtype=dtype, device=device
        )
        checkpoint = self._load()
        self._checkpoint: Checkpoint | None = checkpoint
        self._format = ChatFormat.of(checkpoint.tokenizer)
        self._sampling = _preferred(checkpoint.model.generation_config)
        config = checkpoint.model.config
        self._window = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
        self._identity = {
            "kind": "local",
            "weights": weights.identity,
            "revision": getattr(config, "_commit_hash", None),
            "adapter": adapter_fingerprint(adapter) if adapter else None,
            "dtype": dtype,
            "device": device,
            "batch_size": batch_size,
            "sampling": asdict(self._sampling),
            "chat": self._format.identity,
        }

    @property
    def name(self) -> str:
        """Name a user knows it by."""
        return self._name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Weights, adapter, number format, device, batch size, how chats are put, and sampling by default."""
        return self._identity

    @property
    def batch_size(self) -> int:
        """Most requests that run together."""
        return self._batch_size

    async def reply(self, request: ChatRequest) -> Reply:
        """Answer one request alone; see `reply_batch`.

        Raises:
            RequestRejected: If the model cannot be asked this.
        """
        (answer,) = await self.reply_batch([request])
        if isinstance(answer, LLMError):
            raise answer
        return answer

    async def reply_batch(self, requests: Sequence[ChatRequest]) -> list[Reply | LLMError]:
        """One reply or failure per request, in their order.

        Where a request does not say how to sample, the checkpoint's own ``generation_config.json`` does, and
        where that does not either, the defaults of `Sampling`. Of `ChatRequest.extra`, ``top_k`` and
        ``repetition_penalty`` are known; another field, an option out of its range, a chat that the template
        refuses or that fills the context window, and a batch that does not fit into memory are each a
        `RequestRejected`. When the caller is cancelled, writing ends before the next token.

        Raises:
            ModelError: If weights that `close` let go cannot be loaded again.
        """
        rows: dict[int, Row] = {}
        answers: dict[int, Reply | LLMError] = {}
        for i, request in enumerate(requests):
            try:
                rows[i] = self._row(request)
            except (ValueError, TypeError) as problem:
                answers[i] = RequestRejected(str(problem), free=True)
        cancelled = threading.Event()
        try:
            written = await asyncio.get_running_loop().run_in_executor(
                _writer(), self._write, list(rows.values()), cancelled
            )
        finally:
            cancelled.set()
        for (i, row), answer in zip(rows.items(), written, strict=True):
            answers[i] = answer if isinstance(answer, LLMError) else self._reply(row, answer)
        return [answers[i] for i in range(len(requests))]

    async def price(self) -> Price:
        """Nothing."""
        return FREE

    async def close(self) -> None:
        """Let go of the weights; the next request loads them again."""
        self._checkpoint = None

    def _row(self, request: ChatRequest) -> Row:
        """A request as a row to write; ValueError or TypeError say what is wrong with it."""
        unknown = sorted(set(request.extra) - _EXTRA)
        if unknown:
            raise ValueError(
                f"a local checkpoint knows only the extra fields {sorted(_EXTRA)}; got {unknown}"
            )
        if request.max_tokens < 1 or "" in request.stop:
            raise ValueError("max_tokens must be at least 1 and no stop text empty")
        asked = {"temperature": request.temperature, "top_p": request.top_p, **request.extra}
        sampling = Sampling(
            **(asdict(self._sampling) | {k: value for k, value in asked.items() if value is not None})
        )
        prompt = tuple(self._format.tokens(request.messages))
        room = request.max_tokens
        if self._window is not None:
            room = min(room, self._window - len(prompt))
            if room < 1:
                raise ValueError(
                    f"the chat has {len(prompt)} tokens and fills the model's window of {self._window}; shorten it"
                )
        return Row(
            prompt=prompt, seed=row_seed(request.seed or 0, 0, request.messages), sampling=sampling,
            max_tokens=room, stop=request.stop + self._format.stop,
        )  # fmt: skip

    def _write(self, rows: Sequence[Row], cancelled: threading.Event) -> list[Written | LLMError]:
        """Runs in the writer's thread. A cancelled call returns what nobody will read."""
        import torch

        checkpoint = self._checkpoint = self._checkpoint or self._load()
        lost = RequestRejected(
            "the batch does not fit into the device's memory; use a smaller batch_size or max_tokens",
            free=True,
        )
        written: list[Written | LLMError] = [lost] * len(rows)
        try:
            for i, answer in write(checkpoint, rows, batch_size=self._batch_size, cancelled=cancelled.is_set):
                written[i] = answer
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        return written

    def _reply(self, row: Row, written: Written) -> Reply:
        reasoning, text = self._format.apart(row.prompt, written.text)
        return Reply(
            text=text, finish_reason=written.finish_reason, reasoning=reasoning, served_model=self._name,
            usage=Usage(prompt_tokens=len(row.prompt), completion_tokens=written.tokens, cost=0.0),
        )  # fmt: skip


def _preferred(config: GenerationConfig) -> Sampling:
    """Sampling as the checkpoint's makers recommend it, completed by our defaults."""
    ours = asdict(Sampling())
    if not config.do_sample:
        return Sampling()
    theirs = {field: getattr(config, field, None) for field in ours}
    return Sampling(**(ours | {field: value for field, value in theirs.items() if value}))
