"""Norse's own modules, step by step, beside the nodes of their converters."""

import norse.torch as norse
import numpy as np
import pytest
import torch
from foreign_bench import (
    CHANNELS,
    at_threshold,
    check_integers,
    compare,
    currents,
    each_step,
    graph_of,
    refusal,
)
from norse.torch.functional.reset import reset_subtract
from torch import nn

DTYPES = [torch.float32, torch.float64]
MEMBRANES = torch.linspace(20.0, 400.0, CHANNELS)  # 1/s; a step is 1 ms
CURRENTS = torch.linspace(900.0, 150.0, CHANNELS)


def number(value):
    return torch.as_tensor(value)


def drive(module, x):
    """A cell step by step, or a layer that takes (T, S, C); with the membrane where it spikes."""
    if type(module).__name__ in ("LIF", "LI", "IAF", "LIFRecurrent"):
        out, _ = module(x.transpose(0, 1))
        return out.transpose(0, 1), None
    outs, membranes, state = [], [], None
    for t in range(x.shape[1]):
        out, state = module(x[:, t], state)
        outs.append(out)
        membranes.append(state.v)
    spikes = not type(module).__name__.startswith("LI") or "LIF" in type(module).__name__
    return torch.stack(outs, 1), torch.stack(membranes, 1) if spikes else None


def share(module):
    return np.asarray((module.dt * torch.as_tensor(module.p.tau_mem_inv)).double())


def recurrent(kind, hidden, **settings):
    torch.manual_seed(12)
    return kind(CHANNELS, hidden, **settings)


CASES = {
    "LIFCell": lambda: norse.LIFCell(),
    "LIFCell, a value a channel": lambda: norse.LIFCell(
        norse.LIFParameters(tau_syn_inv=CURRENTS, tau_mem_inv=MEMBRANES, v_th=number(0.5))
    ),
    "LIFCell dt 2 ms, triangle": lambda: norse.LIFCell(
        norse.LIFParameters(method="triangle", alpha=0.3), dt=0.002
    ),
    "LIFCell in mV": lambda: norse.LIFCell(
        norse.LIFParameters(v_leak=number(-65.0), v_reset=number(-65.0), v_th=number(-64.5))
    ),
    "LIFBoxCell": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(v_th=number(0.4))),
    "LIFBoxCell, a value a channel": lambda: norse.LIFBoxCell(
        norse.LIFBoxParameters(tau_mem_inv=MEMBRANES, v_th=number(0.3))
    ),
    "LIFBoxCell subtract": lambda: norse.LIFBoxCell(
        norse.LIFBoxParameters(v_th=number(0.3), reset_method=reset_subtract)
    ),
    "LIFBoxCell subtract, leak elsewhere": lambda: norse.LIFBoxCell(
        norse.LIFBoxParameters(
            v_leak=number(0.125), v_th=number(0.4), reset_method=reset_subtract
        )
    ),
    "IAFCell": lambda: norse.IAFCell(norse.IAFParameters(v_th=number(2.5))),
    "IAFCell in mV": lambda: norse.IAFCell(
        norse.IAFParameters(v_th=number(-63.0), v_reset=number(-65.0))
    ),
    "LIF": lambda: norse.LIF(),
    "IAF": lambda: norse.IAF(norse.IAFParameters(v_th=number(2.5))),
    "LICell": lambda: norse.LICell(),
    "LICell in mV": lambda: norse.LICell(norse.LIParameters(v_leak=number(-2.0))),
    "LI": lambda: norse.LI(),
    "LIBoxCell": lambda: norse.LIBoxCell(norse.LIBoxParameters(v_leak=number(0.5))),
    "LIFRecurrentCell": lambda: recurrent(norse.LIFRecurrentCell, 40),
    "LIFRecurrentCell, autapses, a value a channel": lambda: recurrent(
        norse.LIFRecurrentCell, CHANNELS, autapses=True,
        p=norse.LIFParameters(tau_syn_inv=CURRENTS, tau_mem_inv=MEMBRANES, v_th=number(0.5)),
    ),
    "LIFRecurrentCell dt 2 ms, triangle": lambda: recurrent(
        norse.LIFRecurrentCell, 30, p=norse.LIFParameters(method="triangle", alpha=0.3), dt=0.002
    ),
    "LIFRecurrent": lambda: recurrent(norse.LIFRecurrent, 40),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_spikes_and_membranes(name, dtype):
    module = CASES[name]()
    box = "IAF" not in name
    gain, start = share(module) if box else 1.0, float(getattr(module.p, "v_leak", 0.0))
    if "IAF" in name:
        start = float(module.p.v_reset.detach())
    found = compare(module, drive, dtype=dtype, settings=name, gain=gain, start=start)
    if dtype == torch.float32 and "Recurrent" not in name:
        check_integers(found)
    elif dtype == torch.float32:  # one spike that moves moves others
        check_integers(found, most=0.1, means=True)


