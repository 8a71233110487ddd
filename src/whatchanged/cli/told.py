"""How a verb ends: facts, or the first findings and where the report lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from whatchanged.store import read_json

if TYPE_CHECKING:
    from whatchanged.artifacts import Findings
    from whatchanged.report import Report

__all__ = ["say", "tell"]


def say(facts: dict[str, Any], as_json: bool) -> None:
    """Facts, one a line, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(facts, default=str))
        return
    for name, value in facts.items():
        typer.echo(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")


def tell(made: Report, out: Path, as_json: bool, *, hypotheses: bool = False) -> None:
    """End with the first findings, the hypotheses where they were asked for, and where the report lies."""
    findings: Findings = made.findings
    checked = read_json(out / "hypotheses.json")["hypotheses"] if hypotheses else []
    if as_json:
        facts: dict[str, Any] = {
            "report": str(out / "report.html"),
            "findings": [{"id": f.id, "label": f.label, "delta": f.delta, "q": f.q} for f in findings],
            "aside": len(findings.aside),
        }
        if hypotheses:
            facts["hypotheses"] = checked
        typer.echo(json.dumps(facts))
        return
    from whatchanged.report.visible import visible
    from whatchanged.terminal import show_findings

    show_findings(findings)
    if hypotheses:
        typer.echo("\nhypotheses" if checked else "\nno hypothesis could be made")
    for one in checked:
        side = findings.diff.responses.after if one["direction"] > 0 else findings.diff.responses.before
        size = (
            "" if one["delta"] is None else f" (net {100 * one['delta']:+.0f} points of {one['n']} prompts)"
        )
        typer.echo(f"  {one['verdict']:12} more in {visible(side)}: {visible(one['behaviour'])}{size}")
    typer.echo(f"\nreport: {out / 'report.html'}")
