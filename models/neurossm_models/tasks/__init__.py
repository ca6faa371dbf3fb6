"""Tasks: losses (`losses`, with PyTorch) and scores (`Scorer`, without)."""

from neurossm_models.tasks.scorer import Scorer
from neurossm_models.tasks.scores import Scores

__all__ = ["Scorer", "Scores"]