def test_without_what_comes_back_they_would_spike_otherwise():
    for name in [name for name in CASES if "Recurrent" in name]:
        module, x = CASES[name](), torch.tensor(currents(7, 0.3, 0.7) / 1024.0).float()
        with torch.no_grad():
            with_it, _ = drive(module, x)
            module.recurrent_weights.zero_()
            without, _ = drive(module, x)
        assert (with_it != without).float().mean() > 0.02, name


def test_what_a_sequence_sent_is_added_to_its_next_input():
    torch.manual_seed(4)
    net = norse.RecurrentSequential(
        nn.Linear(CHANNELS, 30), norse.LIFCell(norse.LIFParameters(v_th=number(0.5))),
        nn.Linear(30, CHANNELS), norse.LIFBoxCell(norse.LIFBoxParameters(v_th=number(0.2))),
    )  # fmt: skip
    with torch.no_grad():
        net.module[0].weight *= 3
        net.module[2].weight *= 5
    found = compare(net, lambda m, x: (each_step(m, x), None), dtype=torch.float32,
                    settings="RecurrentSequential")  # fmt: skip
    check_integers(found, most=0.1, means=True)


def test_a_linear_integrator_has_its_weights():
    module = norse.LILinearCell(CHANNELS, 6)
    found = compare(module, lambda m, x: (each_step(m, x), None), dtype=torch.float32,
                    settings="LILinearCell")  # fmt: skip
    check_integers(found)


def network():
    torch.manual_seed(1)
    net = norse.SequentialState(
        nn.Linear(CHANNELS, 40),
        norse.LIFCell(norse.LIFParameters(v_th=number(0.5))),
        nn.Linear(40, 30),
        norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=number(300.0))),
        nn.Linear(30, 10),
        norse.LICell(),
    ).eval()
    with torch.no_grad():
        net[0].weight *= 3
        net[2].weight *= 8
    return net


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_whole_sequential_state(dtype):
    found = compare(network(), lambda m, x: (each_step(m, x), None), dtype=dtype,
                    settings="SequentialState")  # fmt: skip
    spikes = found.float_trace["m.3"]
    assert 0.02 < spikes.mean() < 0.9
    check_integers(found, most=0.1, means=True)


def test_layers_over_time_and_lifted_modules():
    torch.manual_seed(2)
    net = norse.SequentialState(
        norse.Lift(nn.Linear(CHANNELS, 20)), norse.LIF(norse.LIFParameters(v_th=number(0.2))),
        norse.Lift(nn.Linear(20, 5)), norse.LI(),
    )  # fmt: skip

    def all_steps(module, x):
        return module(x.transpose(0, 1))[0].transpose(0, 1), None

    compare(net, all_steps, dtype=torch.float32, settings="SequentialState of Lift, LIF, LI")


def test_a_membrane_at_its_threshold_does_not_spike():
    p = norse.LIFBoxParameters(tau_mem_inv=number(250.0), v_th=number(0.25))
    assert at_threshold(norse.LIFBoxCell(p), drive, 1.0) == 0
    assert at_threshold(norse.LIFBoxCell(p), drive, 1.25) == 1
    assert at_threshold(norse.IAFCell(), drive, 1.0) == 0
    p = norse.LIFParameters(tau_mem_inv=number(500.0), v_th=number(0.5))
    assert at_threshold(norse.LIFCell(p), drive, 1.0) == 0


REFUSED = {
    "v_leak, where Norse starts": lambda: norse.LIFCell(
        norse.LIFParameters(v_reset=number(-0.5))
    ),
    "kept in a step": lambda: norse.LIFCell(norse.LIFParameters(tau_mem_inv=number(1500.0))),
    "train with LIFRecurrentCell": lambda: norse.LSNNRecurrentCell(CHANNELS, CHANNELS),
    "the last module": lambda: norse.RecurrentSequential(
        norse.LIFCell(), norse.LIFCell(), output_modules=[0, 1]
    ),
    "train with LIFCell": lambda: norse.LIFRefracCell(),
    "train with LIFCell or LIFBoxCell": lambda: norse.IzhikevichCell(norse.tonic_spiking),
    "threshold": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(v_th=number(-1.0))),
    "reset_method": lambda: norse.LIFBoxCell(
        norse.LIFBoxParameters(reset_method=lambda z, v, r, th: v)
    ),
    "return_hidden": lambda: norse.SequentialState(norse.LIFCell(), return_hidden=True),
    "1 or 24 values": lambda: norse.LIFCell(norse.LIFParameters(v_th=torch.ones(3))),
}  # fmt: skip


@pytest.mark.parametrize("part", REFUSED)
def test_what_no_node_does_is_refused_with_a_remedy(part):
    assert part in refusal(REFUSED[part]())


def test_another_dynamics_function_is_refused():
    cell = norse.LIFCell()
    cell.activation = lambda x, state, p, dt: (x, state)
    assert "activation" in refusal(cell)
    graph_of(norse.LIFCell(norse.LIFParameters(method="adjoint")), CHANNELS)
