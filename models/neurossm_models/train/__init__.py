"""Training: recipes, the loop, checkpoints, and measuring what was trained."""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_models.train.estimates import Estimate, estimate
    from neurossm_models.train.evaluation import (
        CHECKPOINTS,
        evaluate,
        load_facts,
        load_model,
        measure,
    )
    from neurossm_models.train.fit import Trainer
    from neurossm_models.train.loop import TrainResult
    from neurossm_models.train.measuring import Evaluation
    from neurossm_models.train.own_data import data_changes
    from neurossm_models.train.parallel import is_first_process
    from neurossm_models.train.publishing import publish
    from neurossm_models.train.recipe import Recipe, load_recipe, recipe_names
    from neurossm_models.train.records import RUN_FILES
    from neurossm_models.train.start import train
    from neurossm_models.train.trainer import RecipeTrainer

__all__ = [
    "CHECKPOINTS",
    "RUN_FILES",
    "Estimate",
    "Evaluation",
    "Recipe",
    "RecipeTrainer",
    "TrainResult",
    "Trainer",
    "data_changes",
    "estimate",
    "evaluate",
    "is_first_process",
    "load_facts",
    "load_model",
    "load_recipe",
    "measure",
    "publish",
    "recipe_names",
    "train",
]
