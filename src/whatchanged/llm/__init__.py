"""Chat models behind one seam: HTTP endpoints, checkpoints of this machine, scripts and recordings."""

from __future__ import annotations

from whatchanged.llm.names import chat_model, is_chat_name, key_names
from whatchanged.llm.prices import Price, read_prices
from whatchanged.llm.protocol import Batching, ChatModel, ChatRequest, Reply, Usage
from whatchanged.llm.redact import Redactor
from whatchanged.llm.replay import Replayed
from whatchanged.llm.scripted import ScriptedModel

__all__ = [
    "Batching",
    "ChatModel",
    "ChatRequest",
    "Price",
    "Redactor",
    "Replayed",
    "Reply",
    "ScriptedModel",
    "Usage",
    "chat_model",
    "is_chat_name",
    "key_names",
    "read_prices",
]
