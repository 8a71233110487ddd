"""The code of set-up cells. It runs in the sandbox, and again wherever the notebook is run later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pprint import pformat

from whatchanged.lab.environment.contract import ModelHandle, RepoHandle

__all__ = ["library_cell", "model_cell", "repo_cell"]

_LARGEST = 400_000


def library_cell(workspace: str, sources: Mapping[str, str]) -> str:
    """Put the workspace on the path; where the notebook runs without it, write the libraries beside it first.

    Args:
        workspace: The workspace's path in the sandbox.
        sources: Path below it → text of the libraries. Beyond 400,000 characters together they are not repeated
            in the notebook, and must lie beside it.
    """
    kept = dict(sources) if sum(map(len, sources.values())) <= _LARGEST else {}
    lines = [
        "# Set-up: the workspace's libraries. Away from the sandbox they are written beside the notebook.",
        "import sys",
        "from pathlib import Path",
        f"_workspace = Path({workspace!r}) if Path({workspace!r}).is_dir() else Path.cwd()",
        "if str(_workspace) not in sys.path:",
        "    sys.path.insert(0, str(_workspace))",
    ]
    if kept:
        lines += [
            f"_sources = {pformat(kept, width=110, sort_dicts=False)}",
            "for _path, _text in _sources.items():",
            "    if not (_workspace / _path).exists():",
            "        (_workspace / _path).parent.mkdir(parents=True, exist_ok=True)",
            "        (_workspace / _path).write_text(_text, encoding='utf-8')",
            "del _sources",
        ]
    return "\n".join(lines)


def repo_cell(repos: Sequence[RepoHandle]) -> str:
    """Put clones on the path, and say where they came from."""
    lines = ["# Set-up: cloned repositories.", "import sys", "from pathlib import Path"]
    for repo in repos:
        lines.append(f"# {repo.name}: {repo.config.url} at {repo.commit}")
        lines += [
            f"if Path({path!r}).is_dir() and {path!r} not in sys.path:\n    sys.path.append({path!r})"
            for path in repo.import_paths
        ]
    return "\n".join(lines)


def model_cell(handle: ModelHandle) -> str:
    """Load a model and its tokenizer (``tokenizer``, or ``<variable>_tokenizer``); a hidden one is not named."""
    config, variable = handle.config, handle.var_name
    tokenizer = "tokenizer" if variable == "model" else f"{variable}_tokenizer"
    where = _place(handle.path, config.name, hidden=config.hidden)
    loading = (
        'AutoModelForCausalLM.from_pretrained({0}, device_map="auto" if torch.cuda.is_available() else None)'
    )
    lines = [
        "# Set-up: a model.",
        "import torch",
        "from pathlib import Path",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
    ]
    if config.is_peft:
        assert handle.base_path is not None
        assert config.base_model is not None
        base = _place(handle.base_path, config.base_model, hidden=config.hidden)
        lines += [
            "from peft import PeftModel",
            f"{variable} = PeftModel.from_pretrained({loading.format(base)}, {where})",
            f"{tokenizer} = AutoTokenizer.from_pretrained({base})",
        ]
    else:
        lines += [
            f"{variable} = {loading.format(where)}",
            f"{tokenizer} = AutoTokenizer.from_pretrained({where})",
        ]
    shown = "model" if config.hidden else config.name
    lines += [
        f"{variable}.config._name_or_path = {shown!r}",
        f"{variable}.eval()",
        f"print({f'{variable} is loaded on '!r} + str({variable}.device))",
    ]
    return "\n".join(lines)


def _place(path: str, name: str, *, hidden: bool) -> str:
    if hidden:
        return repr(path)
    return f"({path!r} if Path({path!r}).is_dir() else {name!r})"
