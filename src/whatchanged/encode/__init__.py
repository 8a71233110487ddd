"""Encode: answers read by a reader LLM, decomposed by an SAE, pooled over answer tokens."""

from whatchanged.encode.encode import Encoder, encode
from whatchanged.encode.folder import open_features, save_features
from whatchanged.encode.registry import KNOWN, load_sae
from whatchanged.encode.tokens import ShardTokens

__all__ = ["KNOWN", "Encoder", "ShardTokens", "encode", "load_sae", "open_features", "save_features"]
