"""The network of a training run as a float graph that describes its data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from neurossm.graph import Graph
from neurossm_converters.formats.torch.general import from_torch
from neurossm_converters.formats.torch.readouts import described, scale_of
from neurossm_models.data import load
from neurossm_models.data.task import Task
from neurossm_models.network import Network
from neurossm_models.train.batches import tensors
from neurossm_models.train.recipe import Recipe

EXAMPLES = 4  # sequences of the training part on which another module is recorded


def graph_of(model: nn.Module, recipe: Recipe, facts: Task) -> Graph:
    """Return the float graph of a run's network.

    Parameters
    ----------
    model, recipe
        As `neurossm_models.train.load_model` returns them.
    facts
        Of the run's data, as `neurossm_models.train.load_facts` returns them.

    Raises
    ------
    GraphError
        For what cannot be expressed; names the module.
    InputError
        Of a module of one's own, which is recorded on its training data, if they are not there.
    """
    if isinstance(model, Network):
        graph = from_torch(
            model, steps=facts.steps, scale=scale_of(facts), bits=facts.bits, dt=facts.dt
        )
        return described(graph, facts, model.config.readout)
    graph = from_torch(model, _example(recipe, facts), dt=facts.dt, **_units(facts))
    return described(graph, facts)


def _example(recipe: Recipe, facts: Task) -> torch.Tensor:
    own = facts if recipe.data.path else None
    data = load(f"{recipe.data.title}:train", facts=own)
    longest = slice(None) if data.lengths is None else (-data.lengths).argsort(kind="stable")
    chosen = data.select(longest).take(slice(EXAMPLES))
    x, _, _ = tensors(chosen)
    return x


def _units(facts: Task) -> dict[str, Any]:
    if facts.scaling is not None:
        return {"scaling": facts.scaling}
    return {} if facts.vocabulary else {"scale": facts.scale, "bits": facts.bits}
