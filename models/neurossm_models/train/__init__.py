"""Training: recipes, the loop, checkpoints, and measuring what was trained."""

from neurossm_models.train.evaluation import Evaluation, evaluate, load_model, measure
from neurossm_models.train.publishing import publish
from neurossm_models.train.recipe import Recipe, load_recipe, recipe_names
from neurossm_models.train.start import train
from neurossm_models.train.trainer import Trainer, TrainResult

__all__ = [
    "Evaluation",
    "Recipe",
    "TrainResult",
    "Trainer",
    "evaluate",
    "load_model",
    "load_recipe",
    "measure",
    "publish",
    "recipe_names",
    "train",
]
