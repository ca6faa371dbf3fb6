"""Samples of your own: read, checked, and converted to the integers of the graph's `Input`."""

from __future__ import annotations

import json
import zipfile
from typing import Any, NamedTuple

import numpy as np

from neurossm_chip.arithmetic import are_whole, to_units
from neurossm_chip.nssm import File, Golden, Node
from neurossm_chip.refusal import Refusal

KEYS = ("inputs", "labels", "lengths", "class_names", "answers", "graph_sha256")
# what files of neurossm may hold beside that and a run has no use for
BESIDE = ("groups", "dt", "channel_names", "scale", "order", "provenance", "vocabulary")


class Own(NamedTuple):
    """Inputs (n, T, C), 0 behind the end of each; its steps (n,); labels and answers, or None.

    `places`: the file of the labels names its classes, whose places the labels are.
    """

    inputs: Any
    lengths: Any
    labels: Any
    answers: Any
    clipped: int
    places: bool = False

    def vectors(self, name: str) -> tuple[Golden, ...]:
        """Return the inputs as vectors of which nothing is known that must come out."""
        return tuple(Golden({name: array}, {}, {}) for array in self.inputs)


def read_own(file: File, inputs: str, labels: str, samples: int) -> Own:
    """Return the first so many samples (0: all) of ``.npy`` or ``.npz`` files.

    Real numbers become integers as the file of the graph says; what is beyond the range saturates
    and is counted. Integers are those of the `Input`.
    """
    node = _only_input(file)
    found = _read("--inputs", inputs)
    named = found
    if labels:
        named = _read("--labels", labels, "labels")
        found["labels"] = named.get("labels")
    where = "--inputs " + inputs
    array = _shaped(where, found["inputs"], node)
    count = min(samples or len(array), len(array))
    lengths = _lengths(where, found.get("lengths"), len(array), array.shape[1])[:count]
    array = array[:count]
    inside = np.arange(array.shape[1]) < lengths[:, None]
    array = np.where(inside[:, :, None], array, np.zeros_like(array))
    integers, clipped = _integers(where, array, file, node)
    integers = np.where(inside[:, :, None], integers, 0)[:, : int(lengths.max())]
    known = found.get("labels")
    if known is not None and len(known) != len(found["inputs"]):
        raise Refusal(f"labels: expected {len(found['inputs'])}, one a sample, got {len(known)}")
    return Own(
        integers, lengths, None if known is None else known[:count],
        _answers(where, found, file, count), clipped, bool(len(named.get("class_names", ()))),
    )  # fmt: skip


def _only_input(file: File) -> Node:
    nodes = [node for node in file.nodes if node.type == "Input"]
    if len(nodes) != 1:
        names = ", ".join(node.name for node in nodes)
        raise Refusal(f"--inputs: expected a graph with one Input, got {names}")
    return nodes[0]


def _read(option: str, path: str, only: str = "inputs") -> dict[str, Any]:
    """Return the arrays of a file by their names; a ``.npy`` has the one that is asked for."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {only: loaded}
        with loaded:
            other = sorted(set(loaded.files) - set(KEYS + BESIDE))
            if only not in loaded.files or other:
                got = ", ".join(sorted(loaded.files)) or "nothing"
                expected = ", ".join(KEYS[:3])
                raise Refusal(f"{option} {path}: expected the names {expected}, got {got}")
            return {name: loaded[name] for name in KEYS if name in loaded.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Refusal(f"{option} {path} cannot be read: {reason}") from error


def _shaped(where: str, array: Any, node: Node) -> Any:
    if array.ndim == 2 and node.channels == 1:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] != node.channels or 0 in array.shape:
        raise Refusal(
            f"{where}: expected samples x steps x {node.channels} channels, got shape {array.shape}"
        )
    if array.dtype.kind not in "biuf":
        raise Refusal(f"{where}: expected integers or real numbers, got {array.dtype}")
    return array


def _lengths(where: str, given: Any, samples: int, steps: int) -> Any:
    if given is None:
        return np.full(samples, steps)
    lengths = np.asarray(given)
    if lengths.shape != (samples,) or lengths.dtype.kind not in "iu":
        raise Refusal(f"{where}: expected lengths as {samples} integers, got {lengths.dtype},"
                      f" shape {lengths.shape}")  # fmt: skip
    if lengths.min() < 1 or lengths.max() > steps:
        raise Refusal(f"{where}: expected lengths from 1 to {steps}, got {lengths.min()} to"
                      f" {lengths.max()}")  # fmt: skip
    return lengths.astype(np.int64)


def _integers(where: str, array: Any, file: File, node: Node) -> tuple[Any, int]:
    """Return the integers of the `Input`, and how many real numbers were clipped."""
    low, high = _range(file, node)
    tokens = any(target.type == "Embedding" for target in file.targets(node.name))
    clipped = 0
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)):
            raise Refusal(f"{where}: expected finite numbers, got nan or infinity")
        scaling = None if tokens else _scaling(file, node)
        if scaling is None and (tokens or node.out.kind != "graded"):
            what = "tokens" if tokens else "spikes"
            if not are_whole(array):
                raise Refusal(f"{where}: expected whole numbers, as they are {what}")
        else:
            unit, offset, largest = scaling or (2.0**-node.out.frac, 0.0, high)
            array, clipped = to_units(array, unit, offset, min(largest, high))
    least, most = array.min(), array.max()
    if least < low or most > high:
        raise Refusal(f"{where}: expected integers from {low} to {high}, got {least} to {most}")
    return array.astype(np.int64), clipped


def _range(file: File, node: Node) -> tuple[int, int]:
    high = 2 ** (node.out.bits - 1) - 1 if node.out.kind == "graded" else 1
    tables = [len(n.values("table")) for n in file.targets(node.name) if n.type == "Embedding"]
    if tables:
        return 0, min(min(tables) - 1, high)
    return 0 if node.out.kind == "binary" else -high, high


def _scaling(file: File, node: Node) -> Any:
    """Return unit, offset and largest integer as the graph says them; None where it does not."""
    said = file.meta.get("input_scaling")
    try:
        if said is not None:
            scaling = json.loads(said)
            unit, offset = (np.array(scaling[key], float) for key in ("unit", "offset"))
            every = np.ones(node.channels)  # a number stands for all channels
            unit, offset = (part * every if part.ndim == 0 else part for part in (unit, offset))
            if unit.shape != (node.channels,) or offset.shape != unit.shape or not np.all(unit > 0):
                raise ValueError("units")
            return unit, offset, 2 ** int(scaling["bits"]) - 1
        one = file.meta.get("input_scale")
        if one is None or node.out.kind != "graded":
            return None
        if not 0 < one < float("inf"):
            raise ValueError("unit")
        return one, 0.0, 2 ** (node.out.bits - 1) - 1
    except (ValueError, KeyError, TypeError):
        raise Refusal("the graph's scaling of its input is not readable") from None


def _answers(where: str, found: dict[str, Any], file: File, count: int) -> Any:
    """Return the answers that neurossm wrote beside the inputs; None where there are none."""
    if "answers" not in found:
        return None
    if str(found.get("graph_sha256")) != file.graph_sha256:
        raise Refusal(f"{where}: its answers are those of another graph than this one")
    return found["answers"][:count]
