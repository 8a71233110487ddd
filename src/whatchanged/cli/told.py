"""How a verb ends: facts, or the first findings and where the report lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

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


def tell(made: Report, out: Path, as_json: bool) -> None:
    """End with the first findings and where the report lies."""
    findings: Findings = made.findings
    if as_json:
        facts = {
            "report": str(out / "report.html"),
            "findings": [{"id": f.id, "label": f.label, "delta": f.delta, "q": f.q} for f in findings],
            "aside": len(findings.aside),
        }
        typer.echo(json.dumps(facts))
        return
    from whatchanged.terminal import show_findings

    show_findings(findings)
    typer.echo(f"\nreport: {out / 'report.html'}")
