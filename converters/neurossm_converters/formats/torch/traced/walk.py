"""Walks the recorded graph from its inputs to its results and tracks what every tensor holds.

What cannot be expressed is collected, so that all of it is named at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from neurossm.errors import GraphError, NeurossmError
from neurossm_converters.formats.torch.builder import Builder
from neurossm_converters.formats.torch.modules import kind_of, remedy_for
from neurossm_converters.formats.torch.traced.calls import (
    check_arguments,
    dims_of,
    in_slices,
    is_shape,
    positional,
)
from neurossm_converters.formats.torch.traced.doubles import in_double
from neurossm_converters.formats.torch.traced.recorder import name_of
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import (
    MODULES,
    OPERATIONS,
    REFUSING,
    UNKNOWN,
    Handler,
    Kept,
    Poisoned,
    State,
    Useless,
    Window,
)
from neurossm_converters.formats.torch.traced.wiring import Wiring

# operations that hold the values of tensors as they are
CARRYING = {
    "stack", "cat", "concat", "concatenate", "getitem", "select", "permute", "transpose", "t", "T",
    "mT", "movedim", "squeeze", "unsqueeze", "reshape", "view", "flatten", "unbind",
}  # fmt: skip
# operations that some of the steps of a tensor may take part in
SHIFTING = {"getitem", "narrow", "cat", "concat", "concatenate", "pad", "zeros_like", "new_zeros"}


@dataclass
class Walk:
    """Goes through a recorded graph.

    Attributes
    ----------
    builder, wiring
        What nodes are added to.
    modules
        Path to module.
    constants
        Name to tensor.
    converters
        Module type to converter; before the table of layers.
    membranes
        Module type to the converter of its last result, where somebody uses that as values.
    extent
        Sizes of batch and time.
    values
        What each recorded tensor holds.
    created
        Names of the nodes that each recorded call added.
    problems
        What was refused: where, and the error.
    """

    builder: Builder
    wiring: Wiring
    modules: Mapping[str, nn.Module]
    constants: Mapping[str, torch.Tensor]
    converters: Mapping[type[nn.Module], Callable[..., Any]]
    membranes: Mapping[type[nn.Module], Callable[..., Any]]
    extent: dict[str, int]
    own: frozenset[type[nn.Module]] = frozenset()
    values: dict[fx.Node, Any] = field(default_factory=dict)
    created: dict[fx.Node, tuple[str, ...]] = field(default_factory=dict)
    problems: dict[str, GraphError] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """T."""
        return self.extent["t"]

    def name(self, node: fx.Node) -> str:
        """Return the name of the operation of a node."""
        return name_of(node.target).strip("_")

    def hint(self, node: fx.Node) -> str:
        """Return how the nodes of a call are to be named."""
        path = str(node.meta["path"])
        if node.op == "call_module":
            return path or type(self.modules[path]).__name__.lower()
        name = self.name(node)
        return f"{path}.{name}" if path else name

    def where(self, node: fx.Node) -> str:
        """Return how messages call a recorded call."""
        path = str(node.meta["path"])
        place = f"module {path!r} ({kind_of(self.modules[path])})" if path else "model"
        if node.op == "call_module":
            return place
        return f"{self.name(node)} in {place} at {node.meta['frame']}"

    def advice(self, node: fx.Node) -> str:
        """Return what to do instead of the innermost module around a call that has such a line."""
        path = str(node.meta["path"])
        while path:
            module = self.modules[path]
            if type(module) not in self.own and (known := self.builder.remedy(module)):
                return known
            path = path.rpartition(".")[0]
        return ""

    def run(self, graph: fx.Graph, inputs: Mapping[str, Signal]) -> Any:
        """Return what the results hold, in the structure in which forward returns them."""
        for node in graph.nodes:
            before = len(self.builder.nodes)
            if node.op == "placeholder":
                self.values[node] = inputs[node.target]
            elif node.op == "get_attr":
                self.values[node] = self.constants[node.target]
            elif node.op == "output":
                return pytree.tree_map(self._result, self._known(node.args[0]))
            else:
                self.values[node] = self._called(node)
            self.created[node] = tuple(self.builder.nodes)[before:]
        raise AssertionError("a graph without results")

    def forced(self, node: fx.Node, signal: Any) -> Signal:
        """Return the rows themselves: a mean or sum as the running sum at its last step."""
        if not isinstance(signal, Signal):
            raise Unfollowed("a tensor that depends on the input", type(signal).__name__)
        if not signal.reduce:
            return signal
        if signal.reduce == "max":
            raise Unfollowed("the largest value over time as a result", "operations behind it",
                             "apply them at every step, before the maximum")  # fmt: skip
        rows = signal.rows.scaled(1 / self.steps) if signal.reduce == "mean" else signal.rows
        return replace(signal, rows=self.wiring.summed(rows, f"{self.hint(node)}.sum"), reduce="")

    def refuse(self, where: str, error: GraphError) -> None:
        """Collect a refusal."""
        # the same operation at every step of a loop is one problem
        self.problems.setdefault(f"{where} {error.expected}{error.problem} {error.remedy}", error)

    def _known(self, item: Any) -> Any:
        return fx.node.map_arg(item, lambda node: self.values[node])

    def _called(self, node: fx.Node) -> Any:
        args, kwargs = self._known(node.args), self._known(node.kwargs)
        leaves = pytree.tree_leaves((args, kwargs, in_slices((args, kwargs))))
        poisoned = any(isinstance(leaf, Poisoned) for leaf in leaves)
        where = self.where(node)
        try:
            if poisoned:
                self._alone(node)
                return Poisoned()
            piece = node.op == "call_function" and isinstance(args[0] if args else 0, tuple)
            for leaf in leaves:
                if isinstance(leaf, Useless) and not piece:
                    raise leaf.reason
            if node.op == "call_module":
                return self._module(node, args, kwargs)
            return self._function(node, args, kwargs, leaves)
        except Unfollowed as error:
            advice = self.advice(node) if node.op == "call_function" else ""
            self.refuse(where, GraphError(where, expected=error.expected, got=error.got,
                                          remedy=advice or error.remedy))  # fmt: skip
        except GraphError as error:
            self.refuse(error.where, error)
        except NeurossmError as error:
            self.refuse(where, GraphError(f"{where}: {error}"))
        except Exception as error:  # of a converter, or of arguments that nobody thought of
            found = GraphError(where, expected=f"a {'converter' if self._is_own(node) else 'call'}"
                               " that succeeds", got=f"{type(error).__name__}: {error}",
                               remedy=UNKNOWN if not self._is_own(node) else "")  # fmt: skip
            found.__cause__ = error
            self.refuse(where, found)
        return Poisoned()

    def _is_own(self, node: fx.Node) -> bool:
        return node.op == "call_module" and type(self.modules[str(node.target)]) in self.own

    def _alone(self, node: fx.Node) -> None:
        """Refuse a call that would be refused whatever it is given."""
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            kind = type(module)
            handler = MODULES.get(kind) if kind not in self.own else None
            if handler is None:
                self._converter(module)
            elif handler in REFUSING:
                handler(self, node, module)
        elif self._handler(self.name(node)) in REFUSING:
            self._handler(self.name(node))(self, node)

    def _handler(self, name: str) -> Handler:
        handler = OPERATIONS.get(name)
        if handler is None:
            raise Unfollowed("an operation that a graph has", name, UNKNOWN)
        return handler

    def _converter(self, module: nn.Module) -> Callable[..., Any]:
        converter = self.converters.get(type(module))
        if converter is None:
            known = self.builder.remedy(module)
            raise Unfollowed("a module that a graph has", kind_of(module, type(module).__name__),
                             remedy_for(module) or known or UNKNOWN)  # fmt: skip
        return converter

    def _function(self, node: fx.Node, args: Any, kwargs: Any, leaves: list[Any]) -> Any:
        if not any(isinstance(leaf, Signal | State | Kept | Window) for leaf in leaves):
            with in_double():
                assert callable(node.target)  # of a function, no name
                return node.target(*args, **kwargs)
        name = self.name(node)
        if isinstance(args[0], State) and name in ("detach", "clone", "contiguous"):
            return args[0]
        kept: list[Kept | Window] = [leaf for leaf in leaves if isinstance(leaf, Kept)]
        if name not in SHIFTING:
            kept += [leaf for leaf in leaves if isinstance(leaf, Window)]
        if name in CARRYING and not any(isinstance(leaf, Signal) for leaf in leaves):
            held = args[:1] if name == "getitem" else leaves
            kept += [k for k in map(self._result, held) if isinstance(k, Kept) and k not in kept]
            if kept:
                return kept[0]
        if kept:
            raise kept[0].reason
        args, kwargs = pytree.tree_map(self._valued, (args, kwargs)) if (
            name != "getitem"
        ) else (tuple(map(self._valued, args)), kwargs)  # fmt: skip
        handler = self._handler(name)
        args, kwargs = positional(args, kwargs)
        check_arguments(handler, self, node, args, kwargs)
        return handler(self, node, *args, **kwargs)

    def _module(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        path, module = str(node.target), self.modules[str(node.target)]
        for leaf in pytree.tree_leaves((args, kwargs)):
            if isinstance(leaf, Kept | Window):
                raise leaf.reason
        kind = type(module)
        if kind in MODULES and kind not in self.own:
            handler = MODULES[kind]
            check_arguments(handler, self, node, (module, *args), kwargs)
            return handler(self, node, module, *args, **kwargs)
        converter = self._converter(module)
        args = (*map(self._valued, args[:1]), *args[1:])
        if not args or not isinstance(args[0], Signal):
            raise Unfollowed("an input that depends on the input of the network",
                             "a constant, or one by name only")  # fmt: skip
        return self._converted(node, path, module, converter, args, kwargs)

    def _converted(
        self, node: fx.Node, path: str, module: nn.Module, converter: Callable[..., Any],
        args: Any, kwargs: Any,
    ) -> Any:  # fmt: skip
        signal = self.forced(node, args[0])
        key = ("module", path, signal.rows.key)
        self._check_states(path, signal, pytree.tree_leaves((args[1:], kwargs)), key)

        def make() -> Any:
            source = self.wiring.node(signal.rows, f"{self.hint(node)}.in")
            first = len(self.builder.nodes)
            found = converter(self.builder, self.wiring.free(self.hint(node)), module, source)
            self.wiring.space(first)
            return found if isinstance(found, tuple) else (found,)

        names = self.wiring.once(key, make)
        for name in names:
            if name is not None and name not in self.builder.nodes:
                raise Unfollowed("the name of a node from its converter", repr(name),
                                 "return what builder.add returned")  # fmt: skip
        shapes = node.meta["shapes"]
        if not isinstance(shapes, list):
            return self._sent(signal, names[0], shapes)
        last = self.steps - 1 if signal.at is None else signal.at
        results: list[Any] = []
        for place, shape in enumerate(shapes):
            name = names[place] if place < len(names) else None
            if name is not None:
                results.append(self._sent(signal, name, shape))
            else:
                results.append(pytree.tree_map(
                    lambda size, n=place: State(path, signal.rows.key, last, n, size,
                                                n == len(shapes) - 1, signal),
                    shape, is_leaf=is_shape,
                ))  # fmt: skip
        return tuple(results)

    def _result(self, item: Any) -> Any:
        """Return a state as values, or as what is kept where they cannot be had."""
        try:
            found = self._valued(item)
        except GraphError as error:
            return Kept(item.path, error)
        if not isinstance(found, State):
            return found
        module = self.modules[found.path]
        reason = GraphError(
            f"state of module {found.path!r} ({kind_of(module)})",
            expected="a tensor that depends on the input",
            got="the state of a cell",
            remedy="return the outputs only; for one step of a network, step=True",
        )
        return Kept(found.path, reason)

    def _valued(self, item: Any) -> Any:
        """Return a state as the values that its cell sends, where they can be had."""
        if not isinstance(item, State) or not item.last or item.signal is None:
            return item
        module, signal = self.modules[item.path], item.signal
        converter = self.membranes.get(type(module))
        if converter is None or type(module) in self.own:
            return item

        def make() -> Any:
            source = self.wiring.node(signal.rows, f"{item.path}.in")
            return converter(self.builder, item.path, module, source)

        name = self.wiring.once(("membrane", item.path, item.key), make)
        found = self._sent(signal, name, item.shape)
        return found if signal.at is not None else replace(found, at=None)

    def _check_states(self, path: str, signal: Signal, states: list[Any], key: Any) -> None:
        """Check that a cell is given its own state of the step before, or at first none of ours.

        What it sent at the step before is a state too, where it is driven by its own spikes.
        """
        at = 0 if signal.at is None else signal.at
        found = [state for state in states if isinstance(state, Signal | State)]
        made = self.wiring.known(key)
        if made is not None and isinstance(made[0], str):
            own = self.wiring.rows_of(made[0]).key
            found = [s for s in found if not (isinstance(s, Signal) and not s.reduce
                                              and (s.at, s.rows.key) == (at - 1, own))]  # fmt: skip
        if any(isinstance(state, Signal) for state in found):
            raise Unfollowed("one input, and states", "two inputs that depend on the data",
                             "concatenate them, or write the module without a converter"
                             )  # fmt: skip
        expected = State(path, signal.rows.key, at - 1)
        if any(state != expected for state in found) or (found and at == 0):
            raise Unfollowed("its own state of the step before", "another",
                             "pass back what the cell returned last")  # fmt: skip

    def _sent(self, signal: Signal, name: str, shape: Any) -> Signal:
        """Return what a node sends as a tensor of this shape."""
        rows = self.wiring.rows_of(name)
        if not isinstance(shape, tuple):
            raise Unfollowed("a tensor as its first result", type(shape).__name__)
        return Signal(dims_of(signal, rows, shape, self.extent), rows, signal.at)
