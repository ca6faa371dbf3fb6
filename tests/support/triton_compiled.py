"""Triton's kernels compiled for a GPU that is not here, and run without one: what `ttir` executes.

`signature_of` says of a call what Triton would compile for it: which arguments are pointers, which
numbers are constants. `instead_of_starting` takes the place of `launch.start`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import triton
import ttir
from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend

from neurossm_converters.backends.gpu import launch, nodes

H100 = GPUTarget("cuda", 90, 32)
POINTER = {torch.int32: "*i32", torch.int64: "*i64"}
# all modules of nodes that start a kernel
STARTING = [
    module for module in vars(nodes).values() if getattr(module, "start", None) is launch.start
]
Constants = tuple[tuple[str, Any], ...]
Signature = tuple[tuple[str, str], ...]

_parsed = cache(ttir.parsed)


def signature_of(function: Any, given: dict[str, Any]) -> tuple[Signature, Constants]:
    """Return what Triton compiles for arguments: a number 1, and None, are constants."""
    constants: dict[str, Any] = {}
    signature: dict[str, str] = {}
    fixed = {parameter.name for parameter in function.params if parameter.is_constexpr}
    free = {p.name for p in function.params if p.do_not_specialize}
    for name in function.arg_names:
        value = given[name]
        one = isinstance(value, int) and value == 1 and name not in free
        if name in fixed or value is None or one:
            constants[name], signature[name] = value, "constexpr"
        else:
            signature[name] = POINTER[value.dtype] if isinstance(value, torch.Tensor) else "i32"
    return tuple(signature.items()), tuple(constants.items())


def source_of(function: Any, signature: Signature, constants: Constants) -> ASTSource:
    """Return what Triton compiles."""
    return ASTSource(function, dict(signature), dict(constants))


@cache
def ttir_of(function: Any, signature: Signature, constants: Constants) -> str:
    """Return the first intermediate language of a kernel, as compiled for an H100."""
    backend = make_backend(H100)
    options = backend.parse_options({"num_warps": 4})
    source = source_of(function, signature, constants)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    functions = backend.get_codegen_implementation(options)
    module = source.make_ir(H100, options, functions, backend.get_module_map(), context)
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options, source.language)
    return str(stages["ttir"](module, {}))


def start(
    module: ModuleType, name: str, tensors: Sequence[torch.Tensor | None], numbers: Sequence[int],
    lanes: int, lanes_each: int, warps: int, **constants: int,
) -> None:  # fmt: skip
    """Compile a kernel for this call and execute what it is compiled to; as `launch.start`."""
    function = getattr(launch.kernels(False), name)
    given = dict(zip(function.arg_names, (*tensors, *numbers), strict=False))
    given |= {"LANES": lanes_each, **constants}
    text = ttir_of(function, *signature_of(function, given))
    arrays = {}
    for name in ttir.arguments(text):
        value = given[name]
        if isinstance(value, torch.Tensor):
            assert value.is_contiguous(), name
            value = value.view(-1).numpy()
        arrays[name] = value
    ttir.execute(_parsed(text), arrays, -(-lanes // lanes_each))


@contextmanager
def instead_of_starting() -> Iterator[None]:
    """Within this, ``gpu:device=interpreter`` runs what the kernels are compiled to."""
    with ExitStack() as within:
        for module in STARTING:
            within.enter_context(patch.object(module, "start", start))
        yield


def cubin_of(function: Any, given: dict[str, Any], warps: int, folder: str) -> Any:
    """Compile a kernel to machine code; what Triton keeps of it goes to the folder."""
    with triton.knobs.cache.scope():
        triton.knobs.cache.dir = folder
        source = source_of(function, *signature_of(function, given))
        return triton.compile(source, target=H100, options={"num_warps": warps})
