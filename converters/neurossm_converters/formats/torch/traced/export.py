"""Exports a module with an example as a graph that was checked against it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.utils import _pytree as pytree

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Embedding, Input
from neurossm.passes import fold_average_pooling, fold_batch_norm
from neurossm_converters.formats.torch.builder import Builder, Converter
from neurossm_converters.formats.torch.families import BLOCKS
from neurossm_converters.formats.torch.foreign import (
    foreign_containers,
    foreign_converters,
    foreign_membranes,
    foreign_remedies,
)
from neurossm_converters.formats.torch.layers import LAYERS, REMEDIES
from neurossm_converters.formats.torch.modules import plain
from neurossm_converters.formats.torch.traced import (
    activations,
    arithmetic,
    layers,
    linear,
    shaping,
)
from neurossm_converters.formats.torch.traced.doubles import changed_settings, fresh, in_double
from neurossm_converters.formats.torch.traced.inputs import Given
from neurossm_converters.formats.torch.traced.loops import FEWEST, Iterations, LoopWalk
from neurossm_converters.formats.torch.traced.proof import TOLERANCE, prove, replayed
from neurossm_converters.formats.torch.traced.recorder import Recorder
from neurossm_converters.formats.torch.traced.results import (
    add_outputs,
    differing,
    named,
    pruned,
    without_states,
)
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import MODULES
from neurossm_converters.formats.torch.traced.walk import Walk
from neurossm_converters.formats.torch.traced.wiring import Wiring

TABLES = (activations, arithmetic, layers, linear, shaping)  # importing them fills the tables
STEPS_AT_ONCE = 24  # of a module that takes one step; it does the same at each

Integers = dict[str, NDArray[np.int64]]


class Export:
    """One module on its way to a graph.

    Parameters
    ----------
    model
        A module in evaluation mode.
    converters
        Those of the user, which come first.
    step, state
        As of `from_torch`.
    """

    def __init__(
        self, model: nn.Module, converters: dict[type[nn.Module], Converter], step: bool,
        state: tuple[Any, ...],
    ) -> None:  # fmt: skip
        self.own = frozenset(converters)
        self.converters: dict[type[nn.Module], Converter] = {
            **LAYERS, **BLOCKS, **foreign_converters(), **converters,
        }  # fmt: skip
        self.model, self.step, self.state = plain(model, self.is_leaf), step, state
        self._given: list[Given] = []
        self._settings: dict[str, dict[str, Any]] = {}
        self.left_out: tuple[str, ...] = ()  # cells whose states forward returns

    def is_leaf(self, module: nn.Module) -> bool:
        """Tell whether a module becomes one node: it is in a table, or PyTorch's own."""
        kind = type(module)
        if kind in self.own:
            return True
        if kind in (nn.Sequential, nn.ModuleList, nn.ModuleDict):
            return False
        known = kind in self.converters or kind in MODULES
        return known or kind.__module__.startswith(("torch.nn.", "torch.ao."))

    def arguments(self) -> list[str]:
        """Return the names of forward's arguments."""
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(self.model.forward).parameters.values()
        names = [p.name for p in parameters if p.kind in kinds]
        if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
            names += [f"input{place}" for place in range(16)]
        return names

    def graph(self, found: list[Given], by_name: bool, readout: str) -> Graph:
        """Return the folded graph, proven on the example and on random data."""
        steps = found[0].integers.shape[1]
        self._check_given(found, by_name)
        if self.step:
            found = [item.first(STEPS_AT_ONCE) for item in found]
        self._given = found
        names = {"input": (self.arguments() or ["x"])[0]} if not by_name and len(found) == 1 else {}
        placed = {names.get(item.name, item.name): item for item in found}
        example = {item.name: item.integers for item in found}
        recorder = Recorder(self._copied(), self.is_leaf)
        tensors = {name: item.tensor(example[item.name]) for name, item in placed.items()}
        recorded = recorder.record(tensors, self._forward(recorder.model), by_name)
        walk, reads = self._followed(recorder, recorded, placed, steps, readout)
        _refuse_all(walk)
        self._fit_tokens(walk, found)
        whole = Graph(
            walk.builder.nodes, tuple(walk.builder.edges), meta=_meta(found, reads, steps)
        )
        folded = fold_average_pooling(fold_batch_norm(pruned(whole), rest="affine"))
        for data in (example, _random(whole, found)):
            tensors = {name: item.tensor(data[item.name]) for name, item in placed.items()}
            self._check_recorded(recorder, recorded, tensors, by_name)
            prove(whole, walk, recorded, self._modules(), data, tensors)
            _check_folded(whole, folded, data)
        return folded

    def _followed(
        self, recorder: Recorder, recorded: fx.Graph, placed: dict[str, Given], steps: int,
        readout: str,
    ) -> tuple[Walk, dict[str, str]]:  # fmt: skip
        """Return what every call holds, and how results are read."""
        reserved = ["output", *(name for name, _ in named(_results(recorded)))]

        def follow(walk: Walk) -> tuple[Walk, dict[str, str]]:
            inputs = {name: self._input(walk, item) for name, item in placed.items()}
            results, self.left_out = without_states(walk.run(recorded, inputs))
            return walk, add_outputs(walk, results, readout)

        walk, reads = follow(self._walk(recorder, steps, reserved))
        length = self._given[0].integers.shape[1]
        iterations = Iterations(recorded, recorder.turns, length) if length >= FEWEST else None
        if not walk.problems or iterations is None or not iterations.back():
            return walk, reads
        try:  # a step uses what the one before has computed
            kind = partial(LoopWalk, iterations=iterations)
            looped, found = follow(self._walk(recorder, steps, reserved, kind))
        except Unfollowed:  # no loop of the same calls: refused as it was
            return walk, reads
        fewer = len(looped.problems) < len(walk.problems)
        return (looped, found) if fewer else (walk, reads)

    def _check_given(self, found: list[Given], by_name: bool) -> None:
        """Refuse an example without something that forward cannot do without."""
        parameters = inspect.signature(self.model.forward).parameters.values()
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]
        names = {item.name for item in found}
        missing = [n for n in needed if n not in names] if by_name else needed[len(found) :]
        if missing and not self.step:
            raise GraphError(
                "forward of model", expected="an example of all that it takes",
                got=f"none for {', '.join(map(repr, missing))}",
                remedy=f"give a default in forward ({missing[0]}=None), or a tuple of all inputs",
            )  # fmt: skip

    def _modules(self) -> dict[str, nn.Module]:
        """Return path to module, untouched but for what forward sets."""
        modules = dict(fresh(self.model).named_modules())
        for path, settings in self._settings.items():
            for name, value in settings.items():
                setattr(modules[path], name, value)
        return modules

    def _copied(self) -> nn.Module:
        """Return a copy; where there is none, name the part for which there is a remedy."""
        try:
            return fresh(self.model)
        except GraphError:
            remedies = {**REMEDIES, **foreign_remedies()}
            for path, module in self.model.named_modules():
                if type(module) in remedies and type(module) not in self.converters:
                    kind = type(module).__name__
                    raise GraphError(f"module {path!r} ({kind})", expected="one that a graph has",
                                     got=kind, remedy=remedies[type(module)]) from None  # fmt: skip
            raise

    def _forward(self, model: nn.Module) -> Callable[..., Any]:
        """Return what runs the module on sequences."""
        if not self.step:
            return model
        axes = [item.layout.index("t") for item in self._given]
        # where it takes no states, it keeps them
        takes = len(self.arguments()) > len(axes)

        def unrolled(*args: Any, **named: Any) -> Any:
            states, answers = pytree.tree_map(_wide, tuple(self.state)), []
            values = (*args, *named.values())
            for t in range(values[0].shape[axes[0]]):
                now = [value.select(axis, t) for value, axis in zip(values, axes, strict=True)]
                rest = dict(zip(named, now[len(args) :], strict=True))
                result = model(*now[: len(args)], *states, **rest)
                several = isinstance(result, tuple | list)
                states = tuple(result[1:]) if several and takes else ()
                answers.append(result[0] if several else result)
            return torch.stack(answers, 1)

        return unrolled

    def _walk(
        self, recorder: Recorder, steps: int, reserved: list[str], kind: Callable[..., Walk] = Walk
    ) -> Walk:
        converters = {**foreign_containers(), **self.converters}  # for modules within others
        builder = Builder(converters, {**REMEDIES, **foreign_remedies()})
        samples, length = self._given[0].integers.shape[:2]
        extent = {"b": samples, "t": length}
        return kind(builder, Wiring(builder, steps, reserved), recorder.modules, recorder.constants,
                    self.converters, foreign_membranes(), extent, self.own)  # fmt: skip

    def _input(self, walk: Walk, item: Given) -> Signal:
        channels = item.integers.shape[2]
        walk.builder.add(item.name, Input(channels=channels, out=item.format))
        rows = walk.wiring.rows_of(item.name)
        gain = item.scale * 2.0**item.frac
        plain = np.all(gain == 1) and not np.any(item.offset)
        rows = rows if item.tokens or plain else rows.scaled(gain, item.offset)
        return Signal(item.dims, rows, tokens=item.tokens)

    def _fit_tokens(self, walk: Walk, found: list[Given]) -> None:
        """Give inputs of tokens the width that their number needs."""
        for item in found:
            tables = [
                walk.builder.nodes[target]
                for source, target in walk.builder.edges if source == item.name
            ]  # fmt: skip
            sizes = [table.tokens for table in tables if isinstance(table, Embedding)]
            if sizes:
                width = max(1, (min(sizes) - 1).bit_length())
                walk.builder.nodes[item.name] = Input(channels=1, out=Fixed(width + 1, 0))

    def _check_recorded(
        self, recorder: Recorder, recorded: Any, tensors: dict[str, torch.Tensor], by_name: bool
    ) -> None:
        """Check that what was recorded is what forward does, whatever the values."""
        model = fresh(self.model)
        forward = self._forward(model)
        with in_double():
            result = forward(**tensors) if by_name else forward(*tensors.values())
        text = differing(result, replayed(recorded, recorder.constants, self._modules(), tensors))
        if text and not self._settings:
            # forward may tell its modules something first, such as how large the batch is
            self._settings = changed_settings(self.model, recorder.model)
            text = differing(
                result, replayed(recorded, recorder.constants, self._modules(), tensors)
            )
        if text:
            raise GraphError(
                "model", expected="a forward that does the same operations whatever the values",
                got=text, remedy="look for random numbers, writing in place, and values that are"
                " taken out of tensors",
            )  # fmt: skip


