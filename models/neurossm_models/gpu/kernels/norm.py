"""The gradient of batch norm, from its sums; Triton.

Shape letters: ``H`` features, ``V`` values of a feature (batch times time steps).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def normalize_back(x, grad, grad_x, center, factor, shift, slope, values,
                   SIZE: tl.constexpr):  # fmt: skip
    """Write ``factor (grad - shift - (x - center) slope)`` for x (H, V) and parameters (H,)."""
    h = tl.program_id(1)
    v = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    inside = v < values
    at = h.to(tl.int64) * values + v
    given = tl.load(x + at, inside, other=0.0).to(tl.float32) - tl.load(center + h)
    g = tl.load(grad + at, inside, other=0.0) - tl.load(shift + h) - given * tl.load(slope + h)
    tl.store(grad_x + at, (tl.load(factor + h) * g).to(grad_x.dtype.element_ty), inside)
