"""What of netx is refused: by name, and with the reason."""

import h5py
import numpy as np
import pytest
from fixtures.netx.layout import CUBA, write_conv, write_dense, write_layer

from neurossm.errors import FormatError, GraphError, InputError
from neurossm_converters.formats import netx

WEIGHT = [[3, -4], [5, 6]]


def one(path, weight=WEIGHT, **more):
    return write_dense(path / "one.net", np.array(weight), **more)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("convT", "netx itself"),
        ("dense_comp", "complex"),
        ("pool", "netx itself"),
        ("average", "netx itself"),
        ("strange", "not known"),
    ],
)
def test_layers(tmp_path, kind, reason):
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "dense", [2], WEIGHT, CUBA)
        write_layer(file, 1, kind, [2], WEIGHT, CUBA)
    with pytest.raises(GraphError, match=f"layer 1: .*{reason}.*got {kind}"):
        netx.read(tmp_path / "a.net")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected an entry 'weight_rec', got none"),
        ({"weight_rec": np.ones((2, 3))}, r"weight_rec: expected shape \(2, 2\), got \(2, 3\)"),
        ({"weight_rec": np.full((2, 2), 255)}, r"weights within \+-127"),
        ({"weight_rec": np.eye(2), "neuron": None}, "a neuron in a layer that feeds itself"),
    ],
)
def test_recurrent_layers(tmp_path, changes, message):
    neuron = changes.pop("neuron", CUBA)
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "dense_rec", [2], WEIGHT, neuron, **changes)
    with pytest.raises((GraphError, FormatError), match=f"layer 0.*{message}"):
        netx.read(tmp_path / "a.net")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": np.ones((3, 2, 2))}, r"weight: expected 4 axes: .*got \(3, 2, 2\)"),
        ({"weight": np.ones((3, 4, 2, 2))}, "Conv2d.weight: expected 2 input channels"),
        ({"shape": [3, 2, 1]}, r"shape: expected \(3, 2, 2\), got \(3, 2, 1\)"),
        ({"stride": [1, 1, 1]}, "stride: expected 1 or 2 numbers, got 3"),
        ({"padding": [2, 0]}, r"Conv2d.padding: expected at most \(1, 1\)"),
        ({"weight": np.full((3, 2, 2, 2), 255)}, r"weights within \+-127"),
        ({"groups": 2}, "Conv2d.groups: expected a number that divides 2 channels and 3 filters"),
        ({"delay": np.ones(3)}, "no delays"),
    ],
)
def test_convolutions(tmp_path, changes, message):
    given = {"shape": [3, 2, 2], "weight": np.ones((3, 2, 2, 2)), **changes}
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "input", [2, 3, 3])
        write_conv(file, 1, given.pop("shape"), given.pop("weight"), CUBA, **given)
    with pytest.raises((GraphError, FormatError), match=f"layer 1.*{message}"):
        netx.read(tmp_path / "a.net")


def test_a_convolution_behind_nothing_that_has_a_shape(tmp_path):
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_conv(file, 0, [1, 2, 2], np.ones((1, 1, 2, 2)), CUBA)
    with pytest.raises(
        GraphError, match=r"layer 0.*channels, height and width, got none; keep the"
    ):
        netx.read(tmp_path / "a.net")


@pytest.mark.parametrize("kind", ["SDNN", "ALIF", "RF_PHASE", "RF_IZHIKEVICH", "ADRF"])
def test_neurons(tmp_path, kind):
    with pytest.raises(GraphError, match=f"layer 0: neuron '{kind}' .*got {kind}"):
        netx.read(one(tmp_path, neuron={"type": kind, "vThMant": 3}))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"iDecay": 0}, "iDecay from 1 to 4096 .*never decay.*got 0"),
        ({"iDecay": 4097}, "iDecay from 1 to 4096"),
        ({"vDecay": -1}, "vDecay from 0 to 4096 .*got -1"),
        ({"vThMant": -1}, "vThMant from 0 to 131071"),
        ({"vThMant": 2**17}, "vThMant from 0 to 131071 .*never spike"),
        ({"refDelay": 3}, "refDelay 1, got 3"),
        ({"gradedSpike": True}, "gradedSpike 0, got 1"),
        ({"messageBits": 8}, "messageBits 0, got 8"),
        ({"wgtExp": 2}, "wgtExp 0, got 2"),
        ({"weight_exp": 3}, "weight_exp 0, got 3"),
        ({"thDecay": 3}, "got 'thDecay'"),
    ],
)
def test_parameters_of_neurons(tmp_path, change, match):
    with pytest.raises(GraphError, match=match):
        netx.read(one(tmp_path, neuron=CUBA | change))


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ([[128, -3]], "got -3 to 128, some odd"),
        ([[256, -2]], "got -2 to 256"),
        ([[-256, 2]], "got -256 to 2"),
        ([[255, 0]], "got 0 to 255, some odd"),
        # scaled to -256, which Lava clips to -255 as no weight is positive
        ([[-64, 0]], "no positive and a least of -64"),
        ([[-1, -1]], "no positive and a least of -1"),
    ],
)
def test_weights_beyond_8_bits(tmp_path, weight, match):
    with pytest.raises(GraphError, match=match):
        netx.read(one(tmp_path, weight))


