"""Random graphs on the executor for GPUs; `sweep` runs more of them."""

import triton_compiled
from backends.gpu.sweep import check_graphs


def enough(seen) -> bool:
    """Tell whether the graphs reach what they are drawn for."""
    each = (
        "DiagonalSSM", "LIF", "Accumulate", "Delay", "Affine", "AdaptiveLIF", "ResonateAndFire",
        "ComplexDiagonal", "AdaptiveThreshold", "loops", "lengths",
    )  # fmt: skip
    return all(seen[what] >= 2 for what in each) and seen["saturations"] >= 10


def test_interpreted_kernels_are_the_reference():
    assert enough(seen := check_graphs(20)), seen


def test_what_kernels_are_compiled_to_is_the_reference():
    with triton_compiled.instead_of_starting():
        assert enough(seen := check_graphs(20)), seen
