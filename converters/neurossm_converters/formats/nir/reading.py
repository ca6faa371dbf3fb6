"""Reads a NIR graph, of neurossm or of another tool, as a `Graph`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurossm.errors import FormatError, InputError, NeurossmError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm_converters.formats.nir.convention import (
    COMPARISONS,
    RESETS,
    Convention,
    Real,
    convention,
)
from neurossm_converters.formats.nir.document import Part, from_library, one_number
from neurossm_converters.formats.nir.file import read_document
from neurossm_converters.formats.nir.foreign import translate
from neurossm_converters.formats.nir.own import is_own, rebuild
from neurossm_converters.formats.nir.proposal import check_allowed
from neurossm_converters.formats.nir.sense import fitting
from neurossm_converters.formats.nir.setting import Setting
from neurossm_converters.formats.nir.state_space import steps_named

# what arithmetic on hostile numbers may raise
SLIPS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Reading:
    """What a NIR file does not say, and a reader must.

    Parameters
    ----------
    convention
        How equations become steps, one of `neurossm_converters.formats.nir.convention.NAMES`.
    dt
        Duration of a step in seconds; None for what the file or the convention says.
    tau_unit
        Unit of the time constants, ``ms`` or ``s``; None for what the file says, else ``ms``.
    reset
        ``nir``: to v_reset, the one that a file can mean. ``subtract``: by the threshold, at once.
        ``subtract-late``: by the threshold, in the step after a spike (snnTorch's default).
        ``none``: a spike leaves the membrane as it is. None for the convention's: ``subtract`` in
        ``rockpool``, else ``nir``.
    input
        Number format of the data.
    steps
        Length of a sequence, for the headroom of running sums.
    compare
        ``gt``: a membrane spikes above its threshold, ``ge``: at it too. None for the convention's.
    resets, compares
        The same for single nodes, by their names in the file.
    proposed
        True to read `StateSpace` and `Reset`, which docs/explanation/nir-proposal.md proposes.
    """

    convention: str = "exact"
    dt: float | None = None
    tau_unit: str | None = None
    reset: str | None = None
    input: Fixed = field(default_factory=Fixed.binary)
    steps: int | None = None
    compare: str | None = None
    resets: Mapping[str, str] = field(default_factory=dict)
    compares: Mapping[str, str] = field(default_factory=dict)
    proposed: bool = False

    def __post_init__(self) -> None:
        for option, known, one, each in (
            ("--reset", RESETS, self.reset, self.resets),
            ("--compare", COMPARISONS, self.compare, self.compares),
        ):
            for rule in (*((one,) if one is not None else ()), *each.values()):
                if rule not in known:
                    raise InputError(option, expected=" | ".join(known), got=repr(rule))


@dataclass(frozen=True)
class Imported:
    """What came out of a NIR file.

    Parameters
    ----------
    graph
        The float graph.
    own
        True where neurossm wrote it: then the file says everything, and no `Reading` was used.
    steps
        What a step is; None where neurossm wrote it.
    """

    graph: Graph
    own: bool
    steps: Convention | None


def from_nir(converted: Any, reading: Reading | None = None) -> Graph:
    """Return the graph of a `nir.NIRGraph`.

    Parameters
    ----------
    converted
        A graph of the `nir` library.
    reading
        How to read the graph of another tool; None takes only what neurossm wrote.

    Raises
    ------
    FormatError
        If it is not what neurossm wrote and no `reading` is given, or was edited.
    GraphError, RangeError
        If a node has no counterpart, or the nodes do not hold together.
    """
    document = from_library(converted)
    return rebuild(document) if reading is None else translated(document, reading).graph


def read_back(path: str | Path) -> Graph:
    """Return the graph of the NIR part of a file that neurossm wrote.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is no NIR file, or not one that neurossm wrote.
    """
    document = read_document(Path(path)).root
    with _naming(path):
        return rebuild(document)


def read(path: str | Path, reading: Reading | None = None) -> Imported:
    """Return the graph of a NIR file of any tool.

    Raises
    ------
    InputError
        If there is no such file, or the reading does not say what it must.
    FormatError
        If it is no NIR file, is damaged, or is a neurossm graph already.
    GraphError, RangeError
        If something has no counterpart; named.
    """
    file = read_document(Path(path))
    if file.beside_own:
        raise FormatError(
            str(path),
            expected="a NIR file alone",
            got="a neurossm graph with NIR beside it",
            remedy="it needs no import; every command takes it as it is",
        )
    with _naming(path):
        found = translated(file.root, reading or Reading())
    if found.own:
        return found
    meta: dict[str, str | int | float] = {"imported_from": "NIR", "nir_version": file.version}
    if found.steps:
        rules = reading or Reading()
        meta |= {"convention": found.steps.describe(), "reset": reset_of(rules, found.steps)}
        if rules.compare or rules.compares:
            meta["compare"] = compare_of(rules, found.steps)
    return replace(found, graph=replace(found.graph, meta={**found.graph.meta, **meta}))


def translated(document: Part, reading: Reading) -> Imported:
    """Return the graph of a document; see `read`."""
    check_allowed(document, reading.proposed)
    if is_own(document):
        return Imported(rebuild(document), True, None)
    said: dict[str, Any] = {}
    if document.metadata.get("dt_unit") == "s":  # what neurossm leaves; of others we know nothing
        known = document.metadata
        said = {"tau_unit": known["tau_unit"]} if "tau_unit" in known else {}
        if "dt" in known and known.get("dt_known") != "no":
            said["dt"] = one_number(known, "dt", "NIR")
    if reading.dt is None and (named := steps_named(document)):
        said["dt"] = named[0]  # of several, the others are refused where they stand
    taus = time_constants(document)
    if reading.convention == "norse" and not taus.size and delays_in(document):
        raise InputError("--convention", expected="norse-dt | norse-s, as no time constant tells"
                         " which of them the delays of this file are in", got="norse")  # fmt: skip
    steps = convention(
        reading.convention, reading.dt, reading.tau_unit, said, taus, fitting(document)
    )
    setting = Setting(
        steps, reading.reset or steps.reset, reading.compare or steps.compare, reading.input,
        reading.steps, reading.resets, reading.compares,
    )  # fmt: skip
    return Imported(translate(document, setting), False, steps)


def reset_of(reading: Reading, steps: Convention) -> str:
    """Return the rules of reset in one line, as options say them."""
    each = (f"{name}={rule}" for name, rule in sorted(reading.resets.items()))
    return " ".join((reading.reset or steps.reset, *each))


def compare_of(reading: Reading, steps: Convention) -> str:
    """Return the comparisons in one line, as options say them."""
    each = (f"{name}={rule}" for name, rule in sorted(reading.compares.items()))
    return " ".join((reading.compare or steps.compare, *each))


def delays_in(document: Part) -> bool:
    """Return whether a graph has delays."""
    parts = document.nodes.values()
    return any(part.kind == "Delay" or delays_in(part) for part in parts)


def time_constants(document: Part) -> Real:
    """Return all time constants of a graph that are positive and finite."""
    found: list[float] = []
    for part in document.nodes.values():
        for name in ("tau", "tau_mem", "tau_syn"):
            stored = part.fields.get(name)
            if isinstance(stored, np.ndarray) and stored.dtype.kind in "fiu":
                values = stored.astype(np.float64).ravel()
                found += values[np.isfinite(values) & (values > 0)].tolist()
        found += time_constants(part).tolist()
    return np.array(found)


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Put the name of the file in front of what went wrong with it."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by the nodes
            yield
    except InputError:
        raise  # an option, not the file
    except NeurossmError as error:
        raise error.inside(f"{path}: ") from None
    except SLIPS as error:
        raise FormatError(
            str(path), expected="a sound NIR file", got=f"another ({type(error).__name__})"
        ) from None
