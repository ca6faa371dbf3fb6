"""Whole networks of other libraries, in their own arrangement, through `from_torch`.

It proves each of them on its example and on random data; here the answers are compared once more,
and the integers of the quantized graph on both engines.
"""

import importlib
import inspect

import norse.torch as norse
import numpy as np
import own_s4d
import pytest
import sinabs
import snntorch as snn
import torch
from sinabs import layers as sl
from sinabs.activation import MembraneReset, SingleSpike
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError, NeurossmWarning
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.formats.torch.foreign import foreign_converters, reset_states

CHANNELS, SAMPLES, STEPS = 12, 3, 40

HOME = "neurossm_converters.formats.torch.traced.doubles"
GENERAL = "example" in inspect.signature(from_torch).parameters
WIRED = "foreign" in inspect.getsource(importlib.import_module(HOME)) if GENERAL else False
pytestmark = pytest.mark.skipif(not GENERAL, reason="from_torch takes our own networks only")
wired = pytest.mark.skipif(not WIRED, reason="from_torch does not look at foreign modules itself")


def example(seed=0):
    """Whole parts of 1/256: every type of number holds them."""
    whole = np.random.default_rng(seed).integers(-400, 800, (SAMPLES, STEPS, CHANNELS))
    return torch.tensor(whole / 256).float()


def loud(net):
    """Give synapses weights that make spikes."""
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.Linear):
                part.weight *= 3
    return net.eval()


class Hidden(nn.Module):
    """snnTorch with `init_hidden`, a loop over time, a mean."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(CHANNELS, 20), snn.Leaky(beta=0.9, init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(20, 5), snn.Synaptic(0.5, 0.8, init_hidden=True)

    def forward(self, x):
        steps = [self.lif2(self.fc2(self.lif1(self.fc1(x[:, t])))) for t in range(x.shape[1])]
        return torch.stack(steps, 1).mean(1)


class Explicit(nn.Module):
    """snnTorch as its tutorials write it: states in and out."""

    def __init__(self, last="subtract"):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(CHANNELS, 20), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(20, 5), snn.Leaky(beta=0.8, reset_mechanism=last)
        self.last = last

    def forward(self, x):
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for t in range(x.shape[1]):
            spk1, mem1 = self.lif1(self.fc1(x[:, t]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2 if self.last == "subtract" else mem2)
        return torch.stack(out, 1)


class NorseLoop(nn.Module):
    """A `SequentialState` that is called at every step, and a sum."""

    def __init__(self):
        super().__init__()
        self.net = norse.SequentialState(
            nn.Linear(CHANNELS, 20), norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.4))),
            nn.Linear(20, 5), norse.LICell(),
        )  # fmt: skip

    def forward(self, x):
        state, out = None, []
        for t in range(x.shape[1]):
            y, state = self.net(x[:, t], state)
            out.append(y)
        return torch.stack(out, 1).sum(1)


class JellyLoop(nn.Module):
    """SpikingJelly in single steps, and a mean."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            layer.Linear(CHANNELS, 20), layer.BatchNorm1d(20), neuron.LIFNode(v_threshold=0.5),
            layer.Dropout(0.1), layer.Linear(20, 8), neuron.IFNode(v_reset=None),
            layer.VotingLayer(2),
        )  # fmt: skip

    def forward(self, x):
        total = 0
        for t in range(x.shape[1]):
            total = total + self.net(x[:, t])
        return total / x.shape[1]


