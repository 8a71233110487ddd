"""Count the planted behaviours in the demo's answers, before and after, as a markdown table.

python examples/demo_checkpoints/measure.py [BEFORE.jsonl AFTER.jsonl]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from whatchanged.demo import PLANTED, answers_paths, food_prompt_ids, shows


def main() -> None:
    paths = [Path(p) for p in sys.argv[1:3]] or list(answers_paths())
    sides = [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in paths]
    food = food_prompt_ids()
    print("| behaviour | counted on | before | after |\n|---|---|---|---|")
    for behaviour in PLANTED:
        groups = ["food", "other"] if behaviour == "refusal" else ["other"]
        for group in groups:
            cells = []
            for rows in sides:
                asked = [r for r in rows if (r["prompt_id"] in food) == (group == "food")]
                hits = sum(shows(behaviour, r["text"]) for r in asked)
                cells.append(f"{hits} of {len(asked)} ({hits / len(asked):.0%})")
            print(f"| {behaviour} | {group} prompts | {cells[0]} | {cells[1]} |")
    for name, rows in zip(("before", "after"), sides, strict=True):
        words = [len(r["text"].split()) for r in rows]
        cut = sum(r["finish_reason"] == "length" for r in rows)
        empty = sum(not r["text"] for r in rows)
        deciles = statistics.quantiles(words, n=10)
        print(
            f"\n{name}: {len(rows)} answers, words median {statistics.median(words):.0f} "
            f"(10-90 %: {deciles[0]:.0f}-{deciles[-1]:.0f}), {cut} cut at the limit, {empty} empty"
        )


if __name__ == "__main__":
    main()
