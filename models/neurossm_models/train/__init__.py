"""Training: recipes, the loop, checkpoints, and measuring what was trained."""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_models.train.evaluation import (
        CHECKPOINTS,
        Evaluation,
        evaluate,
        load_model,
        measure,
    )
    from neurossm_models.train.parallel import is_first_process
    from neurossm_models.train.publishing import publish
    from neurossm_models.train.recipe import Recipe, load_recipe, recipe_names
    from neurossm_models.train.records import RUN_FILES
    from neurossm_models.train.start import train
    from neurossm_models.train.trainer import Trainer, TrainResult

__all__ = [
    "CHECKPOINTS",
    "RUN_FILES",
    "Evaluation",
    "Recipe",
    "TrainResult",
    "Trainer",
    "evaluate",
    "is_first_process",
    "load_model",
    "load_recipe",
    "measure",
    "publish",
    "recipe_names",
    "train",
]
