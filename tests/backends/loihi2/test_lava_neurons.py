"""Lava's own LIF and S4d in the bundle: what they compute, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.store import load, load_golden
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import Settings, run


@pytest.mark.parametrize(
    ("processes", "changes", "reason"),
    [
        ("lava", {"thetas": (500, 501)}, "'spike' .Threshold.*one threshold for all.*got 2"),
        ("lava", {"thetas": (0, 0)}, "'spike'.*thresholds from 1 to 131072; got 0"),
        ("spike", {"thetas": (131073, 131073)}, "'spike'.*thresholds from 1 to 131072"),
        ("lif", {"taus": (3000, 3001)}, "'lif' .LIF.*one decay for all neurons; got 2"),
        ("lif", {"reset": "soft"}, "'lif'.*resets to 0; got reset 'soft'"),
        ("lif", {"kappa": 3}, "'lif'.*no refractory variable"),
        ("lif", {"leak": 13}, "'lif'.*decays of 12 bits; got 13 .*quantize --leaks 12 "),
        ("ssm", {"drive": 1}, "'ssm' .DiagonalSSM.*no constant input; got drive_re"),
        ("mix", {}, "'mix' is a Affine.*spike, lif, ssm"),
        ("nobody", {}, "'nobody' is no node of the graph"),
    ],
)  # fmt: skip
def test_what_lava_cannot_express_is_refused_by_name(own_neurons, chip, processes, changes, reason):
    file = chip.nssm.read(str(own_neurons(**changes)))
    assert chip.lava_nodes.choose(file, "ours") == {}
    with pytest.raises(chip.refusal.Refusal, match=reason):
        chip.lava_nodes.choose(file, processes)


def test_at_the_limits_it_is_not_refused(own_neurons, chip):
    file = chip.nssm.read(str(own_neurons(thetas=(1, 1))))
    assert chip.lava_nodes.choose(file, "spike")["spike"].arguments["vth"] == 0
    file = chip.nssm.read(str(own_neurons(thetas=(131072, 131072), taus=(0, 0))))
    found = chip.lava_nodes.choose(file, "spike,lif")
    assert found["spike"].arguments["vth"] == 131071 and found["lif"].arguments["dv"] == 4096
    assert "ssm" not in found


def test_a_membrane_of_its_own_unit_has_its_threshold_in_that_of_the_input(own_neurons, chip):
    # 239,993 and 119,999 of an eighth and a quarter of a unit: 29,999.1 and 29,999.75 of it
    file = chip.nssm.read(str(own_neurons(membranes=(239993, 119999), frac=np.array([11, 10]))))
    assert chip.lava_nodes.choose(file, "lif")["lif"].arguments["vth"] == 30000 - 1


def test_parameters_that_12_bits_cannot_hold_are_refused(own_neurons, chip):
    file = chip.nssm.read(str(own_neurons(b=3, b_frac=14)))  # 3 / 2**14 is below 2**-12
    with pytest.raises(chip.refusal.Refusal, match=r"'ssm'.*12 bits of fraction; got 1 b below"):
        chip.lava_nodes.choose(file, "ssm")
    file = chip.nssm.read(str(own_neurons(b=4, b_frac=14)))
    assert chip.lava_nodes.choose(file, "ssm")["ssm"].arguments["b"][0] == 2.0**-12


def test_messages_that_would_wrap_are_refused(own_neurons, chip):
    file = chip.nssm.read(str(own_neurons()))
    mix = file.golden[0].values["mix"].astype(np.int64)
    for value, refused in ((131071, False), (-131072, True), (131072, True)):
        mix[3, 1] = value
        changed = file.golden[0]._replace(values={**file.golden[0].values, "mix": mix})
        if not refused:
            assert chip.lava_nodes.choose(file._replace(golden=(changed,)), "lif")
            continue
        with pytest.raises(chip.refusal.Refusal, match=r"wraps messages beyond 131071; got 131072"):
            chip.lava_nodes.choose(file._replace(golden=(changed,)), "lif")


def test_a_path_that_is_too_long_to_wait_for_is_refused(chip):
    late = {"a": 0, "b": 65, "c": 66}
    plan = chip.plan.Plan(late, 1, 1)
    assert (plan.delay("a", "b", 2), plan.delay("b", "c", 1), plan.steps) == (63, 0, 67)
    with pytest.raises(chip.refusal.Refusal, match=r"edge a -> c.*wait 65 steps.*at most 63"):
        plan.delay("a", "c", 1)


@pytest.mark.lava
@pytest.mark.skipif(not status().usable, reason="no Lava")
def test_they_compute_what_the_table_says(own_neurons):
    graph = own_neurons()
    found = run(graph, Settings("lava", processes="lava"))
    (golden,) = load_golden(graph, load(graph))
    assert found.models["LIF"] == "PyLifModelBitAcc" and found.models["S4d"] == "S4dModel"
    assert found.latency == 3 and not found.on_chip  # mix; synapses before and after the states

    # a Threshold is exact
    assert 0.2 < golden.values["spikes"].mean() < 0.8
    np.testing.assert_array_equal(found.values["spikes"][0], golden.values["spikes"])

    arriving = golden.values["mix"].astype(np.int64)
    np.testing.assert_array_equal(found.values["leaky"][0], lava_lif(arriving, 30000, 3000))
    assert found.values["leaky"].any()
    np.testing.assert_array_equal(found.values["out"][0], s4d_in_q12(load(graph), arriving))
    # and it is not what the contract says
    distance = np.abs(found.values["out"][0] - golden.values["out"])
    assert 0 < distance.max() < 0.05 * np.abs(golden.values["out"]).max()
    assert found.differences["out (values)"] == (np.count_nonzero(distance), distance.max())


def lava_lif(arriving: np.ndarray, theta: int, tau: int) -> np.ndarray:
    """Lava's LIF in Python integers: the input times 64, hard reset, a strict comparison."""
    spikes = np.zeros_like(arriving)
    for channel in range(arriving.shape[1]):
        v = 0
        for step, u in enumerate(arriving[:, channel].tolist()):
            decayed = abs(v) * tau // 4096 * (1 if v >= 0 else -1)
            v = max(-(2**23) + 1, min(2**23 - 1, decayed + 64 * u))
            spikes[step, channel] = v > 64 * (theta - 1)
            v = 0 if spikes[step, channel] else v
    return spikes


def s4d_in_q12(graph, arriving: np.ndarray) -> np.ndarray:
    """The recurrence in complex numbers, parameters cut to multiples of 2**-12."""
    node = graph.nodes["ssm"]

    def real(name: str) -> np.ndarray:
        parameter = getattr(node, name)
        return parameter.values * 2.0 ** -parameter.frac_by_channel()

    def cut(name: str) -> np.ndarray:
        parts = [np.trunc(4096 * real(f"{name}_{part}")) / 4096 for part in ("re", "im")]
        return parts[0] + 1j * parts[1]

    a, b, c = cut("a"), cut("b"), cut("c")
    x, out = np.zeros(a.shape, complex), []
    for u in arriving:
        x = a * x + b * u[:, None]
        # d has 6 bits of fraction, u and the output 8: shifted toward zero by 6
        direct = [int(abs(p)) // 64 * (1 if p >= 0 else -1) for p in node.d.values * u]
        out.append(np.trunc((2 * (c * x).real).sum(axis=1)) + direct + node.bias.values)
    return np.array(out).astype(np.int64)
