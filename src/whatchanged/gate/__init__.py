"""The gate of a model release: rules about guarded behaviours, judged with intervals, told to a CI system."""

from whatchanged.gate.outputs import github, junit, lines
from whatchanged.gate.rules import Rule, Rules, read_rules
from whatchanged.gate.verdicts import Verdict, check

__all__ = ["Rule", "Rules", "Verdict", "check", "github", "junit", "lines", "read_rules"]
