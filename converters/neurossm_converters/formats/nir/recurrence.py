"""Cycles in a NIR graph: two `LI` that rotate into each other become a `DiagonalSSM`.

Feedback through a delay is none of them; anything else that feeds back is refused. What is
recognized, by its structure and whatever the nodes are called::

    sources -> B_re -> x_re -> C_re -> targets        B: Linear or Affine, one channel a mode
    sources -> B_im -> x_im -> C_im -> targets        C: Linear or Affine, one channel a mode
    x_im -> Scale -> x_re,  x_re -> Scale -> x_im     equal and opposite rotations
    sources -> Scale -> targets                       D, optional
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.nodes import DiagonalSSM
from neurossm_converters.formats.nir.convention import Convention
from neurossm_converters.formats.nir.delays import open_net
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.leaky import spread
from neurossm_converters.formats.nir.net import SEPARATOR, Net
from neurossm_converters.formats.nir.ssm import KIND, complex_of, gather

Real = NDArray[np.float64]
ROTATION_TOLERANCE = 1e-6  # float32 of two products
EXPECTED = "two LI that rotate into each other through two Scale (an S4D, FORMAT.md)"


def recognize(net: Net, steps: Convention) -> None:
    """Replace each cycle of a net by the recurrence that it is.

    Raises
    ------
    GraphError
        For a cycle that is none, with the nodes on it.
    """
    position = {name: index for index, name in enumerate(net.parts)}
    for component in list(nx.strongly_connected_components(open_net(net))):
        cycle = sorted(component, key=position.__getitem__)
        if len(cycle) > 1:
            _replace(net, cycle, steps)
        elif net.joins(cycle[0], cycle[0]):
            raise _refusal(net, cycle, "an edge from a node to itself")


@dataclass(frozen=True)
class _Side:
    """One of the two integrators: parameters, what drives it, what reads it."""

    tau: Real
    r: Real
    weight: Real
    drive: Real  # r times the bias in front, and the resting state
    sources: frozenset[str]
    read_weight: Real
    read_bias: Real
    targets: frozenset[str]
    beside: tuple[str, ...]


def _replace(net: Net, cycle: list[str], steps: Convention) -> None:
    integrators = [name for name in cycle if net.kind(name) == "LI"]
    turns = [name for name in cycle if net.kind(name) == "Scale"]
    if len(integrators) != 2 or len(turns) != 2 or len(cycle) != 4:
        got = ", ".join(f"{name!r} ({net.kind(name)})" for name in cycle[:8])
        raise _refusal(net, cycle, got)
    sides = [_side(net, name, turns) for name in integrators]
    name = _name(net, integrators)
    where = f"NIR recurrence {name!r}"
    re, im = sides
    if re.sources != im.sources or re.targets != im.targets or not (re.sources and re.targets):
        raise GraphError(where, problem="its two LI must have the same inputs and outputs")
    if not np.array_equal(re.tau, im.tau):
        raise GraphError(where, problem="its two LI must have the same time constants")
    modes = re.tau.size
    pairs = (integrators, integrators[::-1])
    to_re, to_im = (_turn(net, other, me, turns, modes) for me, other in pairs)
    # dx_re/dt holds r/tau to_re x_im, and dx_im/dt holds r/tau to_im x_re
    spin_re, spin_im = -re.r * to_re / re.tau, im.r * to_im / im.tau
    if not np.allclose(spin_re, spin_im, rtol=ROTATION_TOLERANCE, atol=0):
        raise GraphError(where, problem="its two rotations must be opposite, and equally fast")
    feed = [
        d
        for d in net.targets(min(re.sources))
        if net.kind(d) == "Scale"
        and frozenset(net.sources(d)) == re.sources
        and frozenset(net.targets(d)) == re.targets
    ]
    node = _ssm(net, name, re, im, spin_im, feed, steps)
    inside = {*cycle, *re.beside, *im.beside, *feed}
    net.replace(inside, name, node, sorted(re.sources), sorted(re.targets))


def _side(net: Net, name: str, turns: list[str]) -> _Side:
    where = net.where(name)
    drives = [source for source in net.sources(name) if source not in turns]
    reads = [target for target in net.targets(name) if target not in turns]
    if len(drives) != 1 or net.targets(drives[0]) != [name]:
        raise GraphError(where, expected="one Linear or Affine in front", got=f"{drives[:4]}")
    if len(reads) != 1 or net.sources(reads[0]) != [name]:
        raise GraphError(where, expected="one Linear or Affine behind", got=f"{reads[:4]}")
    weight, bias = _matrix(net, drives[0])
    read_weight, read_bias = _matrix(net, reads[0])
    modes = len(weight)
    if read_weight.shape[1] != modes:
        raise GraphError(where, expected=f"{modes} modes", got=f"{read_weight.shape[1]} read")
    tau, r, v_leak = (_values(net, name, field, modes) for field in ("tau", "r", "v_leak"))
    if not np.all(tau > 0):
        raise GraphError(where, expected="tau above 0", got=f"{tau.min():g}")
    return _Side(
        tau, r, weight, r * bias + v_leak, frozenset(net.sources(drives[0])), read_weight,
        read_bias, frozenset(net.targets(reads[0])), (drives[0], reads[0]),
    )  # fmt: skip


def _matrix(net: Net, name: str) -> tuple[Real, Real]:
    part, where = net.parts[name], net.where(name)
    if not isinstance(part, Part) or part.kind not in ("Linear", "Affine"):
        raise GraphError(where, expected="a Linear or Affine beside an LI of a recurrence",
                         got=net.kind(name))  # fmt: skip
    weight = part.numbers("weight", where)
    if weight.ndim != 2:
        raise GraphError(where, expected="a weight of 2 axes", got=str(weight.shape))
    bias = part.numbers("bias", where) if part.kind == "Affine" else np.zeros(len(weight))
    if bias.shape != (len(weight),):
        raise GraphError(where, expected=f"{len(weight)} biases", got=str(bias.shape))
    return weight, bias


def _turn(net: Net, source: str, target: str, turns: list[str], modes: int) -> Real:
    for name in turns:
        if net.sources(name) == [source] and net.targets(name) == [target]:
            return _values(net, name, "scale", modes)
    raise _refusal(net, [source, *turns, target], "Scale with other neighbors")


def _values(net: Net, name: str, field: str, size: int) -> Real:
    """Return a parameter of each mode or channel; one for all is repeated."""
    part, where = net.parts[name], net.where(name)
    assert isinstance(part, Part)
    return spread(part.numbers(field, where), size, f"{where}.{field}")


def _ssm(
    net: Net, name: str, re: _Side, im: _Side, spin: Real, feed: list[str], steps: Convention
) -> DiagonalSSM:
    where = f"NIR recurrence {name!r}"
    channels = re.weight.shape[1]
    if re.read_weight.shape[0] != channels or re.tau.size % channels:
        raise GraphError(
            where, expected="as many modes for each channel, and as many channels out as in",
            got=f"{channels} in, {re.tau.size} modes, {re.read_weight.shape[0]} out",
        )  # fmt: skip
    order = _order(re, im, channels)
    modes = re.tau.size // channels
    owner, shape = np.repeat(np.arange(channels), modes), (channels, modes)
    a = complex_of(-1 / re.tau, spin)[order].reshape(shape)
    hold = np.expm1(a * steps.step) / a if steps.is_exact else np.full(shape, steps.step)
    pole = np.exp(a * steps.step) if steps.is_exact else 1 + a * steps.step
    if not np.all(np.abs(pole) < 1):
        raise GraphError(
            where,
            expected="poles inside the unit circle",
            got=f"a magnitude of {np.abs(pole).max():.4g} at a step of {steps.step:g}",
            remedy="forward Euler makes this oscillation grow; use --convention exact",
        )
    rates = [(side.r / side.tau)[order] for side in (re, im)]
    pairs = zip((re, im), rates, strict=True)
    weights = [gather(side.weight[order], owner, where) * rate for side, rate in pairs]
    biases = [(side.drive / side.tau)[order] for side in (re, im)]
    b, drive = (hold * complex_of(*parts).reshape(shape) for parts in (weights, biases))
    c = [gather(side.read_weight.T[order], owner, where).reshape(shape) for side in (re, im)]
    d = np.zeros(channels)
    for scale in feed:
        d = d + _values(net, scale, "scale", channels)
    said = net.graphs.get(name, {})
    step_size, method = np.full(channels, steps.dt or steps.step), "zoh"
    if said.get("neurossm_kind") == KIND:
        step_size = np.asarray(said.get("step_size", step_size))
        method = str(said.get("trained_discretization", method))
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=b.real, b_im=b.imag, c_re=c[0] / 2, c_im=c[1] / -2,
        d=d, drive_re=drive.real, drive_im=drive.imag, bias=re.read_bias + im.read_bias,
        step_size=step_size, method=method,
    )  # fmt: skip


def _order(re: _Side, im: _Side, channels: int) -> NDArray[np.intp]:
    """Return the modes sorted by the channel that they belong to."""
    modes = re.tau.size // channels
    touched = sum(
        np.abs(matrix) for matrix in (re.weight, im.weight, re.read_weight.T, im.read_weight.T)
    )
    owner = np.asarray(touched).argmax(axis=1)
    fits = np.array_equal(np.bincount(owner, minlength=channels), np.full(channels, modes))
    # a mode that nothing drives or reads says nothing about its channel; then the order decides
    return np.argsort(owner, kind="stable") if fits else np.arange(re.tau.size)


def _name(net: Net, integrators: list[str]) -> str:
    """Return the sub-graph that holds both integrators, or the name of the first."""
    heads = [name.rpartition(SEPARATOR)[0] for name in integrators]
    return heads[0] if heads[0] == heads[1] and heads[0] in net.graphs else integrators[0]


def _refusal(net: Net, cycle: list[str], got: str) -> GraphError:
    return GraphError(
        f"NIR cycle through {', '.join(repr(name) for name in cycle[:8])}",
        expected=EXPECTED,
        got=got,
        remedy="make it that form, or put a Delay of at least a step into it",
    )