@pytest.mark.parametrize("weight", [[[127, -127]], [[254, -254]], [[254, 0]], [[-63, -65]]])
def test_weights_within_8_bits(tmp_path, weight):
    synapses = netx.read(one(tmp_path, weight)).nodes["layer0.synapses"].weight
    np.testing.assert_array_equal(synapses.values * 2.0**-synapses.frac, weight)


def test_other_parts_of_a_layer(tmp_path):
    with pytest.raises(GraphError, match="no delays"):
        netx.read(one(tmp_path, delay=[0, 3]))
    with pytest.raises(GraphError, match=r"biases of 13 bits, -4096 to 4095, got 0, 4096"):
        netx.read(one(tmp_path, bias=[0, 4096]))
    with pytest.raises(GraphError, match="got 'scale'"):
        netx.read(one(tmp_path, scale=[1]))
    with pytest.raises(FormatError, match="weight: expected whole numbers"):
        netx.read(one(tmp_path, [[0.5, 1]]))
    with pytest.raises(FormatError, match="bias: expected 2 numbers, got 3"):
        netx.read(one(tmp_path, bias=[1, 2, 3]))


def test_a_bias_that_can_saturate_the_sum_with_the_current(tmp_path):
    # 64 * 127 * 1000 = 8128000; with 64 * 4095 = 262080 more it is 2**23 - 1 + 1473
    neuron = CUBA | {"iDecay": 4096}
    path = one(tmp_path, [[127] * 1000], neuron=neuron, bias=[4095])
    with pytest.raises(GraphError, match=r"24 bits .*up to 8390080"):
        netx.read(path)
    netx.read(one(tmp_path, [[127] * 1000], neuron=neuron, bias=[4071]))


def test_input_neurons_are_refused_with_the_way_around(tmp_path):
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "input", [2], neuron=CUBA, weight=None, bias=[64])
        write_layer(file, 1, "dense", [2], WEIGHT, CUBA)
    with pytest.raises(GraphError, match=r"layer 0 \(input\): .*skip_layers=1"):
        netx.read(tmp_path / "a.net")
    assert "layer1.neuron" in netx.read(tmp_path / "a.net", skip_layers=1).nodes


def test_layers_without_neuron(tmp_path):
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "dense", [2], WEIGHT)
        write_layer(file, 1, "dense", [2], WEIGHT, CUBA)
    with pytest.raises(GraphError, match="layer 0: expected a neuron in every layer but the last"):
        netx.read(tmp_path / "a.net")
    path = one(tmp_path, [[3, -4]], neuron=None)
    with pytest.raises(GraphError, match=r"layer 0 \(dense\): expected how long .*steps"):
        netx.read(path)
    # a step adds at most 64 * 4 = 256, so 10 bits: 511 * 16416 <= 2**23 - 1 < 511 * 16417
    assert netx.read(path, steps=16416).nodes["layer0.readout"].term_bits == 10
    with pytest.raises(GraphError, match="24 bits for 16417 steps"):
        netx.read(path, steps=16417)
    with pytest.raises(GraphError, match="no bias"):
        netx.read(one(tmp_path, neuron=None, bias=[1, 1]), steps=5)


def test_layers_that_do_not_follow(tmp_path):
    with h5py.File(tmp_path / "a.net", "w") as file:
        write_layer(file, 0, "dense", [2], WEIGHT, CUBA)
        write_layer(file, 1, "dense", [1], [[1, 2, 3]], CUBA)
    with pytest.raises(GraphError, match="expected 3 channels"):
        netx.read(tmp_path / "a.net")


@pytest.mark.parametrize("choice", [dict(skip_layers=1), dict(num_layers=2), dict(skip_layers=-1)])
def test_layers_that_are_not_there(tmp_path, choice):
    with pytest.raises(InputError, match="the network has layers 0 to 0"):
        netx.read(one(tmp_path), **choice)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"vDecay": [128, 128, 128]}, "vDecay: expected one number, or 2, got 3"),
        ({"iDecay": [1024, 0]}, "iDecay from 1 to 4096 .*got 0"),
        ({"vThMant": [80, 2**17]}, "vThMant from 0 to 131071 .*got 131072"),
    ],
)
def test_parameters_by_neuron(tmp_path, change, match):
    with pytest.raises((GraphError, FormatError), match=match):
        netx.read(one(tmp_path, neuron=CUBA | change))


def test_the_slowest_current_decides_whether_it_can_wrap(tmp_path):
    # 64 * 127 * 4096 / 4 = 8322048 fits into 24 bits, and a third of the decay does not
    weight = [[127, 0], [127, 0]]
    netx.read(one(tmp_path, weight, neuron=CUBA | {"iDecay": [4096, 4]}))
    with pytest.raises(GraphError, match="24 bits"):
        netx.read(one(tmp_path, weight, neuron=CUBA | {"iDecay": [4096, 3]}))
