"""The load check lets the right SAE pass and refuses the wrong model, layer and architecture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatchanged.encode import Encoder
from whatchanged.encode.check import compatible_names
from whatchanged.encode.registry import embedded_folder
from whatchanged.errors import MismatchError

pytestmark = pytest.mark.reader


def edited(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """A copy of the embedded SAE with another configuration."""
    folder = tmp_path / "sae"
    shutil.copytree(embedded_folder(), folder)
    config = json.loads((folder / "cfg.json").read_text())
    change(config)
    (folder / "cfg.json").write_text(json.dumps(config))
    return str(folder)


def test_the_embedded_pair_passes_and_reports_what_it_measured() -> None:
    health = Encoder().health
    config = json.loads((embedded_folder() / "cfg.json").read_text())
    assert health.tokens > 300
    assert health.l0 == pytest.approx(config["metadata"]["l0"], rel=0.2)
    assert health.explained_variance > max(health.neighbours.values())


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_neighbouring_layer_is_noticed(tmp_path: Path, offset: int) -> None:
    def move(config: dict[str, Any]) -> None:
        layer = int(config["metadata"]["hook_name"].split(".")[1]) + offset
        config["metadata"]["hook_name"] = f"blocks.{layer}.hook_resid_post"

    with pytest.raises(MismatchError, match="hook point is probably blocks"):
        Encoder(edited(tmp_path, move))


def test_another_model_name_is_noticed(tmp_path: Path) -> None:
    def rename(config: dict[str, Any]) -> None:
        config["metadata"]["model_name"] = "meta-llama/Llama-3.1-8B"

    with pytest.raises(MismatchError, match=r"trained on meta-llama/Llama-3\.1-8B"):
        Encoder(edited(tmp_path, rename), reader="gemma-3-270m")


def test_another_architecture_is_noticed_by_its_l0(tmp_path: Path) -> None:
    def relu(config: dict[str, Any]) -> None:
        config["architecture"] = "standard"

    with pytest.raises(MismatchError, match=r"claims L0 = .* measured"):
        Encoder(edited(tmp_path, relu))


def test_another_width_of_the_residual_stream_is_noticed(
    make_sae: Callable[..., tuple[Path, Any]], tiny_model: Path
) -> None:
    folder, _ = make_sae("standard", d_in=48)
    with pytest.raises(MismatchError, match="reads 48 dimensions"):
        Encoder(str(folder), reader=str(tiny_model))


def test_a_random_dictionary_is_refused_and_can_be_measured(
    make_sae: Callable[..., tuple[Path, Any]], tiny_model: Path
) -> None:
    folder, _ = make_sae("standard")
    with pytest.raises(MismatchError, match=r"explains only|hook point is probably"):
        Encoder(str(folder), reader=str(tiny_model))
    assert Encoder(str(folder), reader=str(tiny_model), verify=False).health.explained_variance < 0.1


def test_a_layer_that_does_not_exist_is_named(
    make_sae: Callable[..., tuple[Path, Any]], tiny_model: Path
) -> None:
    folder, _ = make_sae("standard", layer=9)
    with pytest.raises(MismatchError, match="has 4 layers"):
        Encoder(str(folder), reader=str(tiny_model))


def test_model_names() -> None:
    assert compatible_names("google/gemma-3-270m", "gemma-3-270m")
    assert compatible_names("meta-llama/Llama-3.1-8B-Instruct", "unsloth/Llama-3.1-8B-Instruct")
    assert compatible_names("gemma-3-270m-pt", "gemma-3-270m")
    assert compatible_names("google/gemma-3-1b-it", "/models/mine")
    assert not compatible_names("google/gemma-3-270m-it", "gemma-3-270m")