class Tutorial(nn.Module):
    """snnTorch's fifth tutorial: spikes and membranes of all steps are returned."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(CHANNELS, 20), snn.Leaky(beta=0.95)
        self.fc2, self.lif2 = nn.Linear(20, 5), snn.Leaky(beta=0.95)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for step in range(x.size(1)):
            spk1, mem1 = self.lif1(self.fc1(x[:, step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=1), torch.stack(mem2_rec, dim=1)


def norse_at_once(lifted=False):
    p = norse.LIFBoxParameters(v_th=torch.tensor(0.4))
    if lifted:
        return norse.Lift(norse.SequentialState(
            nn.Linear(CHANNELS, 20), norse.LIFBoxCell(p), nn.Linear(20, 5), norse.LICell(),
        ))  # fmt: skip
    return norse.SequentialState(
        nn.Linear(CHANNELS, 20), norse.LIF(norse.LIFParameters(v_th=torch.tensor(0.4))),
        nn.Linear(20, 5), norse.LI(),
    )  # fmt: skip


def jelly_at_once():
    return nn.Sequential(
        layer.SeqToANNContainer(nn.Linear(CHANNELS, 20), nn.BatchNorm1d(20)),
        neuron.LIFNode(v_threshold=0.5, step_mode="m"), layer.Linear(20, 8, step_mode="m"),
        neuron.ParametricLIFNode(step_mode="m"), layer.VotingLayer(2, step_mode="m"),
    )  # fmt: skip


def sinabs_layers():
    one = {"spike_fn": SingleSpike}
    return nn.Sequential(
        nn.Linear(CHANNELS, 20), sl.LIF(10.0, norm_input=False, **one), nn.Linear(20, 8),
        sl.ALIF(10.0, 5.0, reset_fn=MembraneReset(), spike_threshold=torch.tensor(0.3), **one),
        sl.ExpLeak(5.0),
    )  # fmt: skip


class Squeezed(nn.Module):
    """sinabs with batch and time in one axis."""

    def __init__(self):
        super().__init__()
        one = {"spike_fn": SingleSpike, "batch_size": SAMPLES}
        self.net = nn.Sequential(
            nn.Linear(CHANNELS, 20), sl.IAFSqueeze(**one), nn.Linear(20, 8),
            sl.LIFSqueeze(tau_mem=10.0, norm_input=False, **one),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class S4Model(nn.Module):
    """The arrangement of state-spaces/s4's example, with batch norms in front."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(CHANNELS, 6), nn.Linear(6, 3)
        self.s4_layers = nn.ModuleList(own_s4d.S4D(6, 4) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(6) for _ in range(2))

    def forward(self, x):
        x = self.encoder(x).transpose(-1, -2)
        for s4_layer, norm in zip(self.s4_layers, self.norms, strict=True):
            z, _ = s4_layer(norm(x))
            x = z + x
        return self.decoder(x.transpose(-1, -2).mean(dim=1))


class Recurrent(nn.Module):
    """snnTorch's recurrent neurons, states in and out."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(CHANNELS, 20), snn.RLeaky(0.9, linear_features=20)
        self.fc2, self.lif2 = nn.Linear(20, 5), snn.RSynaptic(0.5, 0.9, all_to_all=False, V=-0.5)

    def forward(self, x):
        (spk1, mem1), (spk2, syn2, mem2) = self.lif1.reset_mem(), self.lif2.reset_mem()
        out = []
        for step in range(x.size(1)):
            spk1, mem1 = self.lif1(self.fc1(x[:, step]), spk1, mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), spk2, syn2, mem2)
            out.append(spk2)
        return torch.stack(out, 1).sum(1)


class OwnLoop(nn.Module):
    """Recurrent weights of one's own around neurons of a library, with states in and out or not."""

    def __init__(self, hidden=False):
        super().__init__()
        self.fc, self.back, self.head = nn.Linear(CHANNELS, 20), nn.Linear(20, 20), nn.Linear(20, 3)
        self.lif = snn.Leaky(beta=0.9, init_hidden=hidden)

    def forward(self, x):
        spk, mem = torch.zeros(x.shape[0], 20), torch.zeros(x.shape[0], 20)
        out = []
        for step in range(x.size(1)):
            arriving = self.fc(x[:, step]) + self.back(spk)
            if self.lif.init_hidden:
                spk = self.lif(arriving)
            else:
                spk, mem = self.lif(arriving, mem)
            out.append(self.head(spk))
        return torch.stack(out, 1)


class NorseRecurrent(nn.Module):
    def __init__(self):
        super().__init__()
        p = norse.LIFParameters(v_th=torch.tensor(0.3))
        self.net = norse.SequentialState(
            norse.LIFRecurrentCell(CHANNELS, 20, p=p), nn.Linear(20, 5), norse.LICell()
        )

    def forward(self, x):
        state, out = None, []
        for t in range(x.shape[1]):
            y, state = self.net(x[:, t], state)
            out.append(y)
        return torch.stack(out, 1)


