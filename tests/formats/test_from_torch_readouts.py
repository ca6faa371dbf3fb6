"""Each readout from the network to integers that run everywhere; scales a channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed, Scaling, TargetScaling
from neurossm.interface import Interface
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.backends import lava as lava_backend
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.formats.torch.readouts import described, input_format
from neurossm_models import BinaryS4DConfig, Network
from neurossm_models.data import Task, task

READOUTS = ("mean", "last", "max", "sum", "leaky", "every-step")
STEPS, SCALE, LEAK = 14, np.array([1 / 16, 1 / 100]), 0.75


def network(readout):
    torch.manual_seed(1)
    config = BinaryS4DConfig(
        in_features=2, classes=3, width=6, state=4, layers=1, mixing="linear", readout=readout,
        readout_leak=LEAK, dt_min=0.05, dt_max=0.5,
    )  # fmt: skip
    model = Network(config)
    with torch.no_grad():
        model(torch.randn(40, STEPS, 2) * 3)  # norms see something
        model.decoder.bias.normal_()
    return model.eval()


def samples():
    return np.random.default_rng(2).integers(-99, 100, (4, STEPS, 2))


def by_hand(readout, sent):
    """Return the answers from what the decoder says, (B, T, C)."""
    if readout == "leaky":
        total = np.zeros_like(sent[:, 0])
        for t in range(sent.shape[1]):
            total = LEAK * total + (1 - LEAK) * sent[:, t]
        return total
    return {
        "mean": sent.mean(1), "last": sent[:, -1], "max": sent.max(1), "sum": sent.sum(1),
        "every-step": sent,
    }[readout]  # fmt: skip


def read(readout, sent):
    """Return the answers from what the output sends, as `Interface` says it."""
    return {"max": sent.max(1), "every-step": sent}.get(readout, sent[:, -1])


@pytest.mark.parametrize("readout", READOUTS)
def test_a_readout_is_the_networks_and_what_it_says_by_hand(readout):
    model, x = network(readout), samples()
    graph = from_torch(model, steps=STEPS, scale=SCALE)
    found = read(readout, run(graph, x, "float").values["output"])
    with torch.no_grad():
        said = network("every-step")(torch.tensor(x * SCALE, dtype=torch.float32)).numpy()
        logits = model(torch.tensor(x * SCALE, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits, by_hand(readout, said), rtol=1e-4, atol=1e-4)


@pytest.mark.lava
@pytest.mark.parametrize("readout", READOUTS)
def test_a_readout_has_the_same_bits_everywhere(readout):
    graph, x = from_torch(network(readout), steps=STEPS, scale=SCALE), samples()
    integer = Quantize()(graph, calibrate(graph, run(graph, x, "float", "outputs")))
    names = tuple(integer.nodes)
    reference = run(integer, x, "reference", names)
    fast = run(integer, x, "fast", names)
    for name in names:
        np.testing.assert_array_equal(reference.values[name], fast.values[name])
    lava = lava_backend.run(integer, x[:2], "outputs")
    np.testing.assert_array_equal(lava.values["output"], reference.values["output"][:2])
    real, unit = run(graph, x, "float").values["output"], 2.0 ** -integer.nodes["output"].out.frac
    error = np.abs(reference.values["output"] * unit - real).max()
    assert error < 0.05 * np.abs(real).max()


def test_equal_scales_of_channels_are_one_scale():
    model = network("mean")
    one = from_torch(model, steps=STEPS, scale=1 / 255)
    two = from_torch(model, steps=STEPS, scale=[1 / 255, 1 / 255])
    assert one.nodes["input"] == two.nodes["input"]
    np.testing.assert_array_equal(one.nodes["encoder"].weight, two.nodes["encoder"].weight)


def test_a_scale_goes_into_the_column_of_its_channel():
    fmt, factors = input_format([1 / 4, 1 / 64], 12)
    assert fmt == Fixed(13, 4)  # between 2 and 6
    assert factors.tolist() == [4.0, 0.25]


@pytest.mark.parametrize(
    ("scale", "says"),
    [([0.5], "one, or 2, got 1 numbers"), ([0.5, -1.0], "above 0"), ("0.5", "above 0")],
)
def test_other_scales_are_refused(scale, says):
    with pytest.raises(InputError, match=says):
        from_torch(network("mean"), steps=STEPS, scale=scale)


def test_a_graph_says_what_its_data_were():
    facts = Task(
        steps=STEPS, scale=1.0, classes=3, readout="last", bits=12, kind="regression", features=2,
        scaling=Scaling([0.5, 2.0], [0.0, 1.0], [1 / 16, 1 / 100], 12),
        target=TargetScaling([1.0, 2.0, 3.0], [0.0, 0.0, 1.0]), channel_names=("x", "y"),
        split="valid=0.15,test=0.15,seed=0,by=label",
    )  # fmt: skip
    graph = from_torch(network("last"), steps=STEPS, scale=facts.scaling.scale, bits=12)
    about = Interface.of(described(graph, facts, "last"))
    assert (about.task, about.readout, about.channel_names) == ("regression", "last", ("x", "y"))
    assert about.scaling.unit.tolist() == [0.5, 2.0] and about.split == facts.split
    assert about.target.unit.tolist() == [1.0, 2.0, 3.0]


def test_a_graph_of_a_registered_data_set_says_what_it_always_said():
    graph = from_torch(network("mean"), steps=64, scale=1 / 16)
    assert described(graph, task("digits"), "mean").meta == graph.meta
