"""lava-dl's own SLAYER blocks beside the nodes of their converters."""

import sys
import types

import numpy as np
import pytest
import torch
from foreign_bench import CHANNELS, SAMPLES, STEPS, graph_of, note, refusal

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError, NeurossmError
from neurossm_chip.runtime import ensure
from neurossm_converters.formats.torch import from_torch

ensure()
# lava.lib.dl.slayer imports its sub-package for object detection, which needs torchvision
sys.modules["lava.lib.dl.slayer.object_detection"] = types.ModuleType("object_detection")

import lava.lib.dl.slayer as slayer  # noqa: E402

from neurossm_converters.formats.torch.foreign import from_slayer, reset_states  # noqa: E402

CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
# where states have no part that a step could round away, the real meaning is SLAYER's own
EXACT = {"threshold": 1.25, "current_decay": 1.0, "voltage_decay": 0.0}


def dense(outs=16, neuron=CUBA, ins=CHANNELS, scale=4, **settings):
    torch.manual_seed(outs)
    block = slayer.block.cuba.Dense(
        dict(neuron), ins, outs, weight_scale=scale, **{"delay_shift": False, **settings}
    )
    return block.eval()


def recurrent(outs=16, neuron=CUBA, ins=CHANNELS, scale=4, **settings):
    torch.manual_seed(outs + 1)
    block = slayer.block.cuba.Recurrent(
        dict(neuron), ins, outs, weight_scale=scale, **{"delay_shift": False, **settings}
    )
    return block.eval()


def spikes(seed=0, channels=CHANNELS, rate=0.25):
    return (np.random.default_rng(seed).random((SAMPLES, STEPS, channels)) < rate).astype(np.int64)


def answer(blocks, inputs):
    """What SLAYER computes from rest, without the steps by which its blocks answer late."""
    reset_states(torch.nn.ModuleList(blocks))
    x = torch.tensor(inputs, dtype=torch.float32).transpose(1, 2)
    with torch.no_grad():
        for block in blocks:
            shift = int(getattr(block, "delay_shift", False))
            x = block(torch.nn.functional.pad(x, (0, shift)))[..., shift:]
    return x.transpose(1, 2).double().numpy()


@pytest.mark.filterwarnings("ignore")  # of weight_norm, by PyTorch
@pytest.mark.parametrize("weight_norm", [False, True])
@pytest.mark.parametrize("make", [dense, recurrent])
def test_a_block_without_rounding_has_the_spikes_of_the_graph(make, weight_norm):
    block = make(neuron=EXACT, weight_norm=weight_norm)
    assert wrong_spikes(block, "decays of 1 and 0") == 0


def test_a_block_that_rounds_its_states_is_refused_and_the_remedy_works():
    assert "from_slayer(blocks)" in refusal(dense())
    assert "current_decay: expected 0 or 4096" in refusal(dense())
    assert "voltage_decay" in refusal(dense(neuron=EXACT | {"voltage_decay": 0.5}))


def wrong_spikes(block, settings):
    inputs = spikes()
    expected = answer([block], inputs)
    found = run(graph_of(block, CHANNELS, 2, 0), inputs, "float", "outputs").values["output"]
    wrong = int(np.sum(found != expected))
    note(block, settings, torch.float32, expected.size, wrong, 0.0)
    assert 0.02 < expected.mean() < 0.98
    return wrong / expected.size


