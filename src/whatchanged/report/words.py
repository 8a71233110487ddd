"""What tags, reasons and statistics mean, in words. Unknown names are shown as they are."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "DROPPED",
    "DROPPED_HYPOTHESES",
    "KINDS",
    "LENGTH",
    "LEVELS",
    "REASONS",
    "SHARES",
    "STATISTICS",
    "TAGS",
    "VERDICTS",
]

SHARES: Mapping[str, str] = {
    "presence": "prompts where it occurs at all",
    "high_presence": "prompts where it occurs strongly (above its pooled 80th percentile)",
    "log_count": "prompts where this side has more occurrences",
    "log_maximum": "prompts where this side has the stronger occurrence",
    "opening": "prompts where it occurs in the first 16 tokens",
    "closing": "prompts where it occurs in the last 24 tokens",
}
"""What the two rates are a share of, by statistic."""

STATISTICS: Mapping[str, str] = {
    "presence": "answers that have it",
    "high_presence": "answers that have it strongly (above its pooled 80th percentile)",
    "log_count": "by how often it occurs",
    "log_maximum": "by how strong it gets",
    "opening": "answers that have it in the first 16 tokens",
    "closing": "answers that have it in the last 24 tokens",
}
"""What checkpoints are set side by side by."""

LEVELS = frozenset({"presence", "high_presence", "opening", "closing"})
"""Statistics whose mean at a checkpoint is a share of its answers."""

KINDS: Mapping[str, str] = {
    "feature": "a direction of the sparse autoencoder",
    "observable": "a property counted by a fixed rule, without any model",
    "lexical": "a word or a pair of words",
    "group": "several rows tested together",
}
"""What a row of each kind is."""

TAGS: Mapping[str, str] = {
    "whitespace": "fires on blanks, which is no behaviour",
    "newline": "fires on line breaks",
    "punctuation": "fires on punctuation marks",
    "markdown": "fires on markdown signs",
    "digits": "fires on digits",
    "single-word": "fires on one word, so the word says as much as the row",
    "prompt-echo": "fires on words of the prompt",
    "first-token": "fires on the very first token of nearly every answer, which is no behaviour",
    "last-token": "is strongest on the very last token of the answer",
    "truncation": "fires where answers were cut off, which is no behaviour",
    "massive": "fires on tokens of outsized activation, which is no behaviour",
    "template-leak": "fires on pieces of a chat template, which is no behaviour",
    "length": "is the length of the answer itself",
    "length-driven": "explained by a change of length",
    "length-not-identifiable": "length and behaviour cannot be told apart",
}
"""What each tag means."""

LENGTH: Mapping[str, str] = {
    "ok": "survives the length rule",
    "length-driven": "explained by length: cut to the shorter length, what is left is not significant",
    "length-not-identifiable": "lengths hardly overlap, so length and behaviour cannot be told apart",
}
"""What each verdict of the length rule means."""

REASONS: Mapping[str, str] = {
    "too_rare": "too rare to test",
    "constant": "the same in every answer",
    "no_discordant_pairs": "no prompt differs",
}
"""Why a row has no p."""

DROPPED: Mapping[str, str] = {
    "missing": "missing",
    "empty": "empty",
    "errored": "errored",
    "refused_by_api": "refused by the API",
    "truncated": "truncated, left out on request",
    "partner_truncated": "whole, left out with a truncated one",
    "unlisted": "to other prompts",
    "part": "parts that are no text (tool calls, images, reasoning)",
    "duplicate": "duplicate",
    "unpaired": "without a partner",
    "prompts_before_only": "prompts only before answered",
    "prompts_after_only": "prompts only after answered",
    "prompts_neither": "prompts neither answered",
}
"""Why an answer or a prompt did not take part."""

VERDICTS: Mapping[str, str] = {
    "verified": "as predicted, on held-out prompts that had no part in findings, labels or writing",
    "consistent": "as predicted, but on prompts that discovery had seen: no verification",
    "contradicted": "significant the other way: do not quote it",
    "unconfirmed": "not significant: these prompts decide it neither way",
    "not_judged": "no decision came, or there was nothing to count",
}
"""What each verdict on a hypothesis means; what was verified comes first."""

DROPPED_HYPOTHESES: Mapping[str, str] = {
    "nothing_to_count": "findings that leave nothing to count",
    "malformed": "sentences that were no hypothesis",
    "invented_id": "references to findings that do not exist",
    "without_finding": "sentences that rest on no finding",
    "too_many": "sentences beyond the limit",
}
"""Why something that was written or looked at became no hypothesis."""
