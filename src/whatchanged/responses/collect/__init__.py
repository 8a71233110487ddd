"""Answers of two models to the same prompts, collected so that none is paid for twice and none is lost."""

from __future__ import annotations

from whatchanged.responses.collect.calls import plan_calls
from whatchanged.responses.collect.estimate import Estimate, ModelEstimate, estimate
from whatchanged.responses.collect.progress import CollectProgress
from whatchanged.responses.collect.retry import RetryPolicy
from whatchanged.responses.collect.run import collect
from whatchanged.responses.collect.single import Asked, ask_all
from whatchanged.responses.collect.summary import ModelSummary, Summary, read_summary

__all__ = [
    "Asked",
    "CollectProgress",
    "Estimate",
    "ModelEstimate",
    "ModelSummary",
    "RetryPolicy",
    "Summary",
    "ask_all",
    "collect",
    "estimate",
    "plan_calls",
    "read_summary",
]
