"""``neurossm import``: a network of another tool becomes a graph file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES
from neurossm_workflows.describing import interface_lines

if TYPE_CHECKING:
    from neurossm.fixed import Fixed
    from neurossm.graph import Graph


@dataclass(frozen=True)
class Options:
    """What the user said about a foreign file; None where nothing."""

    dt: float | None
    convention: str | None
    tau_unit: str | None
    reset: list[str] | None
    compare: list[str] | None
    input: str | None
    steps: int | None
    layers: str | None
    scale: float | None = None
    prenorm: bool = False
    method: str | None = None
    data: str = ""
    data_dir: str = ""
    task: str = ""

    def allow(self, source: str, *names: str) -> None:
        """Refuse an option that has no meaning for a format."""
        for name, value in vars(self).items():
            if value and name not in names:
                option, got = f"--{name.replace('_', '-')}", _shown(value)
                if name in ("task", "data_dir"):
                    continue
                raise InputError(option, expected=f"none with --from {source}", got=got)


Reader = Callable[[Path, Options], tuple["Graph", str]]


def import_(
    source: Annotated[Path, typer.Argument(help="The file of the other tool."), READS],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .nssm file to write."),
                      WRITES],
    format: Annotated[
        str | None,
        typer.Option("--from", help="nir | netx | s4; by default what the file looks like."),
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Duration of a step in seconds.")] = None,
    convention: Annotated[
        str | None,
        typer.Option(help="How NIR's equations become steps: exact (default), euler, snntorch,"
                          " norse (either way in which it writes: norse-dt, norse-s), sinabs,"
                          " spikingjelly, rockpool."),
    ] = None,
    tau_unit: Annotated[
        str | None, typer.Option(help="Unit of NIR's time constants: ms (as documented) or s.")
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option(metavar="[NODE=]RULE",
                     help="After a spike: nir (to v_reset, what a file can say), subtract,"
                          " subtract-late (snnTorch's default), none; NODE=RULE for one node, and"
                          " again for others."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="[NODE=]gt|ge",
                     help="Spikes above the threshold (gt) or at it too (ge), where that is not"
                          " the convention's; NODE=gt for one node, and again for others."),
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="Data of a NIR input: binary (default) or BITS:FRAC.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Longest sequence, for the headroom of running sums; of s4: the length"
                          " over which its mean is taken."),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Only layers FIRST:STOP of a netx file.")
    ] = None,
    data: Annotated[
        str,
        typer.Option(help="Of s4: what it was trained on; see 'neurossm data'. Scale, steps and"
                          " classes are learned from the training part."), READS_DATA
    ] = "",
    scale: Annotated[
        float | None,
        typer.Option(help="Of s4 without --data: what one unit of the integer inputs is worth"
                          " (0.00392157 for pixels of 0 to 255 that it took as 0 to 1)."),
    ] = None,
    prenorm: Annotated[
        bool, typer.Option("--prenorm", help="Of s4: batch norms stand in front of the layers.")
    ] = False,
    method: Annotated[
        str | None, typer.Option(help="Of s4: zoh (default) | bilinear, as it was built.")
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="What it answers: classification (default) | multilabel | regression |"
                          " step-classification | step-regression | next-step."),
    ] = "",
    readout: Annotated[
        str,
        typer.Option(help="How a sequence is answered: last (default; spikes are counted) | max |"
                          " sum | leaky | every-step."),
    ] = "",
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Import a network of another tool; what has no counterpart is refused by name."""
    from neurossm.report import node_table
    from neurossm.store import save

    console = Console(json)
    if format is None:
        from neurossm_converters.formats.netx import looks_like_netx

        format = "netx" if looks_like_netx(source) else "nir"
        format = "s4" if source.suffix in CHECKPOINTS else format
    if format not in READERS:
        raise InputError("--from", expected=" | ".join(READERS), got=repr(format))
    options = Options(dt, convention, tau_unit, reset, compare, input, steps, layers,
                      scale, prenorm, method, data, data_dir, task)  # fmt: skip
    graph, how = READERS[format](source, options)
    if format == "s4":
        _only_mean(readout)
    else:
        graph = _answering(graph, task, readout)
    save(output, graph)
    rows = node_table(graph)
    console.document(
        {"file": str(output), "from": format, "how": how, "dt": graph.dt,
         "integer": graph.is_integer, "edges": len(graph.edges),
         "nodes": {row.name: row.type for row in rows}}
    )  # fmt: skip
    console.table(("node", "type", "channels"),
                  [(r.name, r.type, graph.nodes[r.name].out_channels) for r in rows])  # fmt: skip
    console.say(how)
    for line in interface_lines(graph):
        console.say(line)
    console.say(f"{output}: {len(graph.nodes)} nodes, {len(graph.edges)} edges")


def _only_mean(readout: str) -> None:
    if readout not in ("", "mean"):
        raise InputError("--readout", expected="mean, which is the S4Model's own",
                         got=repr(readout))  # fmt: skip


def _answering(graph: Graph, task: str, readout: str) -> Graph:
    """Return the graph that says what it answers, where the user said it."""
    from dataclasses import replace

    from neurossm.interface import EVERY_STEP, READOUTS, TASKS, Interface

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


def _from_nir(source: Path, options: Options) -> tuple[Graph, str]:
    from neurossm_converters.formats.nir import Reading, compare_of, read, reset_of

    options.allow("nir", "dt", "convention", "tau_unit", "reset", "compare", "input", "steps")
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
    )
    found = read(source, reading)
    if found.steps is None:
        given = [name for name, value in vars(options).items() if value]
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


def _from_netx(source: Path, options: Options) -> tuple[Graph, str]:
    from neurossm_converters.formats import netx

    options.allow("netx", "dt", "steps", "layers")
    first, stop = _range(options.layers)
    dt = options.dt
    graph = netx.read(source, skip_layers=first, num_layers=stop, steps=options.steps, dt=dt)
    how = "netx: the integers of the file; "
    how += "how long a step is, it leaves open" if dt is None else f"a step is {dt:g} s, as you say"
    return graph, how


def _from_s4(source: Path, options: Options) -> tuple[Graph, str]:
    from neurossm_cli.export import called
    from neurossm_workflows.own_module import ModuleOptions, described, facts_for

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


RESETS = {
    "nir": "to v_reset, all that NIR can say",
    "subtract": "by the threshold, at once (not from the file)",
    "subtract-late": "by the threshold, one step later (not from the file)",
    "none": "never (not from the file)",
}
CHECKPOINTS = (".pt", ".pth", ".ckpt")  # of PyTorch
READERS: dict[str, Reader] = {"nir": _from_nir, "netx": _from_netx, "s4": _from_s4}
