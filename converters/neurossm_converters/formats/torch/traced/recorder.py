"""Records the forward pass on an example as a `torch.fx` graph.

Forward runs once, on real tensors: every shape is known, and control flow that depends on shapes
just happens. Each call that takes a tensor which depends on the input becomes a node of the graph;
modules of the types in the table of converters are one node each. What depends on no input is a
constant. Control flow that depends on values is refused where it stands.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from neurossm.errors import GraphError, NeurossmError
from neurossm_converters.formats.torch.traced.doubles import in_double
from neurossm_converters.formats.torch.traced.frames import call_site, raised_at, user_frame

# what is asked of a tensor without asking for its values
_FACTS = {
    "size", "dim", "numel", "nelement", "element_size", "stride", "is_contiguous", "__len__",
    "is_floating_point", "is_complex", "get_device", "storage_offset", "ndimension", "type",
    "__repr__", "__format__", "__hash__", "is_tensor", "is_inference", "is_signed", "data_ptr",
    "_version", "is_same_size", "requires_grad_", "retain_grad", "is_pinned", "untyped_storage",
}  # fmt: skip
_VALUES = {
    "__bool__", "item", "tolist", "numpy", "__int__", "__float__", "__index__", "__complex__",
    "__array__", "__contains__", "is_nonzero", "equal", "allclose", "nonzero", "argwhere",
    "masked_select",
}  # fmt: skip
_KEPT = {"requires_grad_", "retain_grad"}
_LOOK_LIKE_IN_PLACE = {"requires_grad_", "_version"}


class Followed(torch.Tensor):
    """A tensor that depends on the input; what is done with it is recorded."""

    node: fx.Node
    recorder: Recorder

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function of PyTorch on the plain tensors and record it."""
        recorder = _first((args, kwargs or {}))
        return recorder.function(func, args, kwargs or {})


