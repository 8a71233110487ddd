"""Read SAEs from disk: SAELens folders, SAELens registry names, Goodfire files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatchanged.encode.hook import HookPoint
from whatchanged.encode.sae import ARCHITECTURES, SparseAutoencoder
from whatchanged.errors import MissingExtra, SAEError
from whatchanged.store import fingerprint, read_json, sha256_file

__all__ = ["from_folder", "from_goodfire", "from_registry", "from_sae_lens", "registry_names"]

_GOODFIRE = {
    "Llama-3.1-8B-Instruct-SAE-l19": ("meta-llama/Llama-3.1-8B-Instruct", 19),
    "Llama-3.3-70B-Instruct-SAE-l50": ("meta-llama/Llama-3.3-70B-Instruct", 50),
}
_UNFOLDED = {"expected_average_only_in", "covariance_whitening"}


def from_folder(folder: Path) -> SparseAutoencoder:
    """Read a folder in SAELens format (``cfg.json`` and ``sae_weights.safetensors``).

    Raises:
        SAEError: If a file is missing or damaged, or the architecture is not supported.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for name in ("cfg.json", "sae_weights.safetensors"):
        if not (folder / name).exists():
            raise SAEError(f"{folder} is not an SAE in SAELens format: {name} is missing; check the path")
    config = read_json(folder / "cfg.json")
    try:
        weights = load_file(folder / "sae_weights.safetensors")
    except SafetensorError as error:
        raise SAEError(f"{folder / 'sae_weights.safetensors'} is damaged ({error}); copy it again") from error
    identity = fingerprint(
        {"weights": sha256_file(folder / "sae_weights.safetensors"), "config": _essence(config)}
    )
    return _assemble(str(folder), config, weights, identity)


def from_registry(release: str, sae_id: str) -> SparseAutoencoder:
    """Download an SAE by its SAELens registry name.

    Raises:
        MissingExtra: If ``sae-lens`` is not installed.
        SAEError: If the registry does not know the name or the weights cannot be fetched.
    """
    try:
        from sae_lens import SAE
    except ImportError as error:
        raise MissingExtra("sae-lens", extra="sae-lens", purpose="load SAEs by registry name") from error
    try:
        sae = SAE.from_pretrained(release, sae_id, device="cpu")
    except (ValueError, OSError) as error:
        raise SAEError(f"SAE {release}/{sae_id} cannot be loaded: {error}") from error
    return from_sae_lens(sae, f"{release}/{sae_id}")


def from_sae_lens(sae: Any, name: str) -> SparseAutoencoder:
    """Take over an SAE object of the sae_lens library."""
    config = sae.cfg.to_dict() | {"architecture": sae.cfg.architecture()}
    weights = {k: v.detach() for k, v in sae.state_dict().items()}
    metadata = config.get("metadata") or {}
    config["metadata"] = metadata if isinstance(metadata, dict) else dict(vars(metadata))
    return _assemble(name, config, weights, fingerprint({"registry": name, "config": _essence(config)}))


def from_goodfire(path: Path) -> SparseAutoencoder:
    """Read a Goodfire ``.pth``/``.pt`` file; only tensors are unpickled (``weights_only``).

    The file names the model: ``Llama-3.1-8B-Instruct-SAE-l19.pth``.

    Raises:
        SAEError: If the file is not such an SAE, or its name does not say model and layer.
    """
    import pickle

    import torch

    if path.stem not in _GOODFIRE:
        raise SAEError(
            f"{path.name} does not name a known Goodfire SAE; expected one of "
            f"{[f'{stem}.pth' for stem in _GOODFIRE]}: keep the published file name"
        )
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
        weights = {
            "W_enc": raw["encoder_linear.weight"].T,
            "b_enc": raw["encoder_linear.bias"],
            "W_dec": raw["decoder_linear.weight"].T,
            "b_dec": raw["decoder_linear.bias"],
        }
    except (pickle.UnpicklingError, RuntimeError, KeyError, EOFError, OSError) as error:
        raise SAEError(f"{path} is not a Goodfire SAE: {error}; download it again") from error
    model, layer = _GOODFIRE[path.stem]
    config = {
        "architecture": "standard",
        "apply_b_dec_to_input": False,
        "metadata": {"model_name": model, "hook_name": f"blocks.{layer}.hook_resid_post"},
    }
    return _assemble(str(path), config, weights, fingerprint({"weights": sha256_file(path)}))


