"""What a person sees in the terminal: progress while it works, the first findings at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from whatchanged import pipeline
from whatchanged.artifacts import Findings
from whatchanged.responses.collect import CollectProgress

__all__ = ["show_findings", "watching"]


@contextmanager
def watching(*, silent: bool) -> Iterator[pipeline.Progress]:
    """Progress on standard error: a line per stage, and a bar with the time left while tokens are read."""
    if silent:
        yield pipeline.Progress()
        return
    console = Console(stderr=True)
    with Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("tokens", total=None, visible=False, rate="")

        def stage(line: str) -> None:
            bar.update(task, visible=False)
            console.print(Text(f"· {line}"))

        def tokens(done: int, total: int) -> None:
            if not bar.tasks[0].visible or done < bar.tasks[0].completed:
                bar.reset(task, total=total, description="tokens")
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, completed=done, total=total, visible=done < total, rate=rate)

        def calls(so_far: CollectProgress) -> None:
            if not bar.tasks[0].visible:
                bar.reset(task, total=so_far.total, description="calls")
            parts = [f"{so_far.rate:,.1f}/s", f"${so_far.cost:,.4f}"]
            parts += [f"{so_far.retried} retried"] if so_far.retried else []
            parts += [f"{so_far.failed} failed"] if so_far.failed else []
            bar.update(task, completed=so_far.done, visible=so_far.done < so_far.total, rate=", ".join(parts))

        yield pipeline.Progress(stage=stage, tokens=tokens, calls=calls)


def show_findings(findings: Findings, *, first: int = 10) -> None:
    """Print the first findings as a table; model text is never read as markup."""
    console = Console()
    if not len(findings):
        console.print(Text("No behaviour change was found."))
    else:
        table = Table(
            title=f"{len(findings)} behaviour changes", title_justify="left", box=None, pad_edge=False
        )
        several = len(set(findings.diff.table["after"])) > 1
        for name, justify in (
            ("#", "right"),
            ("fires on", "left"),
            *([("after", "left")] if several else []),
            ("Δ points", "right"),
            ("95 %", "left"),
            ("q", "right"),
        ):
            table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for rank, f in enumerate(findings.items[:first], 1):
            table.add_row(
                str(rank),
                Text(f.label),
                *([Text(str(findings.diff.table["after"].iloc[f.rows[0]]))] if several else []),
                f"{100 * f.delta:+.1f}",
                f"[{100 * f.lo:+.1f}, {100 * f.hi:+.1f}]".replace("[", r"\["),
                f"{f.q:.1e}",
            )
        console.print(table)
    if findings.aside:
        console.print(Text(f"{len(findings.aside)} more rows are set aside as length-driven or artefacts."))
