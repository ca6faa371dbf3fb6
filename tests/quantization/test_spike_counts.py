"""Integer neurons spike as often as real ones, or quantizing names them: kinds, leaks, rates.

Time constants from 1 to 10,000 steps, weights over six decades, rates from 0.1 to 50%, 20,000
steps. The float counts are checked against a simulation that is written out here.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.metrics.spike_losses import spike_losses
from neurossm.nodes import (
    LIF,
    AdaptiveLIF,
    AdaptiveThreshold,
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    ResonateAndFire,
    TernaryThreshold,
    Threshold,
)
from neurossm.quantization import Loss, Quantize, calibrate

C, INS, STEPS, SHORT = 24, 8, 20_000, 4000
Reals = np.ndarray


def simulate(u: Reals, theta: Reals, tau: Reals, rho: Reals, kappa: Reals, reset: str) -> Reals:
    """Return the spikes of membranes that receive ``(T, C)``; parameters ``(..., C)``."""
    v, r, n = np.zeros((3, *theta.shape))
    for y in u:
        v = tau * v + y
        spikes = v - r >= theta
        n += spikes
        r = rho * r + kappa * spikes
        v = np.where(spikes, {"hard": 0 * v, "soft": v - theta, "none": v}[reset], v)
    return n


def synapses(rng: np.random.Generator, exact: bool) -> Reals:
    """Return weights of six decades, a few of them negative; `exact`: with mantissas of 8 bits."""
    weight = 10 ** rng.uniform(-3, 3, (C, 1)) * np.abs(rng.normal(size=(C, INS)))
    weight *= rng.choice([1, 1, 1, -1], (C, INS))
    weight *= np.sign(weight.sum(axis=1, keepdims=True))
    unit = 2.0 ** np.ceil(np.log2(np.abs(weight).max(axis=1, keepdims=True) / 127.49))
    return np.rint(weight / unit) * unit if exact else weight


def spikes(rng: np.random.Generator, rates: Reals, samples: int = 1) -> np.ndarray:
    return (rng.random((samples, STEPS, len(rates))) < rates).astype(int)


def adapt(u: Reals, node: AdaptiveLIF, theta: Reals, jumps: Reals) -> Reals:
    """Return the spikes of neurons that adapt, with these thresholds and jumps ``(..., C)``."""
    v, w, n = np.zeros((3, *theta.shape))
    for y in u:
        v = node.tau * v + y - w
        spiked = v >= theta
        n += spiked
        after = np.where(spiked, {"hard": 0 * v, "soft": v - theta, "none": v}[node.reset], v)
        w = node.rho * w + node.a * (v if node.adapts_on == "before" else after) + jumps * spiked
        v = after
    return n


def resonate(d: np.ndarray, pole: np.ndarray, theta: Reals, reset: str) -> Reals:
    """Return the spikes of resonators that receive complex ``(T, C)``."""
    z, n = np.zeros(theta.shape, complex), np.zeros(theta.shape)
    for drive in d:
        z = pole * z + drive
        spiked = z.real >= theta
        n += spiked
        z = z - theta * spiked if reset == "soft" else z
    return n


def chosen(found: Reals, tried: Reals, wanted: Reals) -> Reals:
    """Return for each neuron the threshold, of those tried, whose rate is next to that wanted."""
    nearest = np.argmin(np.abs(np.log((found + 1e-4) / wanted)), axis=0)
    return tried[nearest, np.arange(C)]


def behind_synapses(weight: Reals, node: Node) -> Graph:
    """Return a graph of spikes, synapses, and the neurons."""
    nodes: dict[str, Node] = {
        "in": Input(channels=INS, out=Fixed.binary()),
        "fc": Affine(weight=weight, bias=np.zeros(len(weight))), "node": node,
        "out": Output(channels=C),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)))


def network(seed: int, reset: str, trace: bool, exact: bool) -> tuple[Graph, Reals]:
    """Return a layer whose thresholds give rates of 0.1 to 50%, and the rates of its inputs."""
    rng = np.random.default_rng(seed)
    tau, weight = 1 - 10 ** -rng.uniform(0, 4, C), synapses(rng, exact)
    rates = 10 ** rng.uniform(-2, -0.3, INS)
    u = spikes(rng, rates)[0, :SHORT] @ weight.T
    wanted = 10 ** rng.uniform(-3, np.log10(0.5), C)
    tried = np.abs(weight).max(axis=1) * 10 ** np.linspace(-1, 2.5, 40)[:, None]
    tried = tried * (1 - tau) ** -0.3
    rho = np.where(rng.random(C) < 0.5, 0.999 * tau, 0.9) * trace
    found = simulate(u, tried, tau, rho, 0.3 * trace * tried, reset) / SHORT
    theta = chosen(found, tried, wanted)
    node = LIF(theta=theta, tau=tau, rho=rho, kappa=0.3 * trace * theta, reset=reset)
    graph = behind_synapses(weight, node)
    inputs = spikes(rng, rates)[:, :300]
    expected = simulate(inputs[0] @ weight.T, theta, tau, rho, node.kappa, reset)
    np.testing.assert_allclose(counts(graph, inputs), expected, atol=1)
    return graph, rates


def adaptive(seed: int, reset: str, side: str) -> tuple[Graph, Reals]:
    """Return neurons that adapt as those of SiLIF do: membranes of 3 to 1,000 steps, rho too."""
    rng = np.random.default_rng(seed)
    tau, rho = 1 - 10 ** -rng.uniform(0.155, 3, C), 1 - 10 ** -rng.uniform(0.3, 3, C)
    weight, rates = synapses(rng, exact=True), 10 ** rng.uniform(-2, -0.3, INS)
    u = spikes(rng, rates)[0, :SHORT] @ weight.T
    wanted = 10 ** rng.uniform(-3, np.log10(0.5), C)
    tried = np.abs(weight).max(axis=1) * 10 ** np.linspace(-1, 2.5, 40)[:, None]
    tried = tried * (1 - tau) ** -0.3
    a, b = (1 - tau) * rng.uniform(0, 1, C), (1 - tau) * rng.uniform(0, 2, C)
    node = AdaptiveLIF(theta=np.ones(C), tau=tau, rho=rho, a=a, b=b, reset=reset, adapts_on=side)
    theta = chosen(adapt(u, node, tried, b * tried) / SHORT, tried, wanted)
    graph = behind_synapses(weight, replace(node, theta=theta, b=b * theta))
    inputs = spikes(rng, rates)[:, :300]
    expected = adapt(inputs[0] @ weight.T, node, theta, b * theta)
    np.testing.assert_allclose(counts(graph, inputs), expected, atol=1)
    return graph, rates


def resonators(seed: int, reset: str, drive: str) -> tuple[Graph, Reals]:
    """Return resonators of any angle, half of them slow, whose magnitudes are 0.5 to 0.999."""
    rng, both = np.random.default_rng(seed), drive == "complex"
    angle = rng.uniform(-np.pi, np.pi, C) * rng.choice([1, 0.1], C)
    pole = (1 - 10 ** -rng.uniform(0.3, 3, C)) * np.exp(1j * angle)
    weight = synapses(rng, exact=True)
    if both:  # imaginary parts as large as the real ones
        imag = synapses(rng, exact=True)
        size = [np.abs(part).max(axis=1) for part in (weight, imag)]
        imag *= np.exp2(np.round(np.log2(size[0] / size[1])))[:, None]
        weight = np.concatenate([weight, imag])
    rates = 10 ** rng.uniform(-2, -0.3, INS)

    def drives(u: Reals) -> np.ndarray:
        parts = u @ weight.T
        return parts[:, :C] + 1j * parts[:, C:] if both else parts

    wanted = 10 ** rng.uniform(-3, np.log10(0.5), C)
    tried = np.abs(weight[:C]).max(axis=1) * 10 ** np.linspace(-1, 2.5, 40)[:, None]
    tried = tried * (1 - np.abs(pole)) ** -0.3
    found = resonate(drives(spikes(rng, rates)[0, :SHORT]), pole, tried, reset) / SHORT
    theta = chosen(found, tried, wanted)
    node = ResonateAndFire(a_re=pole.real, a_im=pole.imag, theta=theta, reset=reset, drive=drive)
    graph, inputs = behind_synapses(weight, node), spikes(rng, rates)[:, :300]
    expected = resonate(drives(inputs[0]), pole, theta, reset)
    np.testing.assert_allclose(counts(graph, inputs), expected, atol=1)
    return graph, rates


def counts(graph: Graph, inputs: np.ndarray) -> Reals:
    engine = "fast" if graph.is_integer else "float"
    return np.abs(run(graph, inputs, engine).values["out"]).sum(axis=(0, 1))


def wrong(graph: Graph, integer: Graph, inputs: np.ndarray, share: float = 0.05) -> set[int]:
    """Return the neurons that are off by 5% and by more than 3 spikes."""
    expected, found = counts(graph, inputs), counts(integer, inputs)
    return set(np.flatnonzero(np.abs(found - expected) > np.maximum(3, share * expected)).tolist())


def named(losses: tuple[Loss, ...]) -> set[int]:
    return {channel for loss in losses for channel in loss.channels}


LAYERS = list(product(LIF.resets, (False, True)))
ADAPTIVE = list(product(AdaptiveLIF.resets, AdaptiveLIF.sides))
RESONATORS = list(product(ResonateAndFire.resets, ResonateAndFire.drives))


@pytest.mark.parametrize(("reset", "trace"), LAYERS)
def test_what_weights_of_8_bits_can_say_is_computed_or_named(reset, trace):
    """Membranes, traces, leaks and thresholds by themselves."""
    seen = 0
    for seed in range(3):
        graph, rates = network(seed, reset, trace, exact=True)
        inputs, others = (spikes(np.random.default_rng(s), rates) for s in (100 + seed, 200 + seed))
        made = Quantize().explained(graph, calibrate(graph, run(graph, inputs, "float")))
        assert {loss.what for loss in made.losses} <= {"membrane", "trace", "tau", "rho"}
        for data in (inputs, others):
            assert wrong(graph, made.graph, data) <= named(made.losses)
        seen += len(named(made.losses))
    assert seen <= 0.15 * 3 * C  # it is not by naming everything


@pytest.mark.parametrize(("reset", "side"), ADAPTIVE)
def test_neurons_that_adapt_spike_as_often_and_nothing_is_named(reset, side):
    for seed in range(2):
        graph, rates = adaptive(seed, reset, side)
        inputs, others = (spikes(np.random.default_rng(s), rates) for s in (100 + seed, 200 + seed))
        made = Quantize().explained(graph, calibrate(graph, run(graph, inputs, "float")))
        assert named(made.losses) == set()
        assert wrong(graph, made.graph, inputs) == wrong(graph, made.graph, others) == set()


@pytest.mark.parametrize(("reset", "drive"), RESONATORS)
def test_resonators_spike_as_often_or_are_named(reset, drive):
    """Over ten sequences: a slow resonator spikes in few bursts, each moved by whatever rounds."""
    graph, rates = resonators(0, reset, drive)
    first, others = (spikes(np.random.default_rng(s), rates, n) for s, n in ((100, 1), (200, 10)))
    made = Quantize().explained(graph, calibrate(graph, run(graph, first, "float")))
    assert {loss.what for loss in made.losses} <= {"state", "poles"}
    assert wrong(graph, made.graph, others) <= named(made.losses)
    assert len(named(made.losses)) <= 0.15 * C


@pytest.mark.parametrize(("reset", "trace"), LAYERS)
def test_weights_that_8_bits_round_too_far_are_named_with_the_width_that_would_do(reset, trace):
    graph, rates = network(5, reset, trace, exact=False)
    inputs, others = (spikes(np.random.default_rng(s), rates) for s in (105, 205))
    made = Quantize().explained(graph, calibrate(graph, run(graph, inputs, "float")))
    measured = spike_losses(graph, check(graph, made.graph, inputs).end_to_end, inputs)
    losses = named((*made.losses, *measured))
    assert wrong(graph, made.graph, inputs) <= named(measured)
    assert wrong(graph, made.graph, others) <= losses
    assert len(losses) <= 0.5 * C
    for loss in measured:  # on real numbers, as no integer network has weights so wide
        assert loss.node == "node" and 8 < loss.bits <= 16 and loss.setting == ""


def comparing(kind: type[Node], theta: Reals, rng: np.random.Generator) -> Node:
    """Return nodes with these thresholds; candidates raise them by up to half, for five steps."""
    if kind is TernaryThreshold:
        return TernaryThreshold(delta=theta)
    if kind is Threshold:
        return Threshold(theta=theta)
    theta = np.abs(theta)
    return AdaptiveThreshold(theta=theta, taps=theta[:, None] * rng.uniform(0, 0.5, (C, 5)))


@pytest.mark.parametrize("kind", [Threshold, AdaptiveThreshold, TernaryThreshold])
@pytest.mark.parametrize(("slowest", "decades"), [(1.5, 1), (4, 6)])
def test_thresholds_behind_state_space_models(kind, slowest, decades):
    """Messages of a node share an exponent, and poles have 16 bits: six decades are too many."""
    rng = np.random.default_rng(3)
    shape = (C, 2)
    pole = (1 - 10 ** -rng.uniform(0.3, slowest, shape)) * np.exp(
        1j * rng.uniform(-0.3, 0.3, shape)
    )
    b = (1 - np.abs(pole)) * 10 ** rng.uniform(0, decades, (C, 1))
    c = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    zeros = np.zeros(shape)
    ssm = DiagonalSSM(a_re=pole.real, a_im=pole.imag, b_re=b, b_im=zeros, c_re=c.real, c_im=c.imag,
                      d=np.zeros(C), drive_re=zeros, drive_im=zeros, bias=np.zeros(C),
                      step_size=np.ones(C), method="zoh")  # fmt: skip
    inputs = [spikes(np.random.default_rng(s), np.full(C, 0.2)) for s in (1, 2)]
    nodes: dict[str, Node] = {"in": Input(channels=C, out=Fixed.binary()), "ssm": ssm}
    alone = Graph({**nodes, "out": Output(channels=C)}, (("in", "ssm"), ("ssm", "out")))
    y = run(alone, inputs[0], "float").values["out"][0]
    rates = 1 - 10 ** rng.uniform(-3, np.log10(0.5), C)
    theta = np.array([np.quantile(np.abs(y[:, h]) if kind is TernaryThreshold else y[:, h], rate)
                      for h, rate in enumerate(rates)])  # fmt: skip
    nodes |= {"node": comparing(kind, theta, rng), "out": Output(channels=C)}
    graph = Graph(nodes, tuple(pairwise(nodes)))
    made = Quantize().explained(graph, calibrate(graph, run(graph, inputs[0], "float")))
    measured = spike_losses(graph, check(graph, made.graph, inputs[0]).end_to_end, inputs[0])
    assert wrong(graph, made.graph, inputs[0]) <= named(measured)
    # gains of 8 bits move the tails of a distribution: some by a bit less there and more here
    assert wrong(graph, made.graph, inputs[1], 0.1) <= named((*measured, *made.losses))
    assert len(named(measured)) <= 0.6 * C


def test_counts_that_agree_are_not_named_and_the_worst_is_said():
    graph, rates = network(0, "hard", False, exact=True)
    inputs = spikes(np.random.default_rng(0), rates)
    ends = check(graph, Quantize()(graph, calibrate(graph, run(graph, inputs, "float"))), inputs)
    assert not named(spike_losses(graph, ends.end_to_end)) - {9}
    end = ends.end_to_end["node"]
    end.found[3], end.expected[3], end.found[5], end.expected[5] = 130, 100, 103, 100
    (loss,) = spike_losses(graph, {"node": end})
    assert 3 in loss.channels and 5 not in loss.channels and loss.bits is None
    assert "100 became 130 in channel 3" in loss.reason


def test_neurons_with_a_complex_drive_are_told_the_width_that_keeps_their_spikes():
    # of 8 bits, 0.4 beside 64 vanishes: the unit is 1
    weight = np.zeros((4, 2))
    weight[:2] = [[0.4, -64.0], [2.0, -2.0]]  # the real parts; nothing drives the imaginary ones
    half = np.full(2, 0.5)
    neurons = ResonateAndFire(a_re=half, a_im=0 * half, theta=half, reset="none", drive="complex")
    graph = Graph(
        {"input": Input(channels=2, out=Fixed.binary()), "n": neurons,
         "fc": Affine(weight=weight, bias=np.zeros(4)), "output": Output(channels=2)},
        (("input", "fc"), ("fc", "n"), ("n", "output")),
    )  # fmt: skip
    inputs = np.zeros((1, 200, 2), dtype=np.int64)
    inputs[:, :, 0] = 1  # z grows to 0.4 / (1 - 0.5) = 0.8, and spikes from the second step on
    ends = {"n": SimpleNamespace(found=np.array([0.0, 200.0]), expected=np.array([199.0, 200.0]))}
    (loss,) = spike_losses(graph, ends, inputs)
    # with 9 bits the unit is 1/2, and so is the weight: it spikes at the first step, too
    assert (loss.node, loss.channels, loss.bits) == ("n", (0,), 9)
