"""Convolutions between neurons of snnTorch, sinabs and SpikingJelly, each as its library has it."""

import numpy as np
import pytest
import sinabs
import snntorch as snn
import torch
from sinabs import layers as sl
from sinabs.activation import SingleSpike
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import LIF, Conv2d
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.formats.torch.foreign import reset_states

SAMPLES, STEPS, SPACE = 2, 12, (2, 8, 8)


def events(seed=0):
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(SAMPLES, STEPS, *SPACE, generator=random) < 0.3).float()


class SnnTorch(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.l1 = nn.Conv2d(2, 4, 3), snn.Leaky(beta=0.9, threshold=0.3)
        self.pool, self.c2 = nn.AvgPool2d(2), nn.Conv2d(4, 3, 2)
        self.l2 = snn.Leaky(beta=0.8, threshold=0.2, reset_mechanism="zero")
        self.fc, self.l3 = nn.Linear(12, 5), snn.Leaky(beta=0.5, threshold=0.3)

    def forward(self, x):
        m1, m2, m3 = (lif.init_leaky() for lif in (self.l1, self.l2, self.l3))
        out = []
        for t in range(x.shape[1]):
            a, m1 = self.l1(self.c1(x[:, t]), m1)
            b, m2 = self.l2(self.c2(self.pool(a)), m2)
            c, m3 = self.l3(self.fc(b.flatten(1)), m3)
            out.append(c)
        return torch.stack(out, 1)


class Sinabs(nn.Module):
    def __init__(self):
        super().__init__()
        one = {"batch_size": SAMPLES, "spike_fn": SingleSpike}
        self.net = nn.Sequential(
            nn.Conv2d(2, 4, 3, bias=False), sl.IAFSqueeze(**one), sl.SumPool2d(2),
            nn.Conv2d(4, 3, 2),
            sl.LIFSqueeze(tau_mem=5.0, spike_threshold=torch.tensor(0.1), **one),
            nn.Flatten(), nn.Linear(12, 5),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Jelly(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            layer.Conv2d(2, 4, 3, bias=False), layer.BatchNorm2d(4),
            neuron.LIFNode(v_threshold=0.2),
            layer.AvgPool2d(2), layer.Conv2d(4, 3, 2), neuron.IFNode(v_threshold=0.3),
            layer.Flatten(), layer.Linear(12, 5),
        )  # fmt: skip
        functional.set_step_mode(self.net, "m")

    def forward(self, x):
        return self.net(x.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize("kind", [SnnTorch, Sinabs, Jelly])
def test_a_network_over_space_is_its_graph_and_its_integers_run(kind):
    torch.manual_seed(3)
    model = kind().eval()
    graph = from_torch(model, events())
    kinds = [type(node) for node in graph.nodes.values()]
    assert kinds.count(Conv2d) == 3 and LIF in kinds
    other, frac = events(1), graph.nodes["input"].out.frac
    given = {"input": (other.numpy() * 2.0**frac).reshape(SAMPLES, STEPS, -1).astype(np.int64)}
    reset_states(model)
    with torch.no_grad():
        expected = model(other).double().numpy()
    found = run(graph, given, "float")
    np.testing.assert_allclose(found.values["output"], expected, atol=1e-5)
    assert np.ptp(expected) > 0
    integers = Quantize()(graph, calibrate(graph, found))
    fast, reference = (run(integers, given, engine) for engine in ("fast", "reference"))
    np.testing.assert_array_equal(fast.values["output"], reference.values["output"])
    sinabs.reset_states(model)


def test_max_pooling_is_named_where_it_stands():
    net = nn.Sequential(layer.Conv2d(2, 4, 3), layer.MaxPool2d(2), neuron.LIFNode())
    functional.set_step_mode(net, "m")
    with pytest.raises(GraphError, match=r"module '1' \(MaxPool2d\).*nn\.AvgPool2d"):
        from_torch(net.eval(), events().transpose(0, 1), layout="tbfff")