class Recorder:
    """Records one run of a module.

    Parameters
    ----------
    model
        The module, as `fresh` returned it.
    is_leaf
        Which modules become one node.
    """

    def __init__(self, model: nn.Module, is_leaf: Callable[[nn.Module], bool]) -> None:
        self.graph, self.model, self._is_leaf = fx.Graph(), model, is_leaf
        self.constants: dict[str, torch.Tensor] = {}
        self.turns: dict[Any, int] = {}  # how often each call was made, also in vain
        self.modules: dict[str, nn.Module] = dict(model.named_modules())
        self._paths = {id(module): path for path, module in self.modules.items()}
        named = (*model.named_parameters(), *model.named_buffers())
        self._names = {id(tensor): name for name, tensor in named}
        self._opaque: dict[int, tuple[Any, fx.Node]] = {}
        self._stack, self._paused = [""], False

    def record(
        self, inputs: Mapping[str, torch.Tensor], forward: Callable[..., Any], by_name: bool
    ) -> fx.Graph:
        """Return the graph of one run; its placeholders are named as the inputs.

        Parameters
        ----------
        inputs
            Name to tensor, in the order of forward.
        forward
            What runs the module.
        by_name
            Whether it takes them by name.

        Raises
        ------
        GraphError
            For what depends on values, and where forward fails.
        """
        followed = {name: self._placeholder(name, value) for name, value in inputs.items()}
        try:
            with in_double(), self._modules_followed():
                result = forward(**followed) if by_name else forward(*followed.values())
        except NeurossmError:
            raise
        except (Exception, SystemExit) as error:
            raise GraphError(
                f"model at {raised_at(error)}",
                expected="a forward that runs on the example",
                got=f"{type(error).__name__}: {error}",
                remedy="see that model(example) runs, and that layout says what its axes are",
            ) from error
        self.graph.output(self._argument(result))
        self._forget_unused()
        return self.graph

    def function(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of PyTorch; record it unless it asks only for facts such as a shape."""
        name = name_of(func)
        if name == "__iter__":
            return iter(torch.unbind(args[0], 0))
        if name in _VALUES:
            self._refuse_values(name)
        if (
            kwargs.get("out") is not None
            or ((writes := _writes(name)) and not isinstance(args[0], Followed))
            or name == "__setitem__"
        ):
            self._refuse_writing(name)
        with self._pause():
            result = func(*plain(args), **plain(kwargs))
        if name in _KEPT:
            return args[0]
        if not _has_tensor(result):
            if name in _FACTS or getattr(func, "__name__", "") == "__get__":
                return result
            self._refuse_values(name)
        node = self._add("call_function", func, args, kwargs, "")
        if writes or kwargs.get("inplace"):
            args[0].node, node.meta["writes"] = node, True
            return args[0]
        return self._wrapped(result, node)

    def module(
        self, path: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any],
        call: Callable[..., Any],
    ) -> Any:  # fmt: skip
        """Run a leaf and record it as one node."""
        with self._pause():
            result = call(module, *plain(args), **plain(kwargs))
        node = self._add("call_module", path, args, kwargs, path)
        node.meta["shapes"] = _shapes(result)
        if getattr(module, "inplace", False) and isinstance(args[0], Followed):
            args[0].node, node.meta["writes"] = node, True
        return self._wrapped(result, node)

    def _forget_unused(self) -> None:
        """Take out what no result needs; modules stay, which may remember what they were given."""
        for node in reversed(list(self.graph.nodes)):
            if node.op in ("call_function", "get_attr") and not node.users:
                self.graph.erase_node(node)

    def _placeholder(self, name: str, value: torch.Tensor) -> Followed:
        node = self.graph.placeholder(name)
        node.meta.update(path="", frame="", key=name)
        return self._followed(value.clone(), node)

    def _followed(self, value: torch.Tensor, node: fx.Node) -> Followed:
        found = value.as_subclass(Followed)
        found.node, found.recorder = node, self
        node.meta.update(shape=tuple(value.shape), dtype=value.dtype)
        return found

    def _add(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], path: str
    ) -> fx.Node:
        node = self.graph.create_node(
            kind, target, tuple(self._argument(args)), dict(self._argument(kwargs)),
            None if kind == "call_module" else name_of(target).strip("_") or "call",
        )  # fmt: skip
        node.meta.update(
            path=path or self._stack[-1], frame=user_frame(), site=call_site(), shapes=None
        )
        self._count(node)
        return node

    def _argument(self, item: Any) -> Any:
        """Return what stands for a value in the graph."""
        if isinstance(item, Followed):
            return item.node
        if isinstance(item, torch.Tensor):
            return self._constant(item)
        if id(item) in self._opaque:
            return self._opaque[id(item)][1]
        if isinstance(item, slice):
            return slice(*(self._argument(part) for part in (item.start, item.stop, item.step)))
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            return type(item)(*map(self._argument, item))
        if isinstance(item, tuple | list):
            return type(item)(map(self._argument, item)) if type(item) in (tuple, list) else tuple(
                map(self._argument, item)
            )  # fmt: skip
        if isinstance(item, Mapping):
            return {key: self._argument(value) for key, value in item.items()}
        return item

    def _constant(self, value: torch.Tensor) -> fx.Node:
        name = self._names.get(id(value), f"constant.{len(self.constants)}")
        self.constants[name] = value.detach()
        node = self.graph.create_node("get_attr", name, name="constant")
        node.meta.update(path=self._stack[-1], frame="", shape=tuple(value.shape))
        return node

    def _wrapped(self, result: Any, node: fx.Node) -> Any:
        """Return a result whose tensors are followed."""
        if isinstance(result, torch.Tensor):
            return self._followed(plain(result), node)
        if isinstance(result, tuple | list):
            parts = [self._wrapped(part, self._part(node, i)) for i, part in enumerate(result)]
            if hasattr(result, "_fields"):
                return type(result)(*parts)
            return type(result)(parts)
        if isinstance(result, Mapping):
            return {key: self._wrapped(part, self._part(node, key)) for key, part in result.items()}
        if result is not None and not isinstance(result, bool | int | float | str):
            self._opaque[id(result)] = (result, node)
        return result

    def _part(self, node: fx.Node, key: Any) -> fx.Node:
        part = self.graph.call_function(operator.getitem, (node, key))
        site = (node.meta["site"], key)
        part.meta.update(path=node.meta["path"], frame=node.meta["frame"], site=site)
        self._count(part)
        return part

    def _count(self, node: fx.Node) -> None:
        """Say how often this call was made before, from the same place."""
        key = call_of(node)
        node.meta["turn"] = self.turns.get(key, 0)
        self.turns[key] = node.meta["turn"] + 1

    @contextmanager
    def _pause(self) -> Iterator[None]:
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    @contextmanager
    def _modules_followed(self) -> Iterator[None]:
        """Within this, calls of modules come here."""
        original = nn.Module.__call__

        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._paused or _first_or_none((args, kwargs)) is None:
                return original(module, *args, **kwargs)
            path = self._paths.get(id(module))
            if path is None:
                raise GraphError(f"a {type(module).__name__} at {user_frame()}",
                                 problem="the model does not hold this module",
                                 remedy="assign it to self, or put it in an nn.ModuleList"
                                 )  # fmt: skip
            if self._is_leaf(module):
                return self.module(path, module, args, kwargs, original)
            self._stack.append(path)
            try:
                return original(module, *args, **kwargs)
            finally:
                self._stack.pop()

        nn.Module.__call__ = called  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.__call__ = original  # type: ignore[method-assign]

    def _where(self) -> str:
        path = self._stack[-1]
        where = f"module {path!r}" if path else "model"
        return f"{where} at {user_frame()}"

    def _refuse_values(self, name: str) -> None:
        does = "control flow" if name in ("__bool__", "is_nonzero") else "Python"
        raise GraphError(
            self._where(), expected="the same operations whatever the values",
            got=f"{does} that depends on values ({name.strip('_')} of a tensor)",
            remedy="write it as operations on tensors, or put it in a module of its own and give"
            " from_torch a converter for that",
        )  # fmt: skip

    def _refuse_writing(self, name: str) -> None:
        raise GraphError(
            self._where(), expected="results as new tensors",
            got=f"a result written into another tensor ({name.strip('_')})",
            remedy="collect the results in a list and torch.stack or torch.cat them",
        )  # fmt: skip


def plain(item: Any) -> Any:
    """Return values with every followed tensor as the plain tensor that it is."""
    if isinstance(item, Followed):
        with torch._C.DisableTorchFunctionSubclass():
            return item.as_subclass(torch.Tensor)
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*map(plain, item))
    if type(item) in (tuple, list):
        return type(item)(map(plain, item))
    if isinstance(item, slice):
        return slice(plain(item.start), plain(item.stop), plain(item.step))
    if type(item) is dict:
        return {key: plain(value) for key, value in item.items()}
    return item


def call_of(node: fx.Node) -> Any:
    """Return what calls have in common that the same place in the code has made."""
    return node.target, node.meta["path"], node.meta["site"]


def name_of(func: Any) -> str:
    """Return the name under which tables hold a function; of an attribute, the attribute's."""
    name = str(getattr(func, "__name__", type(func).__name__))
    return str(getattr(func.__self__, "__name__", name)) if name == "__get__" else name


def _writes(name: str) -> bool:
    in_place = name.endswith("_") and not name.endswith("__")
    return (in_place and name not in _LOOK_LIKE_IN_PLACE) or (
        name.startswith("__i") and name.endswith("__") and name not in ("__iter__", "__invert__",
        "__index__", "__int__")
    )  # fmt: skip


def _shapes(item: Any) -> Any:
    """Return the shapes of tensors in the structure that holds them; None for anything else."""
    if isinstance(item, torch.Tensor):
        return tuple(item.shape)
    if isinstance(item, tuple | list):
        return [_shapes(part) for part in item]
    if isinstance(item, Mapping):
        return {key: _shapes(part) for key, part in item.items()}
    return None


def _has_tensor(item: Any) -> bool:
    if isinstance(item, torch.Tensor):
        return True
    if isinstance(item, Mapping):
        return any(map(_has_tensor, item.values()))
    return isinstance(item, tuple | list) and any(map(_has_tensor, item))


def _first_or_none(item: Any) -> Recorder | None:
    if isinstance(item, Followed):
        return item.recorder
    if isinstance(item, Mapping):
        item = tuple(item.values())
    if isinstance(item, slice):
        item = (item.start, item.stop, item.step)
    if isinstance(item, tuple | list):
        for part in item:
            found = _first_or_none(part)
            if found is not None:
                return found
    return None


def _first(item: Any) -> Recorder:
    found = _first_or_none(item)
    assert found is not None
    return found