def _wide(state: Any) -> Any:
    """Return a state in float64, as all that it meets is."""
    floating = isinstance(state, torch.Tensor) and state.is_floating_point()
    return state.double() if floating else state


def _results(recorded: fx.Graph) -> Any:
    return next(node.args[0] for node in recorded.nodes if node.op == "output")


def _refuse_all(walk: Walk) -> None:
    """Raise what was refused; several refusals as one."""
    problems = list(walk.problems.values())
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = " / ".join(str(problem) for problem in problems)
        raise GraphError(f"model: {len(problems)} things that a graph cannot hold: {listed}")


def _meta(found: list[Given], reads: dict[str, str], steps: int) -> dict[str, str | int | float]:
    meta: dict[str, str | int | float] = {"steps": steps}
    first = found[0]
    if np.all(first.scale == first.scale[0]):
        meta["input_scale"] = float(first.scale[0])
    for name, kind in reads.items():
        meta.setdefault("readout", kind)
        if kind != meta["readout"]:
            meta[f"readout.{name}"] = kind
    return meta


def _random(graph: Graph, found: list[Given]) -> Integers:
    """Return random data in the range of the example."""
    generator, data = np.random.default_rng(0), {}
    for item in found:
        low, high = int(item.integers.min()), int(item.integers.max())
        if item.name in graph.vocabularies:
            low, high = 0, graph.vocabularies[item.name] - 1
        data[item.name] = generator.integers(low, high + 1, item.integers.shape)
    return data


def _check_folded(whole: Graph, folded: Graph, data: Integers) -> None:
    """Check that folding norms and leaving out what nothing needs changed no result."""
    before, after = (run(graph, dict(data), "float", "outputs") for graph in (whole, folded))
    for name in folded.outputs:
        one, other = (np.asarray(t.values[name], np.float64) for t in (before, after))
        if np.abs(one - other).max() > TOLERANCE * np.abs(one).max():
            place = tuple(int(i) for i in np.unravel_index(np.abs(one - other).argmax(), one.shape))
            raise GraphError(
                f"result {name!r}", expected=f"{one[place]:.9g}",
                got=f"{other[place]:.9g} once norms are folded: a membrane met its threshold to the"
                " last bit", remedy="give another example",
            )  # fmt: skip
