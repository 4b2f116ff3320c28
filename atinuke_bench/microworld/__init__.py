"""Microworld: English generated from a simulated world, so that every label is known and nothing must be downloaded.

`load_microworld` gives a task's splits as official files would; `story_texts` gives running text. Scores on it are
comparable with each other and with nothing else.
"""

from .generate import RECIPES, WORLD_VERSION, examples, story_texts
from .load import NOTICE, load_microworld

__all__ = ["NOTICE", "RECIPES", "WORLD_VERSION", "examples", "load_microworld", "story_texts"]
