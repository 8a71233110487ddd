"""The code of set-up cells."""

from __future__ import annotations

from pathlib import Path

from whatchanged.lab.environment import ModelConfig
from whatchanged.lab.environment.contract import ModelHandle
from whatchanged.lab.execution import NotebookSession
from whatchanged.lab.execution.machine import ThisMachine
from whatchanged.lab.execution.model_info import model_info
from whatchanged.lab.execution.setup import library_cell, model_cell
from whatchanged.lab.workspace import Workspace


def test_a_model_is_loaded_and_a_hidden_one_is_not_named(shared: NotebookSession, tiny_model: Path) -> None:
    handle = ModelHandle(config=ModelConfig(name="secret-lab/model", hidden=True), path=str(tiny_model))
    assert "secret-lab" not in model_cell(handle)
    assert "model is loaded on cpu" in shared.exec(model_cell(handle), timeout=300).text
    assert (
        shared.exec("model.config._name_or_path, tokenizer('ab').input_ids[-1] > 0").text
        == "('model', True)\n"
    )


def test_an_adapter_is_put_on_its_base_where_the_weights_are_or_by_name(tmp_path: Path) -> None:
    config = ModelConfig(name="me/adapter", var_name="tuned", is_peft=True, base_model="big/base")
    code = model_cell(ModelHandle(config=config, path="/models/adapter", base_path="/models/base"))
    compile(code, "cell", "exec")
    assert "('/models/adapter' if Path('/models/adapter').is_dir() else 'me/adapter')" in code
    assert "tuned_tokenizer = AutoTokenizer.from_pretrained(('/models/base'" in code
    machine = ThisMachine(tmp_path, tmp_path)
    machine.model_handles = [ModelHandle(config=config, path="/models/adapter", base_path="/models/base")]
    assert model_info(machine, Workspace(), loaded=True) == (
        "### Models\n* me/adapter (adapter of big/base): loaded as `tuned` with `tuned_tokenizer`"
    )


def test_large_libraries_are_not_repeated_in_the_notebook() -> None:
    assert "_sources" in library_cell("/workspace", {"m.py": "x = 1"})
    assert len(library_cell("/workspace", {"m.py": "x" * 500_000})) < 1000
