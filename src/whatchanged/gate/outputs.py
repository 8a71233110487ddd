"""Verdicts for people and for CI systems."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from whatchanged.gate.verdicts import Verdict

__all__ = ["github", "junit", "lines"]


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per rule, failures first, and a last line that counts."""
    word = {True: "FAIL", False: "ok"}
    ordered = sorted(verdicts, key=lambda v: not v.failed)
    failed = sum(v.failed for v in verdicts)
    unknown = sum(v.shown == "unknown" for v in verdicts)
    said = [f"{word[v.failed]:4} {v.name}: {v.message}" for v in ordered]
    return [*said, f"{failed} of {len(verdicts)} rules failed; the data could not tell for {unknown}"]


def github(verdicts: Sequence[Verdict]) -> list[str]:
    """Workflow commands that GitHub Actions shows as annotations: errors, and warnings where unknown."""
    shown = []
    for v in verdicts:
        level = "error" if v.failed else "warning" if v.shown == "unknown" else "notice"
        title = _escaped(v.name).replace(":", "%3A").replace(",", "%2C")
        shown.append(f"::{level} title=whatchanged%3A {title}::{_escaped(v.message)}")
    return shown


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def junit(verdicts: Sequence[Verdict]) -> str:
    """A JUnit test suite, one case per rule; what the data cannot tell is written to its output."""
    suite = ElementTree.Element(
        "testsuite",
        name="whatchanged check",
        tests=str(len(verdicts)),
        failures=str(sum(v.failed for v in verdicts)),
        errors="0",
        skipped="0",
    )
    for v in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname="whatchanged.check", name=v.name)
        if v.failed:
            ElementTree.SubElement(case, "failure", message=v.message, type=v.shown)
        else:
            ElementTree.SubElement(case, "system-out").text = v.message
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
