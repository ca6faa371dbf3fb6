"""Time constants that make sense in one unit only, and what is said where they do in another."""

from __future__ import annotations

import re
from pathlib import Path

import nir
import numpy as np
import pytest
from small_nir import as_snntorch_writes, chain, imported, one_neuron, outputs, single

from neurossm.errors import GraphError, InputError
from neurossm_converters.formats import nir as neurossm_nir

LEAKY = {"tau": 10.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}


def as_norse(way: str, rate: float, dt: float = 1e-3) -> nir.NIRGraph:
    tau = (dt if way == "norse-dt" else 1.0) / rate
    fields = single(tau=tau, r=1, v_leak=0, v_threshold=0.1, v_reset=0)
    return chain(nir.Linear(np.ones((1, 1))), nir.LIF(**fields))


@pytest.mark.parametrize("way", ["norse-dt", "norse-s"])
@pytest.mark.parametrize(
    ("rate", "dt"), [(100.0, 1e-3), (400.0, 1e-4), (50.0, 1e-4), (900.0, 1e-3)]
)
def test_norse_is_read_in_the_way_in_which_it_was_written(way, rate, dt):
    graph = imported(as_norse(way, rate, dt), "norse", dt=dt)
    assert graph.nodes["lif"].tau[0] == pytest.approx(1 - rate * dt, rel=1e-6)
    named = imported(as_norse(way, rate, dt), way, dt=dt)
    assert named.nodes["lif"] == graph.nodes["lif"]


def test_the_five_spikes_of_a_file_of_norses_main_branch():
    inputs = np.zeros((100, 1))
    inputs[::5] = 1
    v, expected = 0.0, 0
    for spike in inputs[:, 0]:  # Norse's step: v += dt tau_inv (i - v)
        v += 1e-4 * 400 * (spike - v)
        if v > 0.1:
            v, expected = 0.0, expected + 1
    found = outputs(imported(as_norse("norse-s", 400.0), "norse", dt=1e-4), inputs)
    assert int(found.sum()) == expected == 5


def test_norse_that_makes_sense_in_both_ways_is_asked_for():
    graph = as_norse("norse-s", 40.0)  # at a step of 10 ms: 0.4 of it, or 0.004
    with pytest.raises(InputError, match=r"which do in both; say --convention norse-dt .* norse-s"):
        imported(graph, "norse", dt=1e-2)
    assert imported(graph, "norse-s", dt=1e-2).nodes["lif"].tau[0] == pytest.approx(0.6)
    assert imported(graph, "norse-dt", dt=1e-2).nodes["lif"].tau[0] == pytest.approx(0.996)


def option(message: str) -> dict[str, str]:
    """Return what the first remedy of a message says, as arguments of a `Reading`."""
    words = message.split("it would make sense with ")[1].split(", or")[0].split(";")[0].split()
    names = {"--convention": "convention", "--tau-unit": "tau_unit"}
    return {names[words[i]]: words[i + 1] for i in range(0, len(words), 2)}


@pytest.mark.parametrize(
    ("tau", "r", "threshold", "reading"),
    [
        (0.02, 1.0, 1.0, {"convention": "exact"}),  # seconds taken for milliseconds
        (20.0, 1.0, 1.0, {"convention": "exact", "tau_unit": "s"}),  # and the other way around
        (20.0, 1.0, 1.0, {"convention": "snntorch"}),
        (1e-5, 1.0, 1.0, {"convention": "euler"}),  # as Norse 1.1.0 writes
        (2.5e-3, 1.0, 0.1, {"convention": "sinabs"}),
        (20.0, 1.0, 1.0, {"convention": "spikingjelly"}),
    ],
)
def test_a_time_constant_that_makes_no_sense_names_the_convention_that_would(
    tau, r, threshold, reading
):
    if reading.get("tau_unit") == "s":  # what the user said is believed
        graph = one_neuron("LIF", tau=tau, r=r, v_leak=0.0, v_threshold=threshold, v_reset=0.0)
        assert imported(graph, dt=1e-3, **reading).nodes["n"].tau[0] == np.exp(-1e-3 / 20)
        return
    graph = one_neuron("LIF", tau=tau, r=r, v_leak=0.0, v_threshold=threshold, v_reset=0.0)
    with pytest.raises(GraphError, match="it would make sense with") as caught:
        imported(graph, dt=1e-3, **reading)
    node = imported(graph, dt=1e-3, **option(str(caught.value))).nodes["n"]
    assert 0.3 < node.tau[0] < 0.9995


@pytest.mark.parametrize(
    ("tau", "reading", "insisting"),
    [
        # a second at steps of a tenth of a millisecond; or a thousand steps of sinabs
        (1e3, {"convention": "exact"}, {"convention": "exact", "tau_unit": "ms"}),
        (2.0, {"convention": "spikingjelly"}, {"convention": "euler", "tau_unit": "s"}),
    ],
)
def test_slow_neurons_that_could_be_a_mistake_can_be_insisted_on(tau, reading, insisting):
    graph = one_neuron("LIF", **(LEAKY | {"tau": tau}))
    options = " ".join(f"--{name.replace('_', '-')} {word}" for name, word in insisting.items())
    meant = f"if it is so meant, .*{options.split(' ', 2)[2]}"
    with pytest.raises(GraphError, match=f"it would make sense with .*{meant}"):
        imported(graph, dt=1e-4, **reading)
    assert 1 - 2.0**-12 < imported(graph, dt=1e-4, **insisting).nodes["n"].tau[0] < 1


