"""Tasks: what is learned (`losses`, with PyTorch) and how well it is done (`Scorer`, without)."""

from neurossm_models.tasks.scorer import Scorer
from neurossm_models.tasks.scores import Scores

__all__ = ["Scorer", "Scores"]