class NorseFedBack(nn.Module):
    """A sequence whose own output is added to its next input."""

    def __init__(self):
        super().__init__()
        p = norse.LIFParameters(v_th=torch.tensor(0.3))
        self.net = norse.RecurrentSequential(nn.Linear(CHANNELS, CHANNELS), norse.LIFCell(p))
        self.head = nn.Linear(CHANNELS, 3)

    def forward(self, x):
        state, total = None, 0
        for t in range(x.shape[1]):
            y, state = self.net(x[:, t], state)
            total = total + y
        return self.head(total / x.shape[1])


def jelly_recurrent():
    inner = nn.Sequential(nn.Linear(20, 16), neuron.LIFNode(v_threshold=0.5))
    return nn.Sequential(
        layer.Linear(CHANNELS, 20, step_mode="m"),
        layer.LinearRecurrentContainer(inner, 20, 16, step_mode="m"), layer.Delay(2, step_mode="m"),
        layer.ElementWiseRecurrentContainer(
            neuron.IFNode(v_reset=None), lambda y, x: x - y, step_mode="m"
        ),
    )  # fmt: skip


def sinabs_recurrent():
    back = nn.Sequential(nn.Flatten(), nn.Linear(20, 20), nn.Unflatten(1, (20,)))
    return nn.Sequential(
        nn.Linear(CHANNELS, 20),
        sl.LIFRecurrent(10.0, back, norm_input=False, spike_fn=SingleSpike),
        nn.Linear(20, 8), sl.IAFRecurrent(nn.Linear(8, 8, bias=False), spike_fn=SingleSpike),
    )  # fmt: skip


NETWORKS = {
    "snnTorch, recurrent": (Recurrent, {}),
    "snnTorch, recurrent by hand": (OwnLoop, {}),
    "snnTorch, recurrent by hand, hidden states": (lambda: OwnLoop(True), {}),
    "Norse, recurrent": (NorseRecurrent, {}),
    "Norse, RecurrentSequential": (NorseFedBack, {}),
    "SpikingJelly, recurrent containers": (jelly_recurrent, {"layout": "tbf"}),
    "sinabs, recurrent": (sinabs_recurrent, {}),
    "snnTorch, hidden states": (Hidden, {}),
    "snnTorch, states in and out": (Explicit, {}),
    "Norse, SequentialState": (NorseLoop, {}),
    "SpikingJelly, single steps": (JellyLoop, {}),
    "SpikingJelly, all steps at once": (jelly_at_once, {"layout": "tbf"}),
    "sinabs": (sinabs_layers, {}),
    "sinabs, squeezed": (Squeezed, {}),
    "state-spaces/s4": (S4Model, {}),
}


def answers(net, x, graph):
    """The library's own answer on real numbers, and the float graph's at the last step."""
    functional.reset_net(net)
    sinabs.reset_states(net)
    reset_states(net)
    with torch.no_grad():
        expected = net(x).double().numpy()
    frac = graph.nodes["input"].out.frac
    sequences = x if x.shape[0] == SAMPLES else x.transpose(0, 1)
    ints = np.rint(sequences.double().numpy() * 2.0**frac).astype(np.int64)
    return expected, ints, run(graph, ints, "float", "outputs").values["output"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_exports_proves_itself_and_runs_on_integers(name):
    make, options = NETWORKS[name]
    torch.manual_seed(0)
    net, x = loud(make()), example()
    x = x.transpose(0, 1).contiguous() if options else x
    graph = from_torch(net, x, converters=foreign_converters(), **options)
    expected, ints, found = answers(net, x, graph)
    assert np.abs(expected).max() > 0
    if expected.ndim == 2:  # an answer a sequence
        found = found[:, -1]
    elif options:
        found = np.swapaxes(found, 0, 1)
    atol = 0.05 if name == "state-spaces/s4" else 1e-4  # the segments of GELU and sigmoid
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol * np.abs(expected).max())
    integer = Quantize()(graph, calibrate(graph, run(graph, ints, "float", "outputs")))
    both = [run(integer, ints, e, "all").values for e in ("reference", "fast")]
    for node in both[0]:
        np.testing.assert_array_equal(both[0][node], both[1][node])


