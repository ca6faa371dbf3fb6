"""What export tells of runs that it refuses."""

from __future__ import annotations

import pytest

from neurossm_models.train import load_recipe, recipe_names
from neurossm_workflows.export import causal_counterpart

BIDIRECTIONAL = [name for name in recipe_names() if not load_recipe(name).model.causal]


@pytest.mark.parametrize("name", BIDIRECTIONAL)
def test_a_bidirectional_recipe_is_told_its_causal_counterpart(name):
    assert causal_counterpart(load_recipe(name)) == f"recipe '{name}-causal'"


def test_without_a_recipe_of_its_data_it_is_told_the_setting():
    own = load_recipe("spikingssm-digits", ["model.bidirectional=true"])
    assert causal_counterpart(own) == "the same recipe with model.bidirectional = false"
