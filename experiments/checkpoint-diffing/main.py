"""What changed between two checkpoints? An agent finds out, in a sandbox with a notebook.

    python main.py                                   # claude if its key is there, else the recorded run
    python main.py --provider scripted               # no key, no GPU, no network: our two demo checkpoints
    python main.py --provider claude --backend modal # the agent, on an A100

With a provider that thinks, the two models are asked through OpenRouter (`--before`, `--after`). The recorded run
compares two small checkpoints on this machine. Prompts, answers, features, notebook, report and transcript come
home to `--out`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from datetime import datetime
from pathlib import Path

from whatchanged.errors import WhatchangedError
from whatchanged.lab.environment import ExecutionMode, ModelConfig, RepoConfig, Sandbox, SandboxConfig
from whatchanged.lab.execution import create_notebook_session
from whatchanged.lab.harness import PROVIDERS, Finished, Limits, Plan, read_plan, require_key, run_agent
from whatchanged.lab.workspace import Library, Workspace
from whatchanged.llm.keys import secret

HERE = Path(__file__).parent
PACKAGES = [
    "torch", "transformers", "accelerate", "pandas", "numpy", "scipy", "google-generativeai", "datasets", "matplotlib",
    "seaborn", "sae-lens", "transformer-lens", "huggingface-hub", "openai",
]  # fmt: skip
DEMO = """from whatchanged.demo import adapter_path

BEFORE = f"hf:gemma-3-270m+{adapter_path('before')}"
AFTER = f"hf:gemma-3-270m+{adapter_path('after')}\""""


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--provider", choices=PROVIDERS, help="who drives the notebook")
    parser.add_argument("--model", help="the provider's model")
    parser.add_argument(
        "--backend", choices=["local", "modal"], help="where the sandbox runs (default: local)"
    )
    parser.add_argument(
        "--no-isolation", action="store_true", help="local sandbox without bubblewrap: limits only"
    )
    parser.add_argument("--before", help="baseline: a name of a model, as whatchanged takes them")
    parser.add_argument("--after", help="the model compared with it")
    parser.add_argument("--prompts", type=int, default=48, help="prompts of the recorded run (default: 48)")
    parser.add_argument("--tokens", type=int, default=64, help="most tokens of its answers (default: 64)")
    parser.add_argument("--cost-limit", type=float, help="most US dollars the agent itself may use")
    parser.add_argument("--out", type=Path, help="folder for everything (default: outputs/<time>)")
    options = parser.parse_args(arguments)
    if bool(options.before) != bool(options.after):
        parser.error("--before and --after are given together")
    return options


def chosen_provider(asked: str | None) -> str:
    """The provider asked for; else claude if its key is there, else the recorded run, with a word about it."""
    if asked:
        return asked
    if secret("ANTHROPIC_API_KEY"):
        return "claude"
    print(
        "ANTHROPIC_API_KEY is not set, so no agent can think here: playing the recorded run on two local checkpoints.\n"
        "For the agent, set ANTHROPIC_API_KEY (it drives the notebook) and OPENROUTER_API_KEY (the models are asked\n"
        "through OpenRouter), in the environment or in a file .env, and run this again.\n",
        file=sys.stderr,
    )
    return "scripted"


def place_weights(name: str, side: str) -> tuple[list[ModelConfig], list[str]]:
    """Folders of this machine in a name like ``hf:BASE+ADAPTER``, to be bound into the sandbox, and the name's parts."""
    scheme, colon, rest = name.partition(":")
    if scheme != "hf" or not colon:
        return [], [name]
    parts = [rest] if Path(rest).is_dir() else rest.split("+")
    folders = [
        ModelConfig(name=part, var_name=f"{side}_{i}") for i, part in enumerate(parts) if Path(part).is_dir()
    ]
    return folders, parts