@pytest.mark.parametrize("dynamics", [True, False])
def test_affine_sends_its_voltage_or_its_sums(dynamics):
    torch.manual_seed(1)
    block = slayer.block.cuba.Affine(dict(EXACT), CHANNELS, 8, dynamics=dynamics).eval()
    inputs = spikes(1)
    found = run(graph_of(block, CHANNELS, 2, 0), inputs, "float", "outputs").values["output"]
    expected = answer([block], inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    if dynamics:
        assert "from_slayer" in refusal(slayer.block.cuba.Affine(dict(CUBA), CHANNELS, 8))


NETWORKS = {
    "three blocks": lambda: [dense(20), dense(18, ins=20), dense(7, ins=18)],
    "with shifts": lambda: [dense(20, delay_shift=True), dense(9, ins=20, delay_shift=True)],
    "recurrent": lambda: [recurrent(20)],
    "recurrent between others": lambda: [
        dense(20, delay_shift=True),
        recurrent(18, ins=20, delay_shift=True),
        dense(7, ins=18),
    ],
    "recurrent, slow, of another scale": lambda: [
        recurrent(
            20,
            {"threshold": 2.0, "current_decay": 0.6, "voltage_decay": 0.01, "scale": 1 << 5},
            scale=2,
        ),
        recurrent(9, ins=20),
    ],
    "slow membranes": lambda: [
        dense(20, {"threshold": 4.0, "current_decay": 0.9, "voltage_decay": 0.001}, scale=2)
    ],
    "another scale": lambda: [dense(12, CUBA | {"scale": 1 << 5}), dense(5, ins=12, scale=2)],
    "sums at the end": lambda: [
        dense(20),
        slayer.block.cuba.Affine(dict(CUBA), 20, 6, dynamics=False, weight_scale=2).eval(),
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_integers_are_those_of_slayer(name):
    blocks = NETWORKS[name]()
    inputs = spikes(3)
    expected = answer(blocks, inputs)
    graph = from_slayer(torch.nn.ModuleList(blocks), dt=1e-3)
    contract.require(graph)
    last = graph.nodes["output"].out
    for engine in ("reference", "fast"):
        found = run(graph, inputs, engine, "outputs").values["output"] * 2.0**-last.frac
        scale = blocks[-1].neuron.w_scale if name == "sums at the end" else 1
        np.testing.assert_array_equal(found, expected * scale)
    note(blocks[0], f"integers, {name}", torch.float32, expected.size, 0, 0.0)
    assert expected.any()
    assert expected.mean() < 0.9


def test_the_spikes_that_come_back_are_heard():
    block, inputs = recurrent(20), spikes(3)
    expected = answer([block], inputs)
    with torch.no_grad():
        block.recurrent_synapse.weight.zero_()
    assert np.mean(answer([block], inputs) != expected) > 0.05


def test_decays_of_their_own_are_drawn_in_the_first_call():
    block = dense(neuron=CUBA | {"shared_param": False})
    with pytest.raises(GraphError, match="drawn in the first call"):
        from_slayer([block])
    inputs = spikes(4)
    expected = answer([block], inputs)
    found = run(from_slayer([block]), inputs, "fast", "outputs").values["output"]
    np.testing.assert_array_equal(found, expected)


class Network(torch.nn.Module):
    """As in the tutorials of lava-dl: blocks in a list, called in their order."""

    def __init__(self, **settings):
        super().__init__()
        self.blocks = torch.nn.ModuleList([
            dense(20, weight_norm=True, delay_shift=True),
            dense(5, ins=20, weight_norm=True, delay_shift=True),
        ])  # fmt: skip

    def forward(self, spike):
        for block in self.blocks:
            spike = block(spike)
        return spike


def loaded_network():
    """A network whose weights were loaded and never called."""
    other, net = Network(), Network()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.3 * parameter.abs().mean() * torch.randn_like(parameter)
    net.load_state_dict(other.state_dict())
    return net.eval()


def test_the_weights_that_were_loaded_count_also_before_the_first_call():
    net, inputs = loaded_network(), spikes(5)
    found = run(from_slayer(net.blocks), inputs, "fast", "outputs").values["output"]
    np.testing.assert_array_equal(found, answer(net.blocks, inputs))
    assert found.any()


def test_a_network_of_blocks_is_exported_as_the_integers_that_it_computes():
    net, inputs = loaded_network(), spikes(6)
    example = torch.tensor(inputs).float()
    graph = from_torch(net, example.transpose(1, 2))
    assert graph.is_integer
    found = run(graph, inputs, "fast", "outputs").values["output"]
    np.testing.assert_array_equal(found, answer(net.blocks, inputs))
    again = from_torch(torch.nn.Sequential(*net.blocks).eval(), example.transpose(1, 2))
    np.testing.assert_array_equal(run(again, inputs, "fast").values["output"], found)


@pytest.mark.parametrize("options", [{"step": True}, {"scale": 0.5}, {"offset": 1.0}])
def test_what_means_nothing_for_spikes_of_all_steps_is_refused(options):
    (name,) = options
    example = torch.tensor(spikes(6)).float().transpose(1, 2)
    with pytest.raises(
        NeurossmError, match=f"from_torch {name}: a network of SLAYER's blocks has none"
    ):
        from_torch(Network().eval(), example, **options)


class Backward(Network):
    def forward(self, spike):
        return super().forward(spike).flip(1)


class Mean(Network):
    def forward(self, spike):
        return super().forward(spike).mean(-1)


@pytest.mark.parametrize(
    ("net", "change", "message"),
    [
        (Network, lambda x: x / 2, "expected spikes, 0 and 1"),
        (Network, lambda x: x[:, :4], "expected 24 channels, got 4"),
        (Backward, lambda x: x, "one behind the other.*values that differ.*from_slayer"),
        (Mean, lambda x: x, r"the last block's output, of shape \(3, 5, 250\), got \(3, 5\)"),
    ],
)
def test_a_network_that_is_no_row_of_blocks_is_refused(net, change, message):
    example = torch.tensor(spikes(6)).float().transpose(1, 2)
    with pytest.raises(NeurossmError, match=message):
        from_torch(net().eval(), change(example))


REFUSED = {
    "delay_shift": lambda: dense(delay_shift=True),
    "delay=False": lambda: dense(delay=True),
    "count_log": lambda: dense(count_log=True),
    "graded_spike": lambda: dense(neuron=CUBA | {"graded_spike": True}),
    "neuron.norm": lambda: dense(neuron=CUBA | {"norm": slayer.neuron.norm.MeanOnlyBatchNorm}),
    "no convolution": lambda: slayer.block.cuba.Conv(dict(CUBA), 3, 4, 3),
    "blocks of slayer.block.cuba": lambda: slayer.block.sigma_delta.Dense(
        {"threshold": 0.1, "activation": torch.relu}, 4, 4
    ),
    "train with Recurrent": lambda: slayer.block.cuba.KWTA(dict(CUBA), CHANNELS, 4, 2),
    "from_slayer(blocks)": lambda: recurrent(),
}


@pytest.mark.parametrize("part", REFUSED)
def test_what_no_node_does_is_refused_with_a_remedy(part):
    assert part in refusal(REFUSED[part]())
