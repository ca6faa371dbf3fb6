"""An interpreter of integer `.nssm` files, written from FORMAT.md and from nothing else.

It imports numpy, h5py and hashlib, never neurossm: what it cannot do, FORMAT.md does not say. All
arithmetic is that of Python's unbounded integers (arrays of objects), so nothing can wrap unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.object_]
Entry = int | float | str | NDArray[Any] | dict[str, Any]
State = dict[str, Integers]

SSM_PARAMETERS = (
    "a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "d", "drive_re", "drive_im", "bias",
)  # fmt: skip
ENTRY_BITS = 24
LEAK_FRACS = range(12, 21)


class FormatError(Exception):
    """The file is not what FORMAT.md says."""


@dataclass(frozen=True)
class Message:
    """What comes in through one edge: integers (C,) and how many of their bits are fraction.

    `frac` is one number, or one for each channel behind exponents of rows or filters.
    """

    values: Integers
    frac: Any
    format: Any = None


@dataclass(frozen=True)
class Parameter:
    """The group of an integer array; `frac` has one entry for each index of the first axis."""

    values: Integers
    bits: int
    frac: Integers

    by_channel: bool

    def frac_of(self) -> int:
        """Return the one exponent of the tensor."""
        if self.by_channel:
            raise FormatError("expected one exponent")
        return int(self.frac[0])


@dataclass(frozen=True)
class Node:
    """A node with its fields as read, and the names that feed it in the order of the edges."""

    name: str
    fields: dict[str, Any]
    sources: tuple[str, ...]

    @property
    def type(self) -> str:
        """Name of its type."""
        return str(self.fields["type"])

    @property
    def out(self) -> dict[str, Any]:
        """Its message format: bits, frac, kind."""
        found: dict[str, Any] = self.fields["out"]
        return found

    def parameter(self, name: str) -> Parameter:
        """Return an array with its format."""
        group = self.fields[name]
        values = as_integers(_unfolded(group) if "starts" in group else group["values"])
        frac = as_integers(group["frac"])
        by_channel = frac.ndim > 0
        return Parameter(values, group["bits"], np.broadcast_to(frac, values.shape[:1]), by_channel)

    def message(self, values: Integers) -> Message:
        """Return what it sends, with the exponent of its `out` or those of its channels."""
        if self.type == "Affine" and self.parameter("weight").by_channel:
            return Message(values, self.parameter("bias").frac)
        if self.type == "Conv2d" and self.parameter("weight").by_channel:
            _, rows, columns = conv_size(self)
            return Message(values, np.repeat(self.parameter("bias").frac, rows * columns))
        return Message(values, self.out["frac"], self.out)


@dataclass(frozen=True)
class Golden:
    """One golden vector: inputs (T, C), and the values and final states that must come out."""

    inputs: Mapping[str, NDArray[Any]]
    values: Mapping[str, NDArray[Any]]
    states: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class File:
    """Nodes in the order of their index, and the golden vectors."""

    nodes: tuple[Node, ...]
    golden: tuple[Golden, ...]


# --- reading ---------------------------------------------------------------------------------


def read(path: Path) -> File:
    """Read an integer graph with its golden vectors; verify schema, version and hash."""
    with h5py.File(path, "r") as file:
        tree = read_tree(file["neurossm"])
    found = tree.pop("sha256")
    if tree["schema"] != "neurossm.graph" or tree["schema_version"] != 1:
        raise FormatError(f"{tree['schema']} {tree['schema_version']}")
    if digest(tree).hex() != found:
        raise FormatError(f"contents hash to {digest(tree).hex()}, sha256 says {found}")
    golden = tree["golden"]
    vectors = tuple(Golden(**golden[str(number)]) for number in range(len(golden)))
    return File(_nodes(tree["graph"]), vectors)


def digest(entry: Entry) -> bytes:
    """Return the hash of an entry."""
    if isinstance(entry, dict):
        parts = [b"group\n"]
        for name in sorted(key.encode() for key in entry):
            parts += [len(name).to_bytes(4, "little"), name, digest(entry[name.decode()])]
        return hashlib.sha256(b"".join(parts)).digest()
    if isinstance(entry, np.ndarray):
        axes = ",".join(str(length) for length in entry.shape)
        head = f"array\n{entry.dtype.kind}{entry.dtype.itemsize}\n{axes}\n"
        return hashlib.sha256(head.encode() + entry.tobytes(order="C")).digest()
    if isinstance(entry, float):
        return hashlib.sha256(b"float\n" + np.array(entry, "<f8").tobytes()).digest()
    kind = "string" if isinstance(entry, str) else "int"
    return hashlib.sha256(f"{kind}\n{entry}".encode()).digest()


def read_tree(group: h5py.Group) -> dict[str, Any]:
    """Return a group and all below it as plain values."""
    entries: dict[str, Any] = {name: _scalar(value) for name, value in group.attrs.items()}
    for name, member in group.items():
        is_group = isinstance(member, h5py.Group)
        entries[name] = read_tree(member) if is_group else np.asarray(member[()])
    return entries


def _scalar(value: Any) -> int | float | str:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    return float(value) if isinstance(value, np.floating) else int(value)


def _nodes(graph: dict[str, Any]) -> tuple[Node, ...]:
    by_index = sorted(graph["nodes"].items(), key=lambda item: int(item[1]["index"]))
    names = [name for name, _ in by_index]
    sources: dict[str, list[str]] = {name: [] for name in names}
    for source, target in graph["edges"].tolist():
        sources[names[target]].append(names[source])
    return tuple(Node(name, fields, tuple(sources[name])) for name, fields in by_index)


def _unfolded(group: dict[str, Any]) -> NDArray[Any]:
    """Return a matrix of which the file holds, row by row, the numbers that are not 0."""
    starts = [int(start) for start in group["starts"]]
    whole = np.zeros((len(starts) - 1, group["width"]), dtype=object)
    for row in range(len(whole)):
        for place in range(starts[row], starts[row + 1]):
            whole[row, int(group["columns"][place])] = int(group["values"][place])
    return whole


# --- arithmetic ------------------------------------------------------------------------------


CLIPPED = [0]  # read and set to 0 by who counts


def as_integers(values: Any) -> Integers:
    """Return Python integers in an array of any shape."""
    return np.asarray(values).astype(object)


def _tz(p: int, k: int) -> int:
    if k < 0:
        return p << -k
    return (abs(p) >> k) * (1 if p >= 0 else -1)


def tz(p: Integers, k: Any) -> Integers:
    """Shift right by k with the fraction dropped toward zero; left where k is negative."""
    return as_integers(np.frompyfunc(_tz, 2, 1)(p, k))


def sat(v: Integers, bits: int) -> Integers:
    """Clip to the symmetric range of this many bits; `CLIPPED` counts the values that changed."""
    largest = 2 ** (bits - 1) - 1
    clipped = as_integers(np.minimum(np.maximum(v, -largest), largest))
    CLIPPED[0] += int(np.count_nonzero(clipped != v))
    return clipped


def joined(messages: list[Message]) -> Message:
    """Add what converges on a node; several edges saturate on entry."""
    if len(messages) == 1:
        return messages[0]
    (frac,) = {message.frac for message in messages}
    total = sum((message.values for message in messages[1:]), messages[0].values)
    return Message(sat(total, ENTRY_BITS), frac)


# --- the nodes -------------------------------------------------------------------------------

Step = Callable[[Node, list[Message], State], Integers]


def _output(node: Node, messages: list[Message], state: State) -> Integers:
    return messages[0].values


def _affine(node: Node, messages: list[Message], state: State) -> Integers:
    weight, bias = node.parameter("weight"), node.parameter("bias")
    _equal(node, *zip(bias.frac, weight.frac + messages[0].frac, strict=True))
    _equal(node, (node.out["frac"], min(bias.frac)))
    total = bias.values
    for message in messages:
        total = total + (weight.values * message.values[None, :]).sum(axis=1)
    return sat(total, node.out["bits"])


def _conv2d(node: Node, messages: list[Message], state: State) -> Integers:
    weight, bias = node.parameter("weight"), node.parameter("bias")
    _equal(node, *zip(bias.frac, weight.frac + messages[0].frac, strict=True))
    _equal(node, (node.out["frac"], min(bias.frac)))
    total = as_integers(np.zeros(conv_size(node), int)) + bias.values[:, None, None]
    for o, i, k, m, r, c, source in conv_synapses(node):
        for message in messages:
            total[o, r, c] += weight.values[o, i, k, m] * message.values[source]
    return sat(total.ravel(), node.out["bits"])


def conv_size(node: Node) -> tuple[int, int, int]:
    """Return O, H', W' of a convolution."""
    weight, found = node.parameter("weight").values, []
    for axis in (0, 1):
        stride, padding, dilation = (
            int(node.fields[name][axis]) for name in ("stride", "padding", "dilation")
        )
        reach = dilation * (weight.shape[2 + axis] - 1)
        size = int(node.fields["in_shape"][1 + axis])
        found.append((size + 2 * padding - reach - 1) // stride + 1)
    return len(weight), found[0], found[1]


def conv_synapses(node: Node) -> Iterator[tuple[int, ...]]:
    """Yield o, i, k, l, r, c of each synapse, and the number of the channel that it reads."""
    weight, groups = node.parameter("weight").values, node.fields["groups"]
    channels, height, width = (int(size) for size in node.fields["in_shape"])
    outs, rows, columns = conv_size(node)
    for o, i, k, m, r, c in np.ndindex(*weight.shape, rows, columns):
        above, left = (
            place * int(node.fields["stride"][axis])
            - int(node.fields["padding"][axis])
            + element * int(node.fields["dilation"][axis])
            for axis, (place, element) in enumerate(((r, k), (c, m)))
        )
        if 0 <= above < height and 0 <= left < width:
            source = o * groups // outs * (channels // groups) + i
            yield o, i, k, m, r, c, (source * height + above) * width + left


def _ssm(node: Node, messages: list[Message], state: State) -> Integers:
    a_re, a_im, b_re, b_im, c_re, c_im, d, drive_re, drive_im, bias = (
        node.parameter(name) for name in SSM_PARAMETERS
    )
    u, out, width = joined(messages), node.out, drive_re.bits
    _equal(node, (out["frac"], bias.frac_of()))
    shift_a = a_re.frac[:, None]
    re = state.setdefault("re", 0 * a_re.values)
    im = state.setdefault("im", 0 * a_re.values)
    entering = u.values[:, None]

    def drive(b: Parameter, constant: Parameter) -> Integers:
        shift = (b.frac + u.frac - constant.frac)[:, None]
        return as_integers(tz(b.values * entering, shift) + constant.values)

    new_re = tz(a_re.values * re, shift_a) - tz(a_im.values * im, shift_a) + drive(b_re, drive_re)
    new_im = tz(a_re.values * im, shift_a) + tz(a_im.values * re, shift_a) + drive(b_im, drive_im)
    state["re"], state["im"] = re, im = sat(new_re, width), sat(new_im, width)
    shift_y = (c_re.frac + drive_re.frac - 1 - out["frac"])[:, None]
    read_out = (tz(c_re.values * re, shift_y) - tz(c_im.values * im, shift_y)).sum(axis=1)
    through = tz(d.values * u.values, d.frac + u.frac - out["frac"])
    return sat(as_integers(read_out + through + bias.values), out["bits"])


def _threshold(node: Node, messages: list[Message], state: State) -> Integers:
    u, theta = joined(messages), node.parameter("theta")
    _by_channel(node, theta.frac, u.frac)
    return as_integers((u.values >= theta.values).astype(int))


def _adaptive(node: Node, messages: list[Message], state: State) -> Integers:
    u, theta, taps = joined(messages), node.parameter("theta"), node.parameter("taps")
    _by_channel(node, theta.frac, u.frac)
    _by_channel(node, taps.frac, u.frac)
    channels, k = taps.values.shape
    earlier = state.setdefault("candidates", as_integers(np.zeros((k, channels), int)))
    y = as_integers(np.zeros(channels, int))
    now = as_integers(np.zeros(channels, int))
    for c in range(channels):
        threshold = theta.values[c] + sum(taps.values[c, j] * earlier[j, c] for j in range(k))
        y[c] = int(u.values[c] >= threshold)
        now[c] = int(u.values[c] >= theta.values[c])
    state["candidates"] = np.concatenate([now[None], earlier[:-1]])
    return y


def _complex(node: Node, messages: list[Message], state: State) -> Integers:
    a_re, a_im, u = node.parameter("a_re"), node.parameter("a_im"), joined(messages)
    own, width, out = as_integers(node.fields["state_frac"]), node.fields["state_bits"], node.out
    count, pole = len(own), a_re.frac_of()
    re = state.setdefault("re", 0 * a_re.values)
    im = state.setdefault("im", 0 * a_re.values)
    arriving = np.broadcast_to(as_integers(u.frac), (2 * count,))
    real, imaginary = u.values[:count], u.values[count:]
    new_re = tz(a_re.values * re, pole) - tz(a_im.values * im, pole)
    new_re = new_re + tz(real, arriving[:count] - own)
    new_im = tz(a_re.values * im, pole) + tz(a_im.values * re, pole)
    new_im = new_im + tz(imaginary, arriving[count:] - own)
    state["re"], state["im"] = re, im = sat(new_re, width), sat(new_im, width)
    if node.fields["gate"] == "relu":
        open_ = as_integers((re > 0).astype(int))
        re, im = re * open_, im * open_
    sent = as_integers(np.concatenate([re, im]))
    return sat(tz(sent, np.concatenate([own, own]) - out["frac"]), out["bits"])


def _ternary(node: Node, messages: list[Message], state: State) -> Integers:
    u, delta = joined(messages), node.parameter("delta")
    _by_channel(node, delta.frac, u.frac)
    up, down = u.values >= delta.values, u.values <= -delta.values
    return as_integers(up.astype(int) - down.astype(int))


def _lif(node: Node, messages: list[Message], state: State) -> Integers:
    theta, kappa, tau, rho = (node.parameter(name) for name in ("theta", "kappa", "tau", "rho"))
    u, width = joined(messages), theta.bits
    _by_channel(node, theta.frac, kappa.frac)
    k = tau.frac_of()
    _equal(node, (k, rho.frac_of()))
    if k not in LEAK_FRACS:
        raise FormatError(f"node {node.name!r}: leaks of {k} bits")
    membrane = state.setdefault("u", 0 * theta.values)
    trace = state.get("r", 0 * theta.values)
    v = sat(as_integers(tz(tau.values * membrane, k) + tz(u.values, u.frac - theta.frac)), width)
    y = as_integers((v - trace >= theta.values).astype(int))
    reset = {"hard": v * (1 - y), "soft": v - theta.values * y, "none": v}
    state["u"] = reset[node.fields["reset"]]
    if any(kappa.values):
        state["r"] = sat(tz(rho.values * trace, k) + kappa.values * y, width)
    return y


def _adaptive_lif(node: Node, messages: list[Message], state: State) -> Integers:
    theta, tau, rho, a, b = (node.parameter(name) for name in ("theta", "tau", "rho", "a", "b"))
    y, k = joined(messages), tau.frac_of()
    _equal(node, (k, rho.frac_of()))
    if k not in LEAK_FRACS or any(abs(m) >= 2.0**f for m, f in zip(a.values, a.frac, strict=True)):
        raise FormatError(f"node {node.name!r}: leaks of {k} bits, a = {a.values}")
    u = state.setdefault("u", 0 * theta.values)
    w = state.setdefault("w", 0 * theta.values)
    between = b.frac - theta.frac
    v = tz(tau.values * u, k) + tz(y.values, y.frac - theta.frac) - tz(w, between)
    v = sat(as_integers(v), theta.bits)
    s = as_integers((v >= theta.values).astype(int))
    reset = {"hard": v * (1 - s), "soft": v - theta.values * s, "none": v}
    state["u"] = reset[node.fields["reset"]]
    x = {"before": v, "after": state["u"]}[node.fields["adapts_on"]]
    left = tz(rho.values * w, k) + tz(a.values * x, a.frac - between) + b.values * s
    state["w"] = sat(as_integers(left), b.bits)
    return s


def _resonate(node: Node, messages: list[Message], state: State) -> Integers:
    theta, a_re, a_im = (node.parameter(name) for name in ("theta", "a_re", "a_im"))
    u, pole, count = joined(messages), a_re.frac_of(), len(theta.values)
    _equal(node, (pole, a_im.frac_of()))
    re = state.setdefault("re", 0 * theta.values)
    im = state.setdefault("im", 0 * theta.values)
    arriving = np.broadcast_to(as_integers(u.frac), u.values.shape)
    d_re, d_im = tz(u.values[:count], arriving[:count] - theta.frac), 0 * theta.values
    if node.fields["drive"] == "complex":
        d_im = tz(u.values[count:], arriving[count:] - theta.frac)
    next_re = tz(a_re.values * re, pole) - tz(a_im.values * im, pole) + d_re
    next_im = tz(a_re.values * im, pole) + tz(a_im.values * re, pole) + d_im
    re, state["im"] = sat(as_integers(next_re), theta.bits), sat(as_integers(next_im), theta.bits)
    y = as_integers((re >= theta.values).astype(int))
    state["re"] = re - theta.values * y if node.fields["reset"] == "soft" else re
    return y


def _embedding(node: Node, messages: list[Message], state: State) -> Integers:
    table = node.parameter("table")
    _equal(node, (node.out["frac"], table.frac_of()))
    (token,) = messages[0].values.tolist()
    return as_integers(table.values[token])


def _sum(node: Node, messages: list[Message], state: State) -> Integers:
    terms = [tz(u.values, u.frac - node.out["frac"]) for u in messages]
    return sat(as_integers(sum(terms)), node.out["bits"])


def _product(node: Node, messages: list[Message], state: State) -> Integers:
    left, right = messages
    shift = left.frac + right.frac - node.out["frac"]
    return sat(tz(left.values * right.values, shift), node.out["bits"])


def _piecewise(node: Node, messages: list[Message], state: State) -> Integers:
    u = joined(messages)
    knots, slopes, offsets = (node.parameter(name) for name in ("knots", "slopes", "offsets"))
    segment = np.array([sum(knot <= value for knot in knots.values) for value in u.values], int)
    shift = slopes.frac[segment] + u.frac - node.out["frac"]
    line = tz(slopes.values[segment] * u.values, shift) + offsets.values[segment]
    return sat(line, node.out["bits"])


def _accumulate(node: Node, messages: list[Message], state: State) -> Integers:
    u = joined(messages)
    term = sat(tz(u.values, u.frac - node.out["frac"]), node.fields["term_bits"])
    state["sum"] = sat(state.get("sum", 0 * u.values) + term, node.out["bits"])
    return state["sum"]


def _delay_sends(node: Node, state: State) -> Integers:
    waiting = state.setdefault("waiting", _nothing(node))
    return waiting[0]


def _delay_takes(node: Node, messages: list[Message], state: State) -> None:
    (message,) = messages
    taken = message.values
    if message.format != node.out:
        taken = sat(tz(taken, message.frac - node.out["frac"]), node.out["bits"])
    waiting = np.concatenate([state["waiting"][1:], as_integers(np.zeros((1, len(taken)), int))])
    for channel, steps in enumerate(node.fields["steps"].tolist()):
        waiting[steps - 1, channel] = taken[channel]
    state["waiting"] = waiting


def _nothing(node: Node) -> Integers:
    return as_integers(np.zeros((max(node.fields["steps"]), node.fields["channels"]), int))


def _equal(node: Node, *pairs: tuple[int, int]) -> None:
    for left, right in pairs:
        if left != right:
            raise FormatError(f"node {node.name!r}: fraction bits {left} and {right} must be equal")


def _by_channel(node: Node, own: Integers, other: Any) -> None:
    _equal(node, *zip(own, np.broadcast_to(other, own.shape), strict=True))


STEPS: dict[str, Step] = {
    "Output": _output,
    "Affine": _affine,
    "Conv2d": _conv2d,
    "DiagonalSSM": _ssm,
    "Threshold": _threshold,
    "AdaptiveThreshold": _adaptive,
    "ComplexDiagonal": _complex,
    "TernaryThreshold": _ternary,
    "LIF": _lif,
    "AdaptiveLIF": _adaptive_lif,
    "ResonateAndFire": _resonate,
    "Embedding": _embedding,
    "Sum": _sum,
    "Product": _product,
    "PiecewiseLinear": _piecewise,
    "Accumulate": _accumulate,
}


# --- running ---------------------------------------------------------------------------------


Watch = Callable[[Node, list[Message], Integers], None]


def run(
    file: File, inputs: Mapping[str, NDArray[Any]], watch: Watch | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what every node sends, (T, C), and all final states, for inputs (T, C).

    `watch` is told of each step of each node: what arrives and what is sent.
    """
    order, steps = _order(file.nodes), len(next(iter(inputs.values())))
    states: dict[str, State] = {node.name: {} for node in file.nodes}
    sent: dict[str, list[Integers]] = {node.name: [] for node in file.nodes}
    for t in range(steps):
        now: dict[str, Message] = {}
        late = [node for node in order if node.type == "Delay"]
        for node in late:
            now[node.name] = node.message(_delay_sends(node, states[node.name]))
        for node in (*(node for node in order if node not in late), *late):
            arriving: list[Message] = []
            if node.type == "Input":
                values = as_integers(inputs[node.name][t])
            else:
                arriving = [now[source] for source in node.sources]
            if node.type == "Delay":
                values = now[node.name].values
                _delay_takes(node, arriving, states[node.name])
            elif node.type != "Input":
                if node.type not in STEPS:
                    raise FormatError(f"node {node.name!r}: no step of a {node.type} is written")
                values = STEPS[node.type](node, arriving, states[node.name])
            now[node.name] = node.message(values)
            sent[node.name].append(values)
            if watch is not None:
                watch(node, arriving, values)
    final = {f"{name}.{part}": values for name, s in states.items() for part, values in s.items()}
    return {name: np.array(rows, dtype=object) for name, rows in sent.items()}, final


def disagreements(file: File) -> list[str]:
    """Return where golden vectors differ from what this interpreter computes; empty if equal."""
    found = []
    for number, golden in enumerate(file.golden):
        values, states = run(file, golden.inputs)
        for what, mine, theirs in (
            ("values", values, golden.values),
            ("states", states, golden.states),
        ):
            if set(mine) != set(theirs):
                found.append(f"golden {number}: {what} of {sorted(set(mine) ^ set(theirs))}")
            for name in sorted(set(mine) & set(theirs)):
                if not np.array_equal(mine[name], as_integers(theirs[name])):
                    found.append(f"golden {number}: {what} of {name!r}")
    return found


def _order(nodes: tuple[Node, ...]) -> list[Node]:
    done: dict[str, Node] = {}
    while len(done) < len(nodes):
        ready = [n for n in nodes if n.name not in done
                 and (n.type == "Delay" or all(s in done for s in n.sources))]  # fmt: skip
        if not ready:
            raise FormatError("the graph has a cycle")
        done.update((node.name, node) for node in ready)
    return list(done.values())
