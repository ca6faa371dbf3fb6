"""NIR graphs of other tools, node by node; an unsupported node is an error that names it.

==================  ================================================================================
`Linear`, `Affine`  `Affine`
`Conv1d`, `Conv2d`  `Conv2d`, see ``spatial.py``
`SumPool2d`         `Conv2d` of ones, each channel by itself; `AvgPool2d` of ``1 / (kh kw)``
`Scale`             `Affine` with a diagonal matrix, or part of an S4D
`Threshold`         `Threshold`; NIR compares with ``>``, so the next larger float64 is ours
`LIF`, `IF`         `LIF`, which starts where it is reset to; an `IF` has leak 1. A v_leak other
                    than v_reset is added to the bias in front, or by an `Affine` (``NAME.leak``)
`CubaLIF`           `DiagonalSSM` of one real pole (``NAME.synapse``), then `LIF`
`LI`, `CubaLI`      `DiagonalSSM` of one real pole, and one for the synapse
`I`                 `Accumulate`, behind an `Affine` (``NAME.gain``) where ``r dt`` is not 1
cycle of `LI`       `DiagonalSSM`, see `neurossm_converters.formats.nir.recurrence`
converging edges    `Sum` (``NAME.sum``), except of spikes
`Flatten`           nothing: signals are flat here
`Delay`             `Delay`; nothing where it is 0, several behind each other where it is long
feedback            `Delay` of a step (``NAME.before``), see ``delays.py``
proposed nodes      on request, see ``proposal.py``, ``state_space.py``, ``resets.py``
sub-graph           its nodes, named ``GRAPH.NODE``
==================  ================================================================================
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from neurossm.errors import GraphError, NeurossmError
from neurossm.fixed import Fixed
from neurossm.graph import Edge, Graph
from neurossm.nodes import Affine, DiagonalSSM, Input, Node, Output, Role, Sum, Threshold
from neurossm.passes import fold_average_pooling
from neurossm_converters.formats.nir import proposal, spatial
from neurossm_converters.formats.nir.convention import Real
from neurossm_converters.formats.nir.delays import (
    BEFORE,
    before,
    delay,
    delay_feedback,
    visiting_order,
)
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.leaky import (
    Chain,
    NodeContext,
    diagonal,
    integrator,
    leaky_integrator,
    synaptic_integrator,
)
from neurossm_converters.formats.nir.membranes import integrate_and_fire, neuron, synaptic_neuron
from neurossm_converters.formats.nir.net import JUNCTION, Net, flatten
from neurossm_converters.formats.nir.rates import least
from neurossm_converters.formats.nir.recurrence import recognize
from neurossm_converters.formats.nir.resets import NEURON, join_resets, neuron_with_resets
from neurossm_converters.formats.nir.resonator import RESONATOR, resonator
from neurossm_converters.formats.nir.setting import Setting, check_names
from neurossm_converters.formats.nir.state_space import state_space

FIELDS: dict[str, frozenset[str]] = {
    "Input": frozenset({"shape"}),
    "Output": frozenset({"shape"}),
    "Linear": frozenset({"weight"}),
    "Affine": frozenset({"weight", "bias"}),
    "Scale": frozenset({"scale"}),
    "Threshold": frozenset({"threshold"}),
    "I": frozenset({"r"}),
    "LI": frozenset({"tau", "r", "v_leak"}),
    "IF": frozenset({"r", "v_threshold", "v_reset"}),
    "LIF": frozenset({"tau", "r", "v_leak", "v_threshold", "v_reset"}),
    "CubaLI": frozenset({"tau_syn", "tau_mem", "r", "v_leak", "w_in"}),
    "CubaLIF": frozenset({"tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"}),
    "Flatten": frozenset({"input_type", "start_dim", "end_dim"}),
    "Delay": frozenset({"delay"}),
    **spatial.FIELDS,
    JUNCTION: frozenset({"shape"}),
    BEFORE: frozenset(),
    **proposal.FIELDS,
}
MAX_CHANNELS = 2**20  # of all nodes together
MAX_DIAGONALS = 2**26
NOT_NIR = "it is no NIR class; take it out of the model, or fold it, before the export"


def translate(document: Part, setting: Setting) -> Graph:
    """Return the graph of a NIR graph, whoever wrote it.

    Raises
    ------
    GraphError
        If a node, a cycle or a parameter has no counterpart; names it.
    FormatError
        If a node lacks a field, or has one that NIR does not know.
    """
    net = flatten(document)
    _check_classes(net)
    join_resets(net)
    check_names(net, setting)
    delay_feedback(net)
    recognize(net, setting.steps)
    chains: dict[str, Chain] = {}
    shapes: dict[str, spatial.Shape | None] = {}
    channels = diagonals = 0
    for name in visiting_order(net):
        chains[name] = _chain(net, name, setting, chains, _arriving_shape(net, name, shapes))
        shapes[name] = _sent_shape(net, name, chains[name], shapes)
        width = chains[name][0][1].out_channels
        channels += width
        diagonals += width**2 * (net.kind(name) in ("Scale", "I"))
        if channels > MAX_CHANNELS or diagonals > MAX_DIAGONALS:
            expected = f"at most {MAX_CHANNELS} channels, {MAX_DIAGONALS} elements of diagonals"
            raise GraphError("NIR graph", expected=expected, got=f"{channels}, {diagonals}")
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for name in net.parts:  # in the order of the file
        names = [f"{name}.{suffix}" if suffix else name for suffix, _ in chains[name]]
        for key, (_, node) in zip(names, chains[name], strict=True):
            if key in nodes or (key != name and key in net.parts):
                raise GraphError(f"NIR node {key!r}", problem="the name is used twice")
            nodes[key] = node
        edges += _edges_into(net, name, names, chains, nodes)
        edges += itertools.pairwise(names)
    return fold_average_pooling(Graph(nodes, tuple(edges), setting.steps.dt))


def _check_classes(net: Net) -> None:
    unknown = [name for name in net.parts if net.kind(name) not in FIELDS]
    if unknown:
        raise GraphError(
            "NIR graph",
            expected="nodes that neurossm has a counterpart for",
            got="; ".join(net.where(name) for name in unknown[:20])
            + (f" and {len(unknown) - 20} more" if unknown[20:] else ""),
            remedy=NOT_NIR,
        )
    for name, part in net.parts.items():
        assert isinstance(part, Part)
        extra = set(part.fields) - FIELDS[part.kind]
        if extra:
            known = ", ".join(sorted(FIELDS[part.kind]))
            got = repr(min(extra)[:80])
            raise GraphError(net.where(name), expected=f"only the fields {known}", got=got)


def _arriving_shape(
    net: Net, name: str, shapes: dict[str, spatial.Shape | None]
) -> spatial.Shape | None:
    """Return the shape of what feeds a part, where it is known and one."""
    found = {shapes[source] for source in net.sources(name) if source in shapes}
    return found.pop() if len(found) == 1 else None


def _sent_shape(
    net: Net, name: str, chain: Chain, shapes: dict[str, spatial.Shape | None]
) -> spatial.Shape | None:
    part, arriving = net.parts[name], _arriving_shape(net, name, shapes)
    node = chain[-1][1]
    return spatial.sent_shape(part, node, arriving) if isinstance(part, Part) else arriving


def _chain(
    net: Net, name: str, setting: Setting, chains: dict[str, Chain], shape: spatial.Shape | None
) -> Chain:
    part, sources = net.parts[name], net.sources(name)
    if not isinstance(part, Part):
        return [("", part)]
    where = net.where(name)
    if part.kind == "Input":
        if sources:
            raise GraphError(where, expected="nothing in front of an Input", got=f"{sources[:4]}")
        return [("", Input(channels=_size(part, where), out=setting.input))]
    if not sources:
        raise GraphError(where, expected="an edge into it", got="none")
    # what feeds back is not there yet; the graph holds its channels against these
    widths = {s: chains[s][-1][1].out_channels for s in sources if s in chains}
    if len(set(widths.values())) > 1:
        raise GraphError(where, expected="edges of one width to add", got=str(widths))
    channels = next(iter(widths.values()))
    here = NodeContext(
        part, name, where, channels, setting.steps, setting.resets.get(name, setting.reset),
        setting.compares.get(name, setting.compare), setting.length,
        lambda lead: _lead(net, name, lead, chains),
        all(chains[s][-1][1].role is Role.SPIKING for s in widths), shape,
    )  # fmt: skip
    try:
        chain = TRANSLATORS[part.kind](here)
    except NeurossmError as error:
        if error.where.startswith("NIR"):
            raise
        raise error.inside(f"{where}: ", GraphError) from None
    if chain[0][1].in_channels != channels:
        raise GraphError(
            where,
            expected=f"{chain[0][1].in_channels} channels",
            got=f"{channels} from {next(iter(widths))!r}",
            remedy="a batch dimension does not belong into a NIR file",
        )
    return chain


def _lead(net: Net, name: str, lead: Real, chains: dict[str, Chain]) -> bool:
    """Add a constant to what arrives at a part, in a node that feeds nothing else."""
    for source in net.sources(name):
        suffix, node = chains.get(source, [("", None)])[-1]
        if isinstance(node, Affine | DiagonalSSM) and net.targets(source) == [name]:
            chains[source][-1] = (suffix, replace(node, bias=np.asarray(node.bias) + lead))
            return True
    return False


def _edges_into(
    net: Net, name: str, names: list[str], chains: dict[str, Chain], nodes: dict[str, Node]
) -> list[Edge]:
    """Return the edges into a part; where several add that are no spikes, through a `Sum`."""
    sources = net.sources(name)
    first = nodes[names[0]]
    formats = {chains[source][-1][1].out for source in sources}
    if len(sources) < 2 or isinstance(first, Sum):
        return [(source, names[0]) for source in sources]
    if formats == {Fixed.binary()} and not isinstance(first, Output):
        return [(source, names[0]) for source in sources]
    total = f"{name}.sum"
    if total in nodes or total in net.parts:
        raise GraphError(f"NIR node {total!r}", problem="the name is used twice")
    nodes[total] = Sum(channels=first.in_channels)
    return [*((source, total) for source in sources), (total, names[0])]


def _size(part: Part, where: str) -> int:
    shape = part.numbers("shape", where).ravel()
    if shape.size == 0 or not np.all((shape >= 1) & (shape < 2**31)) or np.any(shape % 1):
        raise GraphError(f"{where}.shape", expected="positive whole numbers", got=str(shape[:8]))
    size = float(np.prod(shape))
    if size > MAX_CHANNELS:
        expected = f"at most {MAX_CHANNELS} channels"
        raise GraphError(f"{where}.shape", expected=expected, got=f"{size:g}")
    return int(size)


def _output(here: NodeContext) -> Chain:
    return [("", Output(channels=_size(here.part, here.where)))]


def _junction(here: NodeContext) -> Chain:
    return [("", Sum(channels=here.channels))]


def _synapses(here: NodeContext) -> Chain:
    weight = here.part.numbers("weight", here.where)
    if weight.ndim != 2:
        expected, got = "2 axes (out, in)", f"shape {weight.shape}"
        raise GraphError(f"{here.where}.weight", expected=expected, got=got)
    has_bias = here.part.kind == "Affine"
    bias = here.part.numbers("bias", here.where) if has_bias else np.zeros(1)
    where = f"{here.where}.bias"
    if bias.size not in (1, len(weight)):
        raise GraphError(where, expected=f"{len(weight)} values", got=f"shape {bias.shape}")
    return [("", Affine(weight=weight, bias=np.broadcast_to(bias.ravel(), len(weight))))]


def _scale(here: NodeContext) -> Chain:
    return [("", diagonal(here.values("scale"), here.where))]


def _threshold(here: NodeContext) -> Chain:
    bound = here.values("threshold", infinite=True)
    ones = np.ones(here.channels)
    return [("", Threshold(theta=least(bound, ones, here.compare, here.steps.is_single)))]


TRANSLATORS: dict[str, Callable[[NodeContext], Chain]] = {
    "Output": _output,
    JUNCTION: _junction,
    "Flatten": _junction,
    "Delay": delay,
    BEFORE: before,
    "Linear": _synapses,
    "Affine": _synapses,
    **dict.fromkeys(("Conv1d", "Conv2d"), spatial.convolution),
    **dict.fromkeys(spatial.POOLING, spatial.pooling),
    "Scale": _scale,
    "Threshold": _threshold,
    "I": integrator,
    "LI": leaky_integrator,
    "IF": integrate_and_fire,
    "LIF": neuron,
    "CubaLI": synaptic_integrator,
    "CubaLIF": synaptic_neuron,
    proposal.STATE_SPACE: state_space,
    NEURON: neuron_with_resets,
    RESONATOR: resonator,
}