def name_inside(name: str, side: str, sandbox: Sandbox) -> str:
    """The name as it is valid inside the sandbox."""
    _, parts = place_weights(name, side)
    if not name.startswith("hf:"):
        return name
    bound = {
        handle.config.name: handle.path
        for handle in sandbox.model_handles
        if handle.var_name.startswith(side)
    }
    return "hf:" + "+".join(bound.get(part, part) for part in parts)


def sandbox_config(options: argparse.Namespace, provider: str) -> SandboxConfig:
    """The sandbox: the whole of the experiment's needs for an agent, nothing to install for the recorded run."""
    isolation = "none" if options.no_isolation else None
    if provider == "scripted":
        models = [
            model
            for side, name in (("before", options.before), ("after", options.after))
            if name
            for model in place_weights(name, side)[0]
        ]
        return SandboxConfig(
            execution_mode=ExecutionMode.NOTEBOOK,
            models=models,
            timeout=3600,
            backend=options.backend,
            isolation=isolation,
            outputs=options.out,
        )
    return SandboxConfig(
        gpu="A100",
        execution_mode=ExecutionMode.NOTEBOOK,
        repos=[RepoConfig(url="nickjiang2378/interp_embed")],
        system_packages=["git"],
        python_packages=PACKAGES,
        secrets=[name for name in ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "HF_TOKEN") if needed(name)],
        timeout=7200,
        backend=options.backend,
        isolation=isolation,
        outputs=options.out,
    )


def needed(name: str) -> bool:
    """Whether a secret goes into the sandbox: OpenRouter's must be there, the others only if they are set."""
    return name == "OPENROUTER_API_KEY" or secret(name) is not None


def recorded_plan(options: argparse.Namespace, sandbox: Sandbox) -> Plan:
    """The plan with its checkpoints: the demo's, or two on this machine that were bound into the sandbox."""
    checkpoints = DEMO
    if options.before:
        named = (("before", options.before), ("after", options.after))
        inside = tuple(name_inside(name, side, sandbox) for side, name in named)
        checkpoints = (
            f"inside, at_home = {inside!r}, {(options.before, options.after)!r}\n"
            "BEFORE, AFTER = inside if Path('/models').is_dir() else at_home"
        )
    values = {"checkpoints": checkpoints, "prompts": str(options.prompts), "tokens": str(options.tokens)}
    return read_plan(HERE / "plan.md", values)


async def main(options: argparse.Namespace) -> bool:
    """Run the experiment; says whether the agent finished."""
    provider = chosen_provider(options.provider)
    require_key(provider)
    options.out = options.out or HERE / "outputs" / f"{datetime.now():%Y-%m-%d-%H%M%S}"
    last = None
    workspace = Workspace(
        libraries=[Library.from_file(HERE / "openrouter_client.py")],
        preload_models=False,  # whatchanged loads them
    )
    with (
        Sandbox(sandbox_config(options, provider)).start() as sandbox,
        create_notebook_session(sandbox, workspace, name="checkpoint-diffing") as session,
    ):
        task = (HERE / "task.md").read_text(encoding="utf-8")
        models = f"BEFORE is {options.before!r}, AFTER is {options.after!r}.\n\n" if options.before else ""
        async for message in run_agent(
            prompt=f"{session.model_info_text}\n\n{workspace.get_library_docs()}\n\n{models}{task}",
            mcp_config=session.mcp_config,
            provider=provider,
            model=options.model,
            limits=Limits(cost=options.cost_limit),
            plan=recorded_plan(options, sandbox) if provider == "scripted" else None,
            transcript=options.out / "transcript.jsonl",
            redact=sandbox.redactor,
        ):
            last = message
    print(f"\n{last.reason if last else 'The agent said nothing.'}\n")
    print(f"Notebook:   {session.notebook_path}\nReport:     {options.out / 'run' / 'report.html'}")
    print(f"Transcript: {options.out / 'transcript.jsonl'}")
    return isinstance(last, Finished)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("whatchanged.lab.harness").setLevel(logging.INFO)
    try:
        sys.exit(0 if asyncio.run(main(parsed())) else 3)
    except WhatchangedError as error:
        sys.exit(f"{type(error).__name__}: {error}")
