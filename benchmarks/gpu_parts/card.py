"""Which card it is, and what it reaches: the limits that the speeds are held against."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import torch
import triton
from timing import cost


def rows(options: Namespace) -> Iterator[dict[str, Any]]:
    """Yield name and versions, then measured limits."""
    device = options.device
    name = torch.cuda.get_device_name() if device == "cuda" else "no card: Triton's interpreter"
    yield {"what": name}
    yield {
        "what": f"torch {torch.__version__}, triton {triton.__version__}, CUDA {torch.version.cuda}"
    }
    if device != "cuda":
        return
    properties = torch.cuda.get_device_properties(0)
    yield {"what": f"{properties.multi_processor_count} multiprocessors",
           "value": properties.total_memory / 1e9, "unit": "GB of memory"}  # fmt: skip
    for what, value, unit in limits():
        yield {"what": what, "value": value, "unit": unit}


def bandwidth() -> float:
    """Measure a copy, in TB/s: bytes read and written."""
    x = torch.empty(2**28, device="cuda")  # 1 GiB: no cache holds it
    y = torch.empty_like(x)
    return 2 * x.nbytes / (cost(lambda: y.copy_(x), "cuda", 0.3).ms or float("nan")) / 1e9


def products(dtype: torch.dtype, *, tf32: bool = False) -> float:
    """Measure products of large matrices, in TFLOP/s."""
    size, before = 4096, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a = torch.randn(size, size, device="cuda", dtype=dtype)
    ms = cost(lambda: a @ a, "cuda", 0.3).ms or float("nan")
    torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * size**3 / ms / 1e9


def limits() -> Iterator[tuple[str, float, str]]:
    """Measure bandwidth of a copy, and operations of large matrix products."""
    yield "bandwidth of a copy", bandwidth(), "TB/s"
    yield "float32 products", products(torch.float32), "TFLOP/s"
    yield "TF32 products", products(torch.float32, tf32=True), "TFLOP/s"
    yield "bfloat16 products", products(torch.bfloat16), "TFLOP/s"
    yield "float64 products", products(torch.float64), "TFLOP/s"
