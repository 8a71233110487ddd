"""The gate of a model release: rules about guarded behaviours, judged with intervals, told to a CI system."""

from whatchanged.gate.claims import Claim, claims_of, read_known
from whatchanged.gate.judges import judges_of, judges_said
from whatchanged.gate.outputs import github, junit, lines
from whatchanged.gate.rules import Rule, Rules, read_rules
from whatchanged.gate.verdicts import Verdict, check

__all__ = [
    "Claim",
    "Rule",
    "Rules",
    "Verdict",
    "check",
    "claims_of",
    "github",
    "judges_of",
    "judges_said",
    "junit",
    "lines",
    "read_known",
    "read_rules",
]
