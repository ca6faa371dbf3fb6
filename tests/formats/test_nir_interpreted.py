"""What we write as NIR, run by an interpreter of NIR's equations, is the PyTorch model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from nir_interpreter import Interpreter
from small_networks import network

from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.torch import from_torch
from neurossm_models import Network
from neurossm_models.train import load_model


def both(
    model: Network, path: Path, inputs: np.ndarray, scale: float
) -> tuple[Interpreter, np.ndarray, np.ndarray]:
    """Return who ran the NIR file, its readout at the last step, and that of the model."""
    steps = len(inputs)
    graph = from_torch(model, steps=steps, scale=scale, bits=16)
    assert neurossm_nir.expressible(graph) == ()
    neurossm_nir.write(graph, path)
    (name,) = graph.inputs
    real = inputs * 2.0 ** -graph.nodes[name].out.frac
    assert graph.dt is None  # nobody said it: then FORMAT.md writes a step as 1 ms
    interpreter = Interpreter(path, 1.0)
    interpreted = interpreter.run(real)[-1]
    with torch.no_grad():
        expected = model(torch.from_numpy(inputs * scale)[None]).double().numpy()[0]
    return interpreter, interpreted, expected


def test_a_trained_network_with_fast_rotations(tmp_path):
    model, recipe = load_model("binary-s4d-linear-smnist")
    model = model.double()
    rng = np.random.default_rng(5)
    strokes = rng.random(128) < 0.3
    inputs = np.where(strokes, rng.integers(0, 256, 128), 0)[:, None].astype(np.float64)
    interpreter, found, expected = both(model, tmp_path / "trained.nir", inputs, 1 / 255)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(expected).max() > 1  # the network answers something

    turns = [group.step for group in interpreter.groups if len(group.names) == 2]
    assert len(turns) == recipe.model.layers
    fastest = max(np.abs(np.arctan2(step[:, 1, 0], step[:, 0, 0])).max() for step in turns)
    assert fastest > 1  # rad a step; forward Euler would have long left the unit circle


@pytest.mark.parametrize("family", ["binary-s4d", "spikingssm"])
def test_a_small_network_of_each_family_that_nir_can_express(tmp_path, family):
    model = network(family, mixing="linear")
    inputs = np.random.default_rng(1).integers(-64, 64, (40, 2)).astype(np.float64)
    _, found, expected = both(model, tmp_path / "small.nir", inputs, 1 / 32)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
