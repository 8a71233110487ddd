"""Weights on this machine: the embedded reader and its cache, Hugging Face checkpoints, adapters."""