def _essence(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config changes activations."""
    names = (
        "architecture",
        "k",
        "normalize_activations",
        "apply_b_dec_to_input",
        "rescale_acts_by_decoder_norm",
    )
    return {n: config.get(n) for n in names}


def _assemble(
    name: str, config: Mapping[str, Any], weights: Mapping[str, Any], identity: str
) -> SparseAutoencoder:
    import torch

    metadata: Mapping[str, Any] = config.get("metadata") or {}
    old = "metadata" not in config  # formats before SAELens 6 kept everything on one level
    facts = config if old else metadata
    architecture = str(config.get("architecture", "standard"))
    k = int(config.get("k") or 0)
    if old and config.get("activation_fn_str", config.get("activation_fn")) == "topk":
        architecture = "topk"
        k = int((config.get("activation_fn_kwargs") or {}).get("k") or 0)
    if architecture == "batchtopk":
        architecture, weights = "jumprelu", _threshold_form(name, config, weights)
    if architecture not in ARCHITECTURES:
        raise SAEError(f"{name} has architecture {architecture!r}; supported are {', '.join(ARCHITECTURES)}")
    normalise = config.get("normalize_activations") or "none"
    if normalise in _UNFOLDED:
        normalise = "none"  # the scale is folded into weights when such an SAE is saved
    if normalise not in {"none", "layer_norm", "constant_norm_rescale"}:
        raise SAEError(f"{name} normalises its input by {normalise!r}, which is not supported")
    if (config.get("reshape_activations") or "none") != "none":
        raise SAEError(
            f"{name} reads reshaped activations ({config['reshape_activations']}), not the residual stream"
        )
    needed = {"W_enc", "W_dec", "b_dec", "b_mag" if architecture == "gated" else "b_enc"}
    needed |= {"gated": {"b_gate", "r_mag"}, "jumprelu": {"threshold"}}.get(architecture, set())
    missing = sorted(needed - weights.keys())
    if missing:
        raise SAEError(
            f"{name} lacks the weights {missing}; got {sorted(weights)}: is it really {architecture}?"
        )
    if architecture == "topk" and k < 1:
        raise SAEError(f"{name} is {architecture} but states no k; add it to cfg.json")
    single = {n: t.to(torch.float32).contiguous() for n, t in weights.items()}
    hook = facts.get("hook_name") or facts.get("hook_point")
    if not hook:
        raise SAEError(f"{name} does not say where it reads (hook_name); add it to cfg.json")
    claims = {
        n: float(facts[n]) for n in ("l0", "explained_variance") if isinstance(facts.get(n), int | float)
    }
    return SparseAutoencoder(
        name=name,
        architecture=architecture,
        hook=HookPoint.parse(str(hook)),
        model_name=str(facts.get("model_name") or ""),
        encoder=single["W_enc"],
        encoder_bias=single["b_mag" if architecture == "gated" else "b_enc"],
        decoder=single["W_dec"],
        decoder_bias=single["b_dec"],
        threshold=single["threshold"] if architecture == "jumprelu" else None,
        gate_bias=single["b_gate"] if architecture == "gated" else None,
        gate_scale=single["r_mag"].exp() if architecture == "gated" else None,
        k=k if architecture == "topk" else 0,
        subtract_bias=bool(config.get("apply_b_dec_to_input", old)),
        normalise=str(normalise),
        rescale=bool(config.get("rescale_acts_by_decoder_norm", False)) and architecture == "topk",
        claims=claims,
        fingerprint=identity,
    )


def _threshold_form(name: str, config: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """A BatchTopK SAE as it is used outside training: a JumpReLU at the threshold it has learnt."""
    import torch

    folded = dict(weights)
    if "threshold" in folded:
        return folded
    if "topk_threshold" not in folded:
        raise SAEError(
            f"{name} is batchtopk without a threshold, so its activations would depend on the batch; "
            "save it with save_inference_model"
        )
    if config.get("rescale_acts_by_decoder_norm", True):
        norm = folded["W_dec"].norm(dim=-1)
        folded["W_enc"], folded["b_enc"] = folded["W_enc"] * norm, folded["b_enc"] * norm
        folded["W_dec"] = folded["W_dec"] / norm[:, None]
    folded["threshold"] = torch.ones_like(folded["b_enc"]) * folded.pop("topk_threshold")
    return folded


def registry_names(part: str) -> list[str]:
    """SAELens names (``release/sae_id``) that contain a text, without loading any weights.

    Raises:
        MissingExtra: If ``sae-lens`` is not installed.
    """
    try:
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
    except ImportError as error:
        raise MissingExtra("sae-lens", extra="sae-lens", purpose="list its registry") from error
    names = [
        f"{release}/{sae_id}"
        for release, entry in get_pretrained_saes_directory().items()
        for sae_id in entry.saes_map
    ]
    return sorted(n for n in names if part.casefold() in n.casefold())
