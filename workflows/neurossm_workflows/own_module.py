"""``neurossm export FILE.py:FUNCTION``: a module of your own, with the data it was made for.

Shape letters: ``B`` samples, ``T`` steps, ``F`` channels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.errors import GraphError, InputError, NeurossmWarning
from neurossm.fixed import Scaling
from neurossm.interface import CLASSIFICATION, EVERY_STEP, READOUTS, TASKS, Interface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset, Task

SUFFIX = ".py"
SAMPLES = 4  # of the data, on which module and graph are compared
NORMALIZE = ("none", "standard")
STEP_READOUT = "every-step"


@dataclass(frozen=True)
class ModuleOptions:
    """What the user said of a module; empty and None where nothing.

    Attributes
    ----------
    weights
        A state dict or safetensors.
    data
        What it was trained on: shape, scale, classes and example come from there.
    steps, dt
        Of a sequence; seconds of a step.
    task, readout
        Of the interface; else what the labels look like, and what forward says.
    layout
        Axes of what forward takes, such as ``btf``.
    normalize
        ``none``: forward takes the values of the data; ``standard``: those less their mean over
        their deviation, as `neurossm train` feeds its networks, and answers of mean 0 and
        deviation 1.
    converters
        Name of a dictionary beside the function: module type to converter.
    step
        Whether forward takes one step, and remembers the rest itself.
    """

    weights: str | Path | None = None
    data: str = ""
    data_dir: str = ""
    steps: int | None = None
    dt: float | None = None
    task: str = ""
    readout: str = ""
    layout: str = ""
    normalize: str = ""
    converters: str = ""
    step: bool = False

    def said(self) -> list[str]:
        """Return the options that were given, as they are typed."""
        ours = ("data_dir", "dt")  # of runs, too
        return [f"--{name}" for name, value in vars(self).items() if value and name not in ours]


def is_module(spec: str) -> bool:
    """Tell whether this names a function in a file of Python, and no run."""
    path, colon, name = spec.rpartition(":")
    return bool(colon and name) and path.endswith(SUFFIX)


def export_module(spec: str, options: ModuleOptions) -> Graph:
    """Return the float graph of a module, proven on samples of the data.

    Raises
    ------
    InputError
        If the options, the data or the weights do not fit.
    GraphError
        For what cannot be expressed, by the path of the module; as `from_torch`.
    """
    from neurossm_converters.formats.torch import from_torch
    from neurossm_converters.formats.torch.foreign.slayer_module import LAYOUT, slayer_blocks
    from neurossm_converters.formats.torch.loading import build_with
    from neurossm_converters.formats.torch.modules import unwrapped

    _check(options)
    facts = facts_for(options)
    module, converters = build_with(spec, options.weights, options.converters, facts)
    blocks = slayer_blocks(unwrapped(module))
    if blocks and not options.layout:
        options = replace(options, layout=LAYOUT)
    data = _training(options, facts)
    example, layout = _example(data, facts, options)
    found, standard = facts.scaling, options.normalize == "standard"
    said = found is not None or facts.vocabulary
    graph = from_torch(
        module, example, layout=layout, dt=options.dt or facts.dt, readout=options.readout,
        converters=converters, step=options.step,
        scaling=found, scale=None if said else facts.scale, bits=None if said else facts.bits,
        offset=0.0 if found is None or standard else found.offset,
    )  # fmt: skip
    return reading_padding(described(graph, facts, data.name, spec), module, data)


def reading_padding(graph: Graph, module: Any, data: Dataset | None = None) -> Graph:
    """Return the graph that remembers whether its module knew where sequences end; say it."""
    import inspect

    from neurossm_workflows.made_for import READS_PADDING, padding_text

    by_end = Interface.of(graph).readout not in ("", STEP_READOUT)
    if not by_end or "lengths" in inspect.signature(module.forward).parameters:
        return graph
    if data is not None and data.lengths is not None and len({*data.lengths}) > 1:
        warnings.warn(padding_text(data), NeurossmWarning, stacklevel=2)
    return replace(graph, meta={**graph.meta, READS_PADDING: 1})


def facts_for(options: ModuleOptions) -> Task:
    """Return what the training part of the data says, as the module takes it."""
    from neurossm_models.data import is_own, learn, task

    if not is_own(options.data):
        for option, value in (("--task", options.task), ("--normalize", options.normalize)):
            if value:
                raise InputError(option, expected="data of your own with it", got=options.data,
                                 remedy="a registered data set says that itself")  # fmt: skip
        return task(options.data.partition(":")[0])
    standard = options.normalize == "standard"
    facts = learn(options.data, options.task)
    if standard or facts.scaling is None:
        return facts
    found = facts.scaling  # forward takes the values themselves
    raw = Scaling(found.unit, found.offset, found.unit, found.bits)
    return replace(facts, scaling=raw, target=None)


def _check(options: ModuleOptions) -> None:
    if not options.data:
        raise InputError("export of a module requires --data, what it was trained on",
                         remedy="--data FILE.npz: its training part says the scale, the"
                         " length and the classes, and gives the example")  # fmt: skip
    for option, value, known in (("--task", options.task, TASKS),
                                 ("--readout", options.readout, READOUTS),
                                 ("--normalize", options.normalize, NORMALIZE)):  # fmt: skip
        if value and value not in known:
            raise InputError(option, expected=" | ".join(known), got=repr(value))


def _training(options: ModuleOptions, facts: Task) -> Dataset:
    from neurossm_models.data import is_own, load

    root = options.data_dir or None
    if is_own(options.data):
        return load(options.data, root, facts=facts, split="train")
    return load(options.data, root)


def _example(data: Dataset, facts: Task, options: ModuleOptions) -> tuple[Any, str | None]:
    """Return what forward takes of a few of the longest samples, and its axes."""
    import torch

    order = np.arange(min(len(data), 4096))
    if data.lengths is not None:
        order = np.argsort(-data.lengths, kind="stable")
    part = data.take(np.sort(order[:SAMPLES])).trimmed()
    values: NDArray[Any] = part.inputs
    steps = options.steps or values.shape[1]
    if steps > values.shape[1]:
        raise InputError("--steps", expected=f"at most {values.shape[1]}, those of the data",
                         got=str(steps))  # fmt: skip
    values = values[:, :steps]
    if facts.vocabulary:
        return torch.from_numpy(values[:, :, 0].astype(np.int64)), options.layout or None
    raw = facts.scaling is not None and options.normalize != "standard"
    values = data.scaling.to_values(values) if raw and data.scaling else values * data.factors
    layout = options.layout or "btf"
    if layout in ("bt", "tb") and values.shape[2] == 1:
        values, axes = values[:, :, 0], "bt"
    else:
        axes = "btf"
        if sorted(layout) != sorted(axes):
            raise InputError("--layout", expected="the letters b, t and f in the order of the axes,"
                             " or bt for a single channel", got=repr(layout))  # fmt: skip
    values = np.transpose(values, [axes.index(letter) for letter in layout])
    return torch.from_numpy(np.ascontiguousarray(values)), layout


def described(graph: Graph, facts: Task, data: str, spec: str) -> Graph:
    """Return the graph that says what goes in and comes out, and what its data are called.

    Raises
    ------
    GraphError
        If what it answers is not what its data ask for.
    """
    about = Interface.of(graph)
    by_step, answered = facts.kind in EVERY_STEP, about.readout == STEP_READOUT
    if len(graph.outputs) == 1 and by_step != answered:
        got = "results of every step" if answered else f"one a sequence ({about.readout})"
        remedy = "say --readout mean, last, max or sum" if answered else "return every step"
        raise GraphError(f"module {spec!r}", got=got, remedy=remedy,
                         expected=f"answers of a {facts.kind}, the task of its data")  # fmt: skip
    channels = graph.nodes[graph.outputs[0]].out_channels
    if channels < facts.classes:
        raise GraphError(f"module {spec!r}", expected=f"{facts.classes} numbers an answer, as its"
                         " data ask for", got=str(channels))  # fmt: skip
    if channels > facts.classes and facts.kind == CLASSIFICATION:
        warnings.warn(
            f"module {spec!r} has {channels} outputs, its data {facts.classes} classes: a sample"
            " for which one of the other outputs is the largest has no class",
            NeurossmWarning,
            stacklevel=2,
        )
    known = replace(
        about,
        task=facts.kind,
        scaling=_of_spikes(facts.scaling) if graph.is_integer else facts.scaling,
        target=facts.target,
        class_names=facts.class_names,
        channel_names=facts.channel_names,
        split=facts.split,
    )
    meta: dict[str, str | int | float] = {"run": spec, "data": data}
    if facts.scaling is None:
        meta["input_scale"] = facts.scale
    if facts.order:
        meta["data_order"] = facts.order
    made = known.applied(graph)
    return replace(made, meta={**made.meta, **meta})


def _of_spikes(scaling: Scaling | None) -> Scaling | None:
    """Return how data become the spikes of a SLAYER network: as they are, of one bit."""
    return None if scaling is None else replace(scaling, bits=1)
