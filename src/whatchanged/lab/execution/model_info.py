"""What an agent is told of the place it works in."""

from __future__ import annotations

from collections.abc import Iterator

from whatchanged.lab.execution.machine import Machine
from whatchanged.lab.workspace import Workspace

__all__ = ["model_info"]


def model_info(machine: Machine, workspace: Workspace, *, loaded: bool) -> str:
    """Models, repositories and skills, as text for a prompt; a hidden model is not named.

    Libraries are not among them: scripts add `Workspace.get_library_docs` themselves.
    """
    parts = [
        ("### Models", list(_models(machine, loaded=loaded))),
        ("### Repositories", list(_repos(machine))),
        ("### Skills", list(_skills(workspace))),
    ]
    return "\n\n".join(f"{title}\n" + "\n".join(lines) for title, lines in parts if lines)


def _models(machine: Machine, *, loaded: bool) -> Iterator[str]:
    for handle in machine.model_handles:
        config, variable = handle.config, handle.var_name
        what = "a model whose name is not told" if config.hidden else config.name
        if config.is_peft and not config.hidden:
            what += f" (adapter of {config.base_model})"
        tokenizer = "tokenizer" if variable == "model" else f"{variable}_tokenizer"
        state = f"loaded as `{variable}` with `{tokenizer}`" if loaded else f"weights at `{handle.path}`"
        yield f"* {what}: {state}"


def _repos(machine: Machine) -> Iterator[str]:
    for repo in machine.repo_handles:
        yield f"* {repo.config.url} at `{repo.path}`, commit {repo.commit[:12]}, importable"


def _skills(workspace: Workspace) -> Iterator[str]:
    for path in sorted(workspace.placed()):
        if path.endswith("/SKILL.md"):
            yield f"* `{path}`"