def test_slow_neurons_that_are_driven_are_no_mistake():
    # 10,000 steps; r = tau / dt as snnTorch writes it, and as a network in milliseconds may have it
    assert imported(as_snntorch_writes(0.9999), "snntorch").nodes["lif"].tau[0] > 0.9998
    slow = one_neuron("LIF", **(LEAKY | {"tau": 1e4, "r": 1e4}))
    assert imported(slow, "exact", dt=1e-3).nodes["n"].theta[0] < 1.1


@pytest.mark.parametrize(("dt", "tau"), [(1e-3, [0.02, 0.01]), (0.25, [3.0, 0.1]), (5.0, [1.0])])
def test_the_step_of_rockpool_is_named_and_works(dt, tau):
    tau = np.array(tau)
    zeros = 0 * tau
    node = nir.LIF(tau=tau, r=tau / dt * np.exp(-dt / tau), v_leak=zeros, v_threshold=zeros + 1,
                   v_reset=zeros)  # fmt: skip
    graph = chain(nir.Linear(np.ones((len(tau), 1))), node)
    with pytest.raises(GraphError) as refused:
        imported(graph, "rockpool", dt=dt * 1.7)
    said = re.search(r"--dt ([0-9.e+-]+)", str(refused.value))
    assert float(said[1]) == pytest.approx(dt, rel=1e-6)
    imported(graph, "rockpool", dt=float(said[1]))


def test_where_no_step_of_rockpool_would_do_none_is_named():
    tau, zeros = np.array([0.02, 0.01]), np.zeros(2)
    node = nir.LIF(tau=tau, r=np.ones(2), v_leak=zeros, v_threshold=zeros + 1, v_reset=zeros)
    with pytest.raises(GraphError, match="no dt makes sense of it"):
        imported(chain(nir.Linear(np.ones((2, 1))), node), "rockpool", dt=1e-3)


@pytest.mark.parametrize("tool", ["snntorch", "rockpool"])
def test_neurons_that_a_tool_never_writes_are_refused(tool):
    one = np.ones(1)
    graph = chain(nir.Linear(np.ones((1, 1))), nir.IF(r=one, v_threshold=8 * one, v_reset=0 * one))
    with pytest.raises(GraphError, match=r"IF, which it never writes; .* --convention sinabs"):
        imported(graph, tool)
    imported(graph, "sinabs")


# -- no step at all --------------------------------------------------------------

FIXTURES = Path(__file__).parents[1] / "fixtures" / "nir"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("published/braille_noDelay_bias_zero", "--convention snntorch (fits "),
        ("published/braille_noDelay_noBias_subtract", "--convention snntorch (fits "),
        ("snntorch-recurrent", "--convention snntorch (fits "),
        ("snntorch-leaky-zero", "--convention snntorch or --convention spikingjelly (both fit "),
        ("norse-lif", "--convention norse-dt (fits "),
        ("sinabs-lif-scalar", "--convention sinabs (fits "),
        ("norse-iaf", "--dt, or the --convention of the tool that wrote the file"),
    ],
)
def test_who_says_nothing_is_told_the_convention_that_fits(name, told):
    with pytest.raises(InputError) as caught:
        neurossm_nir.read(FIXTURES / f"{name}.nir")
    assert f"got none; give {told}" in str(caught.value)


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        # one neuron each; gains and time constants by the formulas of the exporters
        (one_neuron("LI", tau=5e-3, r=5.0 * np.exp(-0.2), v_leak=0), "--convention rockpool (fits"),
        (one_neuron("LI", tau=5e-3, r=5.001 * np.exp(-0.2), v_leak=0), "--dt, or the"),
        (one_neuron("LI", tau=1e-2, r=1.0, v_leak=0),
         "--convention norse-s or --convention spikingjelly (both fit"),
        (one_neuron("LI", tau=5e-4, r=1.0, v_leak=0),
         "--convention norse-dt or --convention spikingjelly (both fit"),
        (one_neuron("LI", tau=0.3, r=1.0, v_leak=0),
         "--convention norse-s or --convention sinabs (both fit"),
        (one_neuron("LI", tau=2e-4, r=2.0, v_leak=0),
         "--convention snntorch or --convention spikingjelly (both"),
        (one_neuron("LI", tau=2e-4, r=2.1, v_leak=0), "--dt, or the"),
        (one_neuron("LI", tau=1e6, r=1.0, v_leak=0), "--dt, or the"),
    ],
)  # fmt: skip
def test_a_convention_is_named_by_gains_and_time_constants(graph, told):
    with pytest.raises(InputError) as caught:
        imported(graph)
    assert f"got none; give {told}" in str(caught.value)
