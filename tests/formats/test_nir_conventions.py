"""What a convention says of a membrane: its float32 origin, its comparison, what tools write."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from small_nir import as_snntorch_writes, chain, imported, one_neuron, outputs, single

from neurossm.errors import GraphError
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading
from neurossm_converters.formats.nir.rates import leaks, least, simplest

LEAKY = {"tau": 10.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}


# -- float32 ---------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, 0.25, 0.5, 0.75, 0.875, 0.9375, 0.9, 0.99951171875, 1.0])
def test_beta_comes_back_as_it_was_and_the_gain_is_1(beta):
    node = imported(as_snntorch_writes(beta), "snntorch").nodes["lif"]
    exact = beta * 4096 % 1 == 0
    assert node.tau[0] == beta if exact else abs(node.tau[0] - np.float32(beta)) <= 2**-23
    # nothing between the threshold and the next number that a membrane of float32 can hold
    assert 1 < node.theta[0] < np.nextafter(np.float32(1), np.float32(2))


def test_a_membrane_at_the_threshold_of_snntorch_does_not_spike():
    graph = imported(as_snntorch_writes(0.5), "snntorch")
    inputs = np.array([[1.0], [0], [0], [0], [0], [0], [1], [1]])
    assert list(outputs(graph, inputs)[:, 0]) == [0, 0, 0, 0, 0, 0, 1, 0]  # 1 1/2 ... 1+1/64! 1


@pytest.mark.parametrize(("tau", "unit", "decay"), [(0.002, "s", 0.5), (0.008, "s", 0.875)])
def test_time_constants_of_float32_are_what_they_were_meant_to_be(tau, unit, decay):
    fields = single(**(LEAKY | {"tau": tau}))
    node = imported(chain(nir.LIF(**fields)), "euler", dt=1e-3, tau_unit=unit).nodes["lif"]
    assert node.tau[0] == decay and node.theta[0] == np.nextafter(1 / (1 - decay), np.inf)
    # of float64 they are what they are
    wide = {name: value.astype(np.float64) for name, value in fields.items()}
    node = imported(chain(nir.LIF(**wide)), "euler", dt=1e-3, tau_unit=unit).nodes["lif"]
    assert node.tau[0] == 1 - 1e-3 / float(np.float32(tau)) != decay


def test_a_slow_leak_is_no_rounding():
    steps = neurossm_nir.Convention("snntorch", 1e-4, 1e-4, "s")
    keep, share = leaks(steps, np.array([1e-4 * 2.0**22]), 2.0**-22)
    assert keep[0] < 1 and share[0] == pytest.approx(2.0**-22, rel=0.3)
    slack = np.full(3, 1e-7)
    assert list(simplest(np.array([0.50000005, 0.3, 1e-8]), slack)) == [0.5, 0.3, 1e-8]


def test_thresholds_by_either_comparison():
    three = np.array([2.0, 0.75, np.inf])
    gain = np.array([0.5, 1.0, 1.0])
    largest = np.finfo(np.float64).max
    assert list(least(three, gain, "ge", single=False)) == [4, 0.75, largest]
    assert list(least(three, gain, "gt", single=False)) == [
        np.nextafter(4, 5), np.nextafter(0.75, 1), largest
    ]  # fmt: skip
    below, above = least(three, gain, "ge", single=True), least(three, gain, "gt", single=True)
    middles = np.array([4 - 2.0**-23, 0.75 - 2.0**-25]), np.array([4 + 2.0**-22, 0.75 + 2.0**-25])
    for found, middle in zip((below, above), middles, strict=True):
        assert list(found[:2]) == list(np.nextafter(middle, 5)) and found[2] == largest


@pytest.mark.parametrize(
    ("convention", "spikes"),
    [("sinabs", [0, 1, 0, 1, 0, 1, 0, 1]), ("norse", [0, 0, 1, 0, 0, 1, 0, 0])],
)
def test_weight_4_and_threshold_8(convention, spikes):
    net = chain(nir.Linear(np.array([[4.0]])), nir.IF(**single(r=1, v_threshold=8, v_reset=0)))
    assert list(outputs(imported(net, convention, dt=1e-3), np.ones((8, 1)))[:, 0]) == spikes


# -- what single tools write -----------------------------------------------------


def test_another_step_of_spikingjelly_is_refused_with_the_one_that_was_written():
    ones = np.ones(1)
    written = 1e-3  # export_to_nir(..., dt=1e-3)
    for node in (
        nir.IF(r=ones / written, v_threshold=ones, v_reset=0 * ones),
        nir.LIF(2 * written * ones, 2 * ones, 0 * ones, ones, 0 * ones),  # decay_input=False
    ):
        with pytest.raises(GraphError, match=r"--dt 0\.001"):
            imported(chain(node), "spikingjelly")
        assert imported(chain(node), "spikingjelly", dt=1e-3).dt == 1e-3


def test_another_step_of_rockpool_is_refused_with_one_that_is_near():
    dt, tau = 2e-3, 2e-2
    fields = single(tau=tau, r=tau * np.exp(-dt / tau) / dt, v_leak=0, v_threshold=1, v_reset=0)
    net = chain(nir.LIF(**fields))
    with pytest.raises(GraphError, match=r"tau exp\(-dt/tau\) / dt, got .* --dt 0\.002"):
        imported(net, "rockpool")
    node = imported(net, "rockpool", dt=dt).nodes["lif"]
    assert node.tau[0] == pytest.approx(np.exp(-dt / tau)) and node.reset == "soft"
    assert node.theta[0] == 1  # the input is added as it is, and a tie spikes


def test_a_synapse_that_forgets_at_once_or_never():
    def net(alpha: float) -> nir.NIRGraph:
        dt, one = np.float32(1e-4), np.float32(1)
        with np.errstate(divide="ignore"):
            tau = np.array([dt / (one - np.float32(alpha))])
        fields = single(tau_mem=2e-4, r=2, v_leak=0, v_threshold=1, v_reset=0)
        return chain(nir.CubaLIF(tau_syn=tau, w_in=tau / dt, **fields))

    graph = imported(net(0.0), "snntorch")
    # the membrane is half of itself and the spike: 1, 1.5!, 0
    assert list(outputs(graph, np.array([[1.0], [1], [0]]))[:, 0]) == [0, 1, 0]
    with pytest.raises(
        GraphError, match=r"tau_syn: expected a state .* got a time constant of inf"
    ):
        imported(net(1.0), "snntorch")


def test_the_meta_data_say_what_was_decided(tmp_path: Path):
    nir.write(tmp_path / "net.nir", one_neuron("LIF", **LEAKY))
    reading = Reading("exact", 1e-3, resets={"n": "none"}, compare="ge")
    meta = neurossm_nir.read(tmp_path / "net.nir", reading).graph.meta
    assert (meta["reset"], meta["compare"]) == ("nir n=none", "ge")
    assert meta["convention"].startswith("exact: exact steps of 0.001 s, time constants in ms")
