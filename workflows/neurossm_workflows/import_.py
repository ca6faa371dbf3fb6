"""Imports a network of another tool as a graph, and checks the options for its file.

What has no counterpart stops with an error that names it, by the readers in
`neurossm_converters.formats`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.arguments import file_path, options_of
from neurossm.errors import InputError
from neurossm.interface import EVERY_STEP, READOUTS, TASKS, Interface
from neurossm_workflows.loading import called
from neurossm_workflows.own_module import ModuleOptions, described, facts_for

if TYPE_CHECKING:
    from neurossm.fixed import Fixed
    from neurossm.graph import Graph

RESETS = {
    "nir": "to v_reset, all that NIR can say",
    "subtract": "by the threshold, at once (not from the file)",
    "subtract-late": "by the threshold, one step later (not from the file)",
    "none": "never (not from the file)",
}
CHECKPOINTS = (".pt", ".pth", ".ckpt")  # of PyTorch


@dataclass(frozen=True)
class Imported:
    """A graph, the format that its file had, and in a sentence how it was read."""

    graph: Graph
    format: str
    how: str


@dataclass(frozen=True)
class ImportOptions:
    """What the user says of a foreign file; None and empty where nothing.

    Attributes
    ----------
    dt
        Seconds of a step.
    convention, tau_unit
        Of NIR: how its equations become steps, and the unit of its time constants.
    reset, compare
        Of NIR: rules after a spike and at the threshold, for all nodes, or ``NODE=RULE`` for one.
    input
        Of NIR: ``binary`` or ``BITS:FRAC``.
    proposed
        Of NIR: True to read nodes that are only proposed (docs/explanation/nir-proposal.md).
    steps
        Longest sequence.
    layers
        Of netx: ``FIRST:STOP``.
    scale, prenorm, method, data, data_dir
        Of s4: the unit of its inputs, where its norms stand, how it was discretized; what it was
        trained on.
    task, readout
        What it answers, and how.
    """

    dt: float | None = None
    convention: str | None = None
    tau_unit: str | None = None
    reset: list[str] | None = None
    compare: list[str] | None = None
    input: str | None = None
    proposed: bool = False
    steps: int | None = None
    layers: str | None = None
    scale: float | None = None
    prenorm: bool = False
    method: str | None = None
    data: str = ""
    data_dir: str = ""
    task: str = ""
    readout: str = ""

    def allow(self, source: str, *names: str) -> None:
        """Refuse an option that has no meaning for a format."""
        for name, value in vars(self).items():
            if value and name not in names:
                option, got = f"--{name.replace('_', '-')}", _shown(value)
                if name in ("task", "readout", "data_dir"):
                    continue
                raise InputError(option, expected=f"none with --from {source}", got=got)


Reader = Callable[[Path, ImportOptions], tuple["Graph", str]]


def import_network(source: str | Path, format: str | None = None, **options: Any) -> Imported:
    """Return the graph of another tool's file.

    Parameters
    ----------
    source
        The file.
    format
        ``"nir"``, ``"netx"`` or ``"s4"``; None: what the file looks like.
    **options
        The attributes of `ImportOptions`.

    Raises
    ------
    InputError
        For an option that has no meaning for the format, or is missing.
    GraphError, FormatError
        For what has no counterpart here, and for invalid files; the message names it.

    Examples
    --------
    >>> found = neurossm.import_network("net.nir", convention="snntorch", dt=1e-3)
    >>> neurossm.save("net.nssm", found.graph)
    """
    file = file_path("source", source)
    if format is None:
        format = _looks_like(file)
    if format not in READERS:
        raise InputError("--from", expected=" | ".join(READERS), got=repr(format))
    chosen = options_of("import_network", ImportOptions, options)
    graph, how = READERS[format](file, chosen)
    if format != "s4":
        graph = _answering(graph, chosen.task, chosen.readout)
    elif chosen.readout not in ("", "mean"):
        raise InputError("--readout", expected="mean, which is the S4Model's own",
                         got=repr(chosen.readout))  # fmt: skip
    return Imported(graph, format, how)


def _looks_like(file: Path) -> str:
    from neurossm_converters.formats.netx import looks_like_netx

    if file.suffix in CHECKPOINTS:
        return "s4"
    return "netx" if looks_like_netx(file) else "nir"


def _answering(graph: Graph, task: str, readout: str) -> Graph:
    """Return the graph that says what it answers, where the user said it."""
    known = tuple(name for name in READOUTS if name != "mean")  # a file does not say its steps
    for option, value, names in (("--task", task, TASKS), ("--readout", readout, known)):
        if value and value not in names:
            raise InputError(option, expected=" | ".join(names), got=repr(value))
    if task in EVERY_STEP and readout not in ("", "every-step"):
        raise InputError("--readout", expected=f"every-step for a {task}", got=repr(readout))
    if not task and not readout:
        return graph
    about = Interface.of(graph)
    return replace(about, task=task or about.task, readout=readout or about.readout).applied(graph)


def _from_nir(source: Path, options: ImportOptions) -> tuple[Graph, str]:
    from neurossm_converters.formats.nir import Reading, compare_of, read, reset_of

    options.allow("nir", "dt", "convention", "tau_unit", "reset", "compare", "input", "steps",
                  "proposed")  # fmt: skip
    reset, resets = _rules("--reset", options.reset)
    compare, compares = _rules("--compare", options.compare)
    reading = Reading(
        options.convention or "exact",
        options.dt,
        options.tau_unit,
        reset,
        _format(options.input or "binary"),
        options.steps,
        compare,
        resets,
        compares,
        options.proposed,
    )
    found = read(source, reading)
    if found.steps is None:
        given = [
            name
            for name, value in vars(options).items()
            if value and name not in ("readout", "proposed")
        ]
        if given:
            raise InputError(
                f"--{given[0].replace('_', '-')}",
                expected="none, as neurossm wrote this file and says everything in it",
                got=_shown(getattr(options, given[0])),
            )
        return found.graph, "written by neurossm: read back as it was"
    first, *each = reset_of(reading, found.steps).split(" ")
    how = f"{found.steps.describe()}; reset {RESETS[first]}"
    if each:
        how += "; " + ", ".join(each)
    if options.compare:
        how += f"; compare {compare_of(reading, found.steps)}"
    return found.graph, how


def _rules(option: str, given: list[str] | None) -> tuple[str | None, dict[str, str]]:
    """Return the rule for all nodes, None where there is none, and those for single nodes."""
    every: str | None = None
    each: dict[str, str] = {}
    for text in given or ():
        name, equals, rule = text.rpartition("=")
        if name in each or (not equals and every is not None):
            expected = "one rule for a node, and one for all others"
            raise InputError(option, expected=expected, got=" ".join(given or ()))
        if equals:
            each[name] = rule
        else:
            every = rule
    return every, each


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _from_netx(source: Path, options: ImportOptions) -> tuple[Graph, str]:
    from neurossm_converters.formats import netx

    options.allow("netx", "dt", "steps", "layers")
    first, stop = _range(options.layers)
    dt = options.dt
    graph = netx.read(source, skip_layers=first, num_layers=stop, steps=options.steps, dt=dt)
    how = "netx: the integers of the file; "
    how += "how long a step is, it leaves open" if dt is None else f"a step is {dt:g} s, as you say"
    return graph, how


def _from_s4(source: Path, options: ImportOptions) -> tuple[Graph, str]:

    options.allow("s4", "dt", "steps", "scale", "prenorm", "method", "data")
    from neurossm_converters.formats.torch.foreign import from_s4_checkpoint

    method = options.method or "zoh"
    how = f"s4: the S4Model of example.py, {method}, {'prenorm' if options.prenorm else 'no norms'}"
    if not options.data:
        for name in ("scale", "steps"):
            if getattr(options, name) is None:
                raise InputError(f"--{name}", expected="it, or --data, from which it is learned",
                                 got="none")  # fmt: skip
        graph = from_s4_checkpoint(
            source, steps=options.steps or 0, scale=options.scale, prenorm=options.prenorm,
            method=method, dt=options.dt,
        )  # fmt: skip
        return graph, how
    if options.scale is not None:
        raise InputError(
            "--scale", expected="none with --data, which say it", got=str(options.scale)
        )
    known = ModuleOptions(data=options.data, data_dir=options.data_dir, task=options.task)
    facts = facts_for(known)
    found = facts.scaling
    graph = from_s4_checkpoint(
        source, steps=options.steps or facts.steps, prenorm=options.prenorm, method=method,
        dt=options.dt or facts.dt, scale=facts.scale if found is None else found.scale,
        offset=0.0 if found is None else found.offset,
        bits=facts.bits if found is None else int(found.bits),
    )  # fmt: skip
    return described(graph, facts, called(options.data), str(source)), how


def _format(text: str) -> Fixed:
    from neurossm.fixed import Fixed

    if text == "binary":
        return Fixed.binary()
    bits, _, frac = text.partition(":")
    try:
        return Fixed(int(bits), int(frac))
    except ValueError as error:
        got = f"{text!r} ({error})" if hasattr(error, "where") else repr(text)
        raise InputError("--input", expected="binary or BITS:FRAC, such as 8:7", got=got) from None


def _range(text: str | None) -> tuple[int, int | None]:
    if text is None:
        return 0, None
    first, colon, stop = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return int(first or 0), int(stop) if stop else None
    except ValueError:
        raise InputError("--layers", expected="FIRST:STOP, such as 0:3", got=repr(text)) from None


READERS: dict[str, Reader] = {"nir": _from_nir, "netx": _from_netx, "s4": _from_s4}