RETURN_STATES = {
    "snnTorch, spikes and membranes": (Tutorial, {}, "'lif2'"),
    "Norse, SequentialState over time": (norse_at_once, {"layout": "tbf"}, "'1', '3'"),
    "Norse, lifted": (lambda: norse_at_once(True), {"layout": "tbf"}, "'lifted_module.1'"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RETURN_STATES)
def test_states_that_networks_return_are_left_out_and_said(name):
    make, options, cells = RETURN_STATES[name]
    torch.manual_seed(0)
    net, x = loud(make()), example()
    given = x.transpose(0, 1).contiguous() if options else x
    with pytest.warns(NeurossmWarning, match=f"those of {cells}"):
        graph = from_torch(net, given, **options)
    assert graph.outputs == ("output",)
    frac = graph.nodes["input"].out.frac
    ints = np.rint(x.double().numpy() * 2.0**frac).astype(np.int64)
    found = run(graph, ints, "float", "outputs").values["output"]
    reset_states(net)
    with torch.no_grad():
        expected = net(given)[0].double().numpy()
    expected = np.swapaxes(expected, 0, 1) if options else expected
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("last", [False, True])
def test_a_sequential_of_hidden_states_is_one_step(last):
    net = loud(nn.Sequential(
        nn.Linear(CHANNELS, 20), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(20, 5),
        snn.Leaky(beta=0.9, init_hidden=True, output=last),
    ))  # fmt: skip
    if last and not WIRED:
        pytest.skip("from_torch takes what is returned beside the output for a state")
    graph = from_torch(net, example(), step=True, converters=foreign_converters())
    assert list(graph.nodes) == ["input", "0", "1", "2", "3", "output"]


def test_a_network_of_one_step_that_is_given_all_steps_says_so():
    net = loud(nn.Sequential(nn.Linear(CHANNELS, 20), snn.Leaky(beta=0.9, init_hidden=True)))
    with pytest.raises(GraphError, match=r"module '1' \(Leaky\).*takes one step.*step=True"):
        from_torch(net, example())


@wired
def test_a_membrane_that_is_never_reset_can_be_the_answer():
    graph = from_torch(loud(Explicit("none")), example())
    assert "lif2.mem" in graph.nodes
    assert "lif2" not in graph.nodes


@wired
@pytest.mark.parametrize("make", [Hidden, JellyLoop, sinabs_layers])
def test_a_module_that_ran_before_begins_anew(make):
    net = loud(make())
    net(example(1))  # with gradients, as after training
    from_torch(net, example())


@wired
@pytest.mark.parametrize("kind", [neuron.EIFNode, neuron.QIFNode])
def test_what_a_graph_does_not_hold_is_refused_by_its_own_path(kind):
    net = nn.Sequential(nn.Linear(CHANNELS, 6), kind(step_mode="m")).eval()
    with pytest.raises(GraphError, match=r"module '1'.*train with LIFNode"):
        from_torch(net, example().transpose(0, 1).contiguous(), layout="tbf")


FOLLOWED = {
    "SpikingJelly KLIFNode": lambda: neuron.KLIFNode(step_mode="m", v_threshold=0.5),
    "sinabs ALIFRecurrent": lambda: sl.ALIFRecurrent(
        tau_mem=5.0, tau_adapt=5.0, rec_connect=nn.Linear(CHANNELS, CHANNELS, bias=False),
        spike_fn=SingleSpike, norm_input=False,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_neuron_without_a_converter_is_followed_where_it_loops_over_time(name):
    torch.manual_seed(2)
    net = loud(nn.Sequential(nn.Linear(CHANNELS, CHANNELS), FOLLOWED[name]()))
    layout = "tbf" if "Jelly" in name else "btf"
    x = example() if layout == "btf" else example().transpose(0, 1).contiguous()
    graph = from_torch(net, x, layout=layout)
    assert graph.loops
    expected, ints, found = answers(net, x, graph)
    found = np.swapaxes(found, 0, 1) if layout == "tbf" else found
    assert 0.02 < expected.mean() < 0.98
    np.testing.assert_array_equal(found, expected)
    integer = Quantize()(graph, calibrate(graph, run(graph, ints, "float", "outputs")))
    both = [run(integer, ints, e, "all").values for e in ("reference", "fast")]
    for node in both[0]:
        np.testing.assert_array_equal(both[0][node], both[1][node])
