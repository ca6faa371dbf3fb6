"""Compares a run with the golden vectors: every integer, no tolerance."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from neurossm_chip.cells import cell_of, program
from neurossm_chip.network import Network
from neurossm_chip.nssm import File, Node
from neurossm_chip.refusal import Refusal


class Row(NamedTuple):
    """One node or state: how many integers were compared, how many differ, the largest distance."""

    name: str
    what: str
    compared: int
    differing: int
    largest: int


class Comparison(NamedTuple):
    """Rows in graph order, and the arrays: values (B, T, C); states of the samples that have them.

    On a chip only the outputs and the states after the last sample can be read. A delay is in the
    arrays, moved from what was sent to it, and not in the rows.
    """

    rows: list[Row]
    values: dict[str, Any]
    states: dict[str, Any]

    @property
    def equal(self) -> bool:
        """True where something was compared and nothing differs."""
        return bool(self.rows) and not any(row.differing for row in self.rows)


def compare(file: File, network: Network, final: dict[str, Any]) -> Comparison:
    """Read what the processes wrote and compare; `final` are states read through Lava."""
    values, states = _collected(file, network, final)
    rows = []
    for name, found in values.items() if file.golden[0].values else ():
        rows.append(_row(name, "values", found, [v.values[name] for v in file.golden]))
    for name, found in states.items():
        golden = [v.states[name] for v in file.golden][-len(found) :]
        rows.append(_row(name, "states", found, golden))
    for name, found in final.items():
        # where the process wrote it down too: what Lava reads is what the process has
        if states[name].shape[1:] == found.shape and len(states[name]) == network.plan.samples:
            rows.append(_row(name, "states, read", found, file.golden[-1].states[name]))
    # what delays did is known too, from what was sent to them; it would prove nothing to compare it
    for node in file.nodes:
        _move(file, node, values, states)
    values = {node.name: values[node.name] for node in file.nodes if node.name in values}
    return Comparison(rows, values, states)


def _collected(
    file: File, network: Network, final: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what all nodes sent, and their states, as far as it is known."""
    values: dict[str, Any] = {}
    states: dict[str, Any] = {}
    for node in file.nodes:
        if node.type == "Delay":  # its messages travel in synapses, where nobody sees them
            continue
        stem = network.stem(node.name)
        if node.type == "Output":
            values[node.name] = _read_by_host(network, node, stem + ".sink.npy")
        elif os.path.exists(stem + ".values.npy"):
            sent = np.load(stem + ".values.npy", allow_pickle=False)
            samples, steps = network.plan.samples, network.plan.steps_each
            sent = sent.reshape(samples, steps, -1)
            values[node.name] = sent[:, :, network.channels(node.name)]
        # Lava's own neurons have states of another meaning
        kept = cell_of(node.name, node.type).kept(node)
        for part in kept if node.name not in network.choices else ():
            name, path = f"{node.name}.{part}", f"{stem}.{network.part(node.name, part)}.npy"
            if os.path.exists(path):
                states[name] = np.load(path, allow_pickle=False)
            elif name in final:
                states[name] = final[name][np.newaxis]
    return values, states


def _read_by_host(network: Network, node: Node, path: str) -> Any:
    """Return what an `Output` kept, moved by the delays in front of it."""
    kept = np.load(path, allow_pickle=False)
    (one,) = network.wiring.into(node.name)
    first = network.leaving(one.source).index(one.source) * node.channels
    sent = kept[network.plan.worked(node.name)][:, :, first : first + node.channels]
    found = np.zeros_like(sent)
    for channel, steps in enumerate(one.steps):
        found[:, steps:, channel] = sent[:, : max(0, sent.shape[1] - steps), channel]
    return found


def _move(file: File, node: Node, values: dict[str, Any], states: dict[str, Any]) -> None:
    """Put in what a delay has sent, and what still waits, from what was sent to it."""
    if node.type != "Delay" or node.name in values or not file.golden[0].values:
        return
    sender = next(other for other in file.nodes if other.name == node.sources[0])
    _move(file, sender, values, states)
    played = [vector.inputs.get(sender.name) for vector in file.golden]
    arrived = np.array(played) if sender.type == "Input" else values.get(sender.name)
    if arrived is None:
        return
    kind, parameters = program(node, [sender])
    cell = kind(parameters, node.channels)
    state = cell.initial(len(arrived))
    sent = [cell.update(state, [arrived[:, step]]) for step in range(arrived.shape[1])]
    values[node.name] = np.stack(sent, axis=1)
    states.update({f"{node.name}.{part}": array for part, array in cell.parts(state).items()})


def joined(parts: list[Comparison], which: list[list[int]]) -> Comparison:
    """Return one comparison from those of runs with other golden vectors of the same graph.

    `which` are the numbers of the vectors of each part. Values stand in the order of vectors, and
    are 0 behind the end of a shorter one.
    """
    rows = []
    for same in zip(*[part.rows for part in parts]):
        compared, differing = sum(row.compared for row in same), sum(row.differing for row in same)
        largest = max(row.largest for row in same)
        rows.append(Row(same[0].name, same[0].what, compared, differing, largest))
    order = np.argsort(np.concatenate(which))
    values = {n: _stacked([p.values[n] for p in parts])[order] for n in parts[0].values}
    states = {n: np.concatenate([p.states[n] for p in parts]) for n in parts[0].states}
    # on a chip there are those of the last vector of a run alone
    states = {n: a[order] if len(a) == len(order) else a for n, a in states.items()}
    return Comparison(rows, values, states)


def _stacked(values: list[Any]) -> Any:
    longest = max(array.shape[1] for array in values)
    width = [((0, 0), (0, longest - array.shape[1]), (0, 0)) for array in values]
    return np.concatenate([np.pad(array, pad) for array, pad in zip(values, width)])


def _row(name: str, what: str, found: Any, golden: Any) -> Row:
    if np.shape(found) != np.shape(golden):
        raise Refusal(f"{name} ({what}): shape {np.shape(found)}, expected {np.shape(golden)}")
    distance = np.abs(np.asarray(found, np.int64) - np.asarray(golden, np.int64))
    differing = int(np.count_nonzero(distance))
    return Row(name, what, int(distance.size), differing, int(distance.max(initial=0)))
