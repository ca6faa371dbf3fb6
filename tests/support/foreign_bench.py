"""Modules of other libraries beside the graphs that their converters make of them.

A module runs by its library's own forward on random currents that float32 holds exactly; the float
graph runs on the same. Membranes are computed here from the node's parameters, by the equations of
its docstring.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Input, Output, Threshold
from neurossm.passes import fold_batch_norm
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch.builder import Builder
from neurossm_converters.formats.torch.families import BLOCKS
from neurossm_converters.formats.torch.foreign import (
    foreign_containers,
    foreign_converters,
    foreign_remedies,
)
from neurossm_converters.formats.torch.layers import LAYERS, REMEDIES

CHANNELS, SAMPLES, STEPS = 24, 3, 250
FRAC = 10
# drives a module through (S, T, C); returns what it sends and, where it has one, its membrane
Drive = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


@dataclass(frozen=True)
class Compared:
    """A module and its graph on the same currents."""

    graph: Graph
    currents: np.ndarray
    sent: np.ndarray
    float_trace: dict[str, np.ndarray]

    @property
    def last(self) -> str:
        """The node in front of the output."""
        return self.graph.sources[self.graph.outputs[0]][0]


def builder() -> Builder:
    """Return a builder of every table there is."""
    converters = LAYERS | BLOCKS | foreign_containers() | foreign_converters()
    return Builder(converters, REMEDIES | foreign_remedies())


def graph_of(module: nn.Module, channels: int, bits: int = 16, frac: int = FRAC,
             name: str = "m") -> Graph:  # fmt: skip
    """Return the float graph of one module."""
    made = builder()
    source = made.add("input", Input(channels=channels, out=Fixed(bits, frac)))
    source = made.convert(name, module, source)
    made.add("output", Output(channels=made.nodes[source].out_channels), source)
    return fold_batch_norm(Graph(made.nodes, tuple(made.edges)))


def currents(seed: int, mean: float, spread: float, channels: int = CHANNELS) -> np.ndarray:
    """Return random currents in units of 2^-FRAC, ``(S, T, C)``."""
    random = np.random.default_rng(seed)
    values = random.normal(mean, spread, (SAMPLES, STEPS, channels))
    return np.rint(values * 2**FRAC).astype(np.int64)


def compare(
    module: nn.Module, drive: Drive, *, dtype: torch.dtype, settings: str, mean: float = 0.3,
    spread: float = 0.7, gain: Any = 1.0, start: Any = 0.0, channels: int = CHANNELS,
) -> Compared:  # fmt: skip
    """Hold a module against its graph: what it sends at every step, and its membrane.

    `gain` and `start` say in which unit and from where the graph's membrane counts.
    """
    module = module.to(dtype)
    ints = currents(7, mean, spread, channels)
    with torch.no_grad():
        sent, membrane = drive(module, torch.tensor(ints * 2.0**-FRAC).to(dtype))
    expected = sent.double().numpy()
    graph = graph_of(module, channels)
    values = run(graph, ints, "float", tuple(graph.nodes)).values
    found = Compared(graph, ints, expected, values)
    got = values[found.last]
    spikes = bool(np.isin(expected, (0, 1)).all()) and expected.any()
    wrong = int(np.sum(got != expected)) if spikes else 0
    close = 1e-6 if dtype == torch.float64 else 1e-5
    off = 0.0 if spikes else float(np.abs(got - expected).max())
    largest = float(np.abs(expected).max())
    if membrane is not None:
        largest = max(1.0, float(membrane.abs().max()))
        off = membrane_error(found, membrane.double().numpy(), gain, start)
    note(module, settings, dtype, expected.size, wrong, off)
    assert wrong == 0, f"{wrong} of {expected.size} spikes"
    if spikes:
        assert 0.02 < expected.mean() < 0.98, f"spikes say little: {expected.mean():.3f}"
    else:
        np.testing.assert_allclose(got, expected, rtol=0, atol=close * np.abs(expected).max())
    assert off <= close * largest, off
    return found


def membrane_error(found: Compared, membrane: np.ndarray, gain: Any, start: Any) -> float:
    """Return by how much membranes differ where no spike has reset them."""
    (name,) = [n for n, node in found.graph.nodes.items() if isinstance(node, LIF)]
    node = found.graph.nodes[name]
    y = sum(found.float_trace[source] for source in found.graph.sources[name])
    theta, tau, rho, kappa = (np.asarray(p) for p in (node.theta, node.tau, node.rho, node.kappa))
    u, r = np.zeros((2, len(y), y.shape[2]))
    worst = 0.0
    for t in range(y.shape[1]):
        u = tau * u + y[:, t]
        spikes = u - r >= theta
        # with a hard reset, what a spike leaves raises the threshold only
        here = gain * (u if node.reset == "hard" else u - r) + start
        worst = max(worst, float(np.abs((here - membrane[:, t])[~spikes]).max(initial=0.0)))
        r = rho * r + kappa * spikes
        u = np.where(spikes, {"hard": 0, "soft": u - theta, "none": u}[node.reset], u)
    return worst


def check_integers(found: Compared, most: float = 0.02, means: bool = False) -> None:
    """Quantize; reference and fast agree bit for bit, and spikes are close to the module's.

    With `means`, what is close are means over time, as where the weights of several layers are
    rounded and single spikes move.
    """
    inputs = found.currents
    ranges = calibrate(found.graph, run(found.graph, inputs, "float", "outputs"))
    integer = Quantize()(found.graph, ranges)
    reference, fast = (run(integer, inputs, engine, "all") for engine in ("reference", "fast"))
    for name, values in reference.values.items():
        np.testing.assert_array_equal(values, fast.values[name])
    last = integer.nodes[found.last]
    got = reference.values[found.last]
    if means:
        off = real_values(last, got).mean(axis=1) - found.sent.mean(axis=1)
        assert np.abs(off).max() <= most * np.abs(found.sent.mean(axis=1)).max(), off
    elif isinstance(last, LIF | Threshold):
        assert np.mean(got != found.sent) <= most
    else:
        off = np.sqrt(np.mean((real_values(last, got) - found.sent) ** 2) / np.mean(found.sent**2))
        assert off <= most, off


def real_values(node: Any, values: np.ndarray) -> np.ndarray:
    """Return messages as the numbers they stand for."""
    return values * 2.0 ** -np.asarray(node.out.frac, float)


def at_threshold(module: nn.Module, drive: Drive, value: float) -> float:
    """Return what a membrane does that meets its threshold in its first step.

    The module, the float graph and the integers of the quantized graph do the same, or it fails.
    """
    ints = np.full((1, 1, CHANNELS), int(value * 2**FRAC))
    assert ints[0, 0, 0] == value * 2**FRAC
    with torch.no_grad():
        sent, _ = drive(module, torch.tensor(ints * 2.0**-FRAC).float())
    (answer,) = set(sent.numpy().ravel().tolist())
    graph = graph_of(module, CHANNELS)
    integer = Quantize()(graph, calibrate(graph, run(graph, ints, "float", "outputs")))
    for which, engine in ((graph, "float"), (integer, "reference"), (integer, "fast")):
        found = run(which, ints, engine, "outputs").values["output"]
        assert set(found.ravel().tolist()) == {answer}, engine
    return answer


def each_step(module: Any, x: torch.Tensor, state: bool = True) -> torch.Tensor:
    """Call a module of one step along the steps of (S, T, C), with ``(out, state)`` or alone."""
    outs, kept = [], None
    for t in range(x.shape[1]):
        if state:
            out, kept = module(x[:, t]) if kept is None else module(x[:, t], kept)
        else:
            out = module(x[:, t])
        outs.append(out)
    return torch.stack(outs, 1)


def refusal(module: nn.Module, channels: int = CHANNELS) -> str:
    """Return the one line with which a module is refused."""
    from neurossm.errors import GraphError

    try:
        graph_of(module, channels)
    except GraphError as error:
        assert "'m'" in str(error) or "'m." in str(error), error
        assert error.remedy, error
        return str(error)
    raise AssertionError("it was not refused")


def note(module: nn.Module, settings: str, dtype: torch.dtype, size: int, wrong: int,
         off: float) -> None:  # fmt: skip
    """Append a line to the table, where the environment names a file for it."""
    if path := os.environ.get("NEUROSSM_PEERS_TABLE"):
        kind = f"{type(module).__module__.split('.')[0]} {type(module).__name__}"
        row: Sequence[object] = (kind, settings, str(dtype)[6:], size, wrong, off)
        with open(path, "a") as file:
            file.write(json.dumps(row) + "\n")
