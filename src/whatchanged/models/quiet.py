"""Keep the bars of transformers out of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_bars"]


@contextmanager
def without_bars() -> Iterator[None]:
    """Switch the library's progress bars off while weights are loaded, and back as they were."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
