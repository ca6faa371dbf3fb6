"""Graphs and traces: our own files, NIR, netx."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hostile.examples import around, example, golden_of, integer_graph
from hostile.fuzzing.formats import Format
from hostile.fuzzing.hdf5_edits import hdf5, structures
from hostile.fuzzing.outcomes import Read
from hostile.fuzzing.tree_edits import tree

from neurossm_converters.formats.hdf5 import reading

FIXTURES = Path(__file__).parents[2] / "fixtures"
MOST_REPLAYED = 2**12  # channels times steps; an accepted graph may be larger than the seeds


def _written(write: Callable[..., object], *arguments: object) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        write(path, *arguments)
        return path.read_bytes()


def _graphs() -> tuple[bytes, ...]:
    from neurossm import store

    graph = integer_graph()
    kinds = ("LIF", "TernaryThreshold", "Embedding", "PiecewiseLinear", "Product", "Accumulate")
    others = [around(example(name, integer=True)) for name in kinds]
    others += [around(example(name, integer=False)) for name in ("DiagonalSSM", "Affine")]
    whole = _written(store.save, graph, golden_of(graph, steps=3, count=1))
    return (whole, whole, whole, *(_written(store.save, other) for other in others))


def _read_graph(path: Path) -> object:
    """Load, and do with it what ``show`` and ``verify`` do."""
    from neurossm import store
    from neurossm.engine import run
    from neurossm.errors import GraphError

    store.describe(path)
    graph = store.load(path)
    golden = store.load_golden(path, graph)
    store.graph_digest(graph)
    size = sum(node.out_channels + node.states for node in graph.nodes.values())
    for vector in golden:
        if size * vector.steps <= MOST_REPLAYED:
            inputs = {name: array[None] for name, array in vector.inputs.items()}
            try:
                run(graph, inputs, "reference")
            except GraphError as error:  # the contract names the node; the command names the file
                raise type(error)(f"{path}: {error}") from None
    return graph


def _traces() -> tuple[bytes, ...]:
    from neurossm import store
    from neurossm.engine import run
    from neurossm.trace import Trace

    trace = run(integer_graph(), {"pixel": np.zeros((2, 3, 2), np.int64)}, "reference")
    floats = Trace("float", {"x": np.zeros((2, 3, 4))}, 2, 3, {"x.v": np.zeros((2, 4))})
    return _written(store.save_trace, trace), _written(store.save_trace, floats)


def _read_trace(path: Path) -> object:
    from neurossm import store

    return store.load_trace(path)


def _nir() -> tuple[bytes, ...]:
    names = ("sinabs-lif-scalar", "snntorch-leaky-zero", "norse-lif", "nir-1.0.6", "ours-lif",
             "ours-ssm")  # fmt: skip
    return tuple((FIXTURES / "nir" / f"{name}.nir").read_bytes() for name in names)


def _read_nir(path: Path) -> object:
    from neurossm_converters.formats.nir import Reading, read

    return read(path, Reading("euler", 1e-3, "s", steps=16))


def _proposed() -> tuple[bytes, ...]:
    folder = Path(__file__).parents[3] / "docs" / "nir-proposal"
    names = ("reset-both", "reset-resonator", "state-space-drive", "state-space-seconds")
    return tuple((folder / f"{name}.nir").read_bytes() for name in names)


def _read_proposed(path: Path) -> object:
    from neurossm_converters.formats.nir import Reading, read

    return read(path, Reading(dt=5e-4, proposed=True))


def _netx() -> tuple[bytes, ...]:
    return tuple((FIXTURES / "netx" / name).read_bytes() for name in ("slayer.net", "layout.net"))


def _read_netx(path: Path) -> object:
    from neurossm_converters.formats import netx

    return netx.read(path, steps=16)


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a file that sends HDF5 round for ever take a second only."""
    before, reading.SECONDS = reading.SECONDS, 1.0
    try:
        yield
    finally:
        reading.SECONDS = before


def _foreign(name: str, file: str, make: Callable[[], tuple[bytes, ...]], read: Read) -> Format:
    edits = (hdf5, hdf5, structures)
    # the process that reads is no doing of a file
    start = reading.start
    return Format(name, file, make, read, edits, small=_impatient, start=start, damage=0.3)


FORMATS = (
    Format(
        "nssm", "graph.nssm", _graphs, _read_graph, (hdf5, structures, tree, tree, tree), damage=0.3
    ),
    Format("trace", "trace.nssm", _traces, _read_trace, (hdf5, structures, tree, tree), damage=0.3),
    _foreign("nir", "net.nir", _nir, _read_nir),
    _foreign("nir-proposed", "net.nir", _proposed, _read_proposed),
    _foreign("netx", "net.net", _netx, _read_netx),
)
