"""interp_embed on our reader, SAE and answers; run by ``benchmarks/encode.py --peer PYTHON``.

It runs in the peer's own Python, imports nothing of ours, and reads one JSON object from standard input:
``texts``, ``reader`` (a folder in Hugging Face format), ``sae`` (a folder in SAELens format) and, if its table of
which feature stands in which text is wanted too, ``pooled`` (an ``.npz`` file to write it to). The peer's
``LocalSAE`` loads readers and SAEs by their registry names only, so its ``load_models`` is replaced by one
that makes the same two objects (``SAE``, ``HookedTransformer``) from folders. All else is its own: batches of
8 documents, a pickle saved every 5 batches, ``latents()`` for the pooled table. Loading is not timed.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    given: dict[str, Any] = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        found = measure(given["texts"], given["reader"], given["sae"], given.get("pooled"))
    print(json.dumps(found))


def measure(texts: list[str], reader: str, folder: str, pooled: str | None = None) -> dict[str, Any]:
    import numpy as np
    import pandas as pd
    import torch
    from interp_embed import Dataset
    from interp_embed.saes import LocalSAE
    from sae_lens import SAE
    from transformer_lens import HookedTransformer
    from transformers import AutoModelForCausalLM, AutoTokenizer

    class Local(LocalSAE):  # type: ignore[misc]
        def load_models(self) -> None:
            self.sae = SAE.load_from_disk(folder, device="cpu", dtype="float32")
            model = AutoModelForCausalLM.from_pretrained(reader, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(reader)
            name = self.sae.cfg.metadata.model_name
            self.model = HookedTransformer.from_pretrained(
                name, hf_model=model, tokenizer=tokenizer, device="cpu"
            )
            self.tokenizer = self.model.tokenizer

    sae = Local(device="cpu")
    sae.load()
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        data = Dataset(pd.DataFrame({"text": texts}), sae, save_path=str(Path(place) / "peer.pkl"))
        data.latents()
        seconds = time.perf_counter() - start
        if pooled is not None:
            failed = np.array([row is None for row in data.rows])
            np.savez_compressed(pooled, present=data.latents("binarize") > 0, failed=failed)
    return {
        "seconds": seconds,
        "failed": sum(row is None for row in data.rows),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "version": importlib.metadata.version("interp_embed"),
    }


if __name__ == "__main__":
    main()
