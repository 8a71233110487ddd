"""Names of SAEs: the embedded one, SAELens names, folders, Goodfire files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from whatchanged.encode.load_sae import from_folder, from_goodfire, from_registry
from whatchanged.encode.sae import SparseAutoencoder
from whatchanged.errors import SAEError
from whatchanged.models.embedded import EMBEDDED

__all__ = ["KNOWN", "embedded_folder", "load_sae", "reader_name"]

KNOWN: dict[str, str] = {
    EMBEDDED: "embedded: Gemma 3 270M and its SAE; no account, no GPU, no network",
    "gemma-scope-2-270m-pt-res/layer_12_width_16k_l0_medium": "Gemma Scope 2, for the embedded reader's weights",
    "goodfire-llama-3.1-8b-instruct/layer_19": "65,536 features of Llama 3.1 8B Instruct",
    "goodfire-llama-3.3-70b-instruct/layer_50": "65,536 features of Llama 3.3 70B Instruct",
    "gemma-scope-2-4b-it-res/layer_17_width_65k_l0_medium": "Gemma Scope 2, Gemma 3 4B instruct",
}
"""SAEs worth starting with. Any other SAELens ``release/sae_id``, folder or file works as well."""


def embedded_folder() -> Path:
    """Folder of the SAE that ships with the package."""
    return Path(str(files("whatchanged.encode").joinpath("embedded_sae")))


def load_sae(name: str) -> SparseAutoencoder:
    """Load an SAE by its name.

    Args:
        name: ``gemma-3-270m`` (embedded), a folder in SAELens format, a Goodfire ``.pth``/``.pt``
            file, or a SAELens ``release/sae_id``.

    Raises:
        SAEError: If nothing of that name can be read.
        MissingExtra: If a registry name is given and ``sae-lens`` is not installed.
    """
    from dataclasses import replace

    if name == EMBEDDED:
        return replace(from_folder(embedded_folder()), name=EMBEDDED)
    path = Path(name).expanduser()
    if path.is_dir():
        return from_folder(path)
    if path.suffix in {".pth", ".pt"}:
        if not path.exists():
            raise SAEError(f"{path} does not exist; check the path")
        return from_goodfire(path)
    release, slash, sae_id = name.partition("/")
    if not slash or not sae_id or name.startswith((".", "/", "~")):
        raise SAEError(
            f"no SAE is called {name!r}; give {EMBEDDED!r}, a folder in SAELens format, a Goodfire .pth file, "
            "or a SAELens name such as 'goodfire-llama-3.1-8b-instruct/layer_19' (whatchanged sae list)"
        )
    return from_registry(release, sae_id)


def reader_name(sae: SparseAutoencoder) -> str:
    """The reader an SAE was trained on, by the name we load it by.

    Raises:
        SAEError: If the SAE does not say.
    """
    if not sae.model_name:
        raise SAEError(f"SAE {sae.name} does not say which model it reads; give --reader")
    bare = sae.model_name.rsplit("/", 1)[-1].casefold().removesuffix("-pt")
    return EMBEDDED if bare == EMBEDDED else sae.model_name
