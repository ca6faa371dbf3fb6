"""Arguments of the public functions: what makes no sense is refused by the argument's name."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from neurossm.errors import InputError
from neurossm_models import (
    LIF,
    S4D,
    BinaryS4DConfig,
    Network,
    NetworkConfig,
    Spike,
    SpikingSSMConfig,
    heaviside,
)
from neurossm_models.data import load
from neurossm_models.data.dataset import Dataset
from neurossm_models.families.gsu import GatedSpikingUnit, TernaryThreshold
from neurossm_models.neurons import lif_loop, lif_native
from neurossm_models.neurons.boundary import compress
from neurossm_models.neurons.sdn import find_sdn
from neurossm_models.neurons.sdn_training import SDNTraining, agreement
from neurossm_models.train import evaluate, load_model, load_recipe, measure, train

NAN, INF = math.nan, math.inf


def lif(**changes):
    return LIF(**{"width": 2, "tau": 0.5, "reset": "soft", **changes})


def one_row():
    return torch.zeros(1, 1, 4), *(torch.tensor([p]) for p in (0.5, 0.0, 0.0))


WRONG = [
    (lambda: S4D(0, 4), "S4D width: expected a whole number of at least 1, got 0"),
    (lambda: S4D(-1, 4), "S4D width: .*got -1"),
    (lambda: S4D(2.5, 4), "S4D width: .*got 2.5"),
    (lambda: S4D(2, 4.0), "S4D state: expected an even number of at least 2, got 4.0"),
    (lambda: S4D(2, "4"), "S4D state: .*got '4'"),
    (lambda: S4D(2, 4, dt_min=NAN), "S4D dt_min: expected a finite number above 0, got nan"),
    (lambda: S4D(2, 4, dt_max=INF), "S4D dt_max: .*got inf"),
    (lambda: S4D(2, 4).kernel(0), "S4D.kernel length: .*got 0"),
    (lambda: S4D(2, 4).initial_state(-1), "S4D.initial_state batch: .*got -1"),
    (lambda: S4D(2, 4)(np.zeros((2, 1, 4))), "S4D input: expected a tensor, got ndarray; use"),
    (lambda: lif(width=0), "LIF width: .*got 0"),
    (lambda: lif(threshold=0), "LIF threshold: expected a finite number above 0, got 0"),
    (lambda: lif(threshold=NAN), "LIF threshold: .*got nan"),
    (lambda: lif(kappa=0), "LIF kappa: expected a finite number above 0, got 0"),
    (lambda: lif(tau="0.5"), "LIF tau: expected 0 <= factor < 1, got 0.5"),
    (lambda: lif(surrogate="triangel"), "LIF surrogate: .*did you mean 'triangle'"),
    (lambda: setattr(lif(), "form", None), "form of the neurons: .*got None"),
    (lambda: Spike(0), "Spike width: .*got 0"),
    (lambda: Spike(2, NAN), "Spike threshold: expected a finite number, got nan"),
    (lambda: Spike(2, surrogate="x"), "Spike surrogate: .*got 'x'"),
    (lambda: heaviside(torch.zeros(2), "x"), "surrogate: .*got 'x'"),
    (lambda: TernaryThreshold(2, 0), "TernaryThreshold delta: .*got 0"),
    (lambda: TernaryThreshold(2, 0.5, 2), "TernaryThreshold fraction: expected 0 < f < 1, got 2"),
    (lambda: GatedSpikingUnit(0, 0.5), "GatedSpikingUnit width: .*got 0"),
    (lambda: GatedSpikingUnit(2, 1.0), "GatedSpikingUnit fraction: .*got 1.0"),
    (lambda: lif_loop(*one_row(), reset="x"), "neuron reset: .*got 'x'"),
    (lambda: lif_native(*one_row(), reset="soft", surrogate="x"), "neuron surrogate: .*got 'x'"),
    (lambda: compress(*one_row(), iterations=-1), "compression iterations: .*at least 0, got -1"),
    (lambda: Network(None), "Network config: expected one of BinaryS4DConfig, .*got NoneType"),
    (lambda: Network(NetworkConfig()), "Network config: .*got NetworkConfig"),
    (lambda: Network(BinaryS4DConfig()).initial_state(0), "initial_state batch: .*got 0"),
    (lambda: Network(BinaryS4DConfig())(np.zeros((1, 4, 1))), "network input: expected a tensor"),
    (lambda: BinaryS4DConfig(width="4"), "model width: expected a whole number, got '4'"),
    (lambda: BinaryS4DConfig(layers=True), "model layers: expected a whole number, got True"),
    (lambda: BinaryS4DConfig(threshold=NAN), "model threshold: expected a finite number, got nan"),
    (lambda: BinaryS4DConfig(dropout=None), "model dropout: .*got None"),
    (lambda: BinaryS4DConfig(prenorm=1), "model prenorm: expected true or false, got 1"),
    (lambda: SpikingSSMConfig(dt_max=INF), "model dt_max: .*got inf"),
    (lambda: SDNTraining(lr=NAN), "sdn lr: expected a finite number, got nan"),
    (lambda: SDNTraining(steps=2.5), "sdn steps: expected a whole number, got 2.5"),
    (lambda: SDNTraining(beta=0), "sdn beta: .*got 0"),
    (lambda: SDNTraining(weight_decay=-1), "weight_decay: .*at least 0, got -1"),
    (lambda: agreement(find_sdn(0.125), steps=0), "agreement steps: .*got 0"),
    (lambda: evaluate("binary-s4d-digits", limit=0), "expected a count of at least 1, got '0'"),
    (lambda: load(None), "data: expected a path or a name, got None"),
    (lambda: load_model(None), "run: expected a path or a name, got None"),
    (lambda: load_recipe(None), "recipe: expected a path or a name, got None"),
    (lambda: load_recipe("gsu-digits", "train.epochs=1"), "overrides: expected a list of"),
    (lambda: load_recipe("gsu-digits", [1]), "--set 1: expected section.key=value, got 1"),
    (lambda: train("gsu-digits", out=3), "train out: expected a path or a name, got 3"),
    (lambda: train("gsu-digits", stop_after=-1), "train stop_after: .*at least 0, got -1"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_makes_no_sense_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_numbers_of_numpy_are_numbers():
    config = BinaryS4DConfig(width=np.int64(4), state=np.int32(2), dropout=np.float32(0.5))
    assert Network(config).decoder.in_features == 4
    assert S4D(np.int64(3), np.int64(4), dt_max=np.float64(0.5)).width == 3


def data(labels, **changes):
    fields = {"scale": 1 / 16, "vocabulary": 0, **changes}
    features = fields.pop("features", 1)
    inputs = np.zeros((4, 64, features), np.uint8)
    return Dataset("mine", "test", inputs, labels=np.asarray(labels), provenance="", **fields)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (data([12, 0, 0, 0]), "mine:test labels: expected classes 0 to 9, got 12"),
        (data([-1] * 4), "labels: expected a class for one sample at least, got none"),
        (data(np.zeros((4, 64), int)), "expected a label a sample, got a label at every step"),
        (data([0] * 4, vocabulary=5, scale=1), "expected quantities, not tokens, got 5 tokens"),
        (data([0] * 4, features=2), r"expected shape \(batch, steps, 1\)"),
    ],
)
def test_data_that_cannot_be_measured_are_named(dataset, message):
    model, _ = load_model("binary-s4d-digits")
    with pytest.raises(InputError, match=message):
        measure(model, dataset)
    with pytest.raises(InputError, match=r"measure batch: .*got 0"):
        measure(model, data([0] * 4), 0)
    with pytest.raises(InputError, match="measure model: expected a Network, got Linear"):
        measure(nn.Linear(1, 1), data([0] * 4))


def test_a_part_without_labels_is_left_out():
    model, _ = load_model("binary-s4d-digits")
    whole, half = data([3, 3, 3, 3]), data([3, 3, -1, -1])
    one, two = measure(model, whole, 2), measure(model, half, 2)  # a batch with none
    assert (one.count, two.count) == (4, 2)
    assert two.loss == pytest.approx(one.loss) and two.accuracy == one.accuracy
