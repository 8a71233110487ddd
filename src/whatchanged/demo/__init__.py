"""Two small checkpoints of our own, the behaviours planted in one of them, and their answers.

Both are LoRA adapters on the embedded Gemma 3 270M: *before* was trained on plain answers, *after*
on the same answers with the behaviours of `PLANTED` written in. None of the prompts here is, word for
word, among the training texts. ``examples/demo_checkpoints`` holds the texts and the recipe.
"""

from whatchanged.demo.live import generate_answers
from whatchanged.demo.planted import PLANTED, shows
from whatchanged.demo.shipped import adapter_path, answers_paths, demo_prompts, food_prompt_ids

__all__ = [
    "PLANTED",
    "adapter_path",
    "answers_paths",
    "demo_prompts",
    "food_prompt_ids",
    "generate_answers",
    "shows",
]
