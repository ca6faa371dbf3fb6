"""Every node type on the executor for GPUs, without a GPU: the same integers, states and counters.

Once its kernels run in Triton's interpreter, and once what they are compiled to for a GPU is
executed, with the bits of its operations (`triton_compiled`).
"""

from __future__ import annotations

import numpy as np
import pytest
import triton_compiled
from conformance.cells import cell, each_type
from conformance.test_execution import same
from node_examples import STEPS, examples

from neurossm.engine import run

ENDS = np.array([STEPS, 1, STEPS - 5])


def check(kind: str, lengths: np.ndarray | None) -> None:
    """Hold all examples of a type against the reference."""
    for example in examples(kind):
        expected, found = (
            run(example.integers, example.inputs, engine, lengths=lengths)
            for engine in ("reference", "gpu:device=interpreter")
        )
        same(found.values, expected.values, example)
        same(found.states, expected.states, example)
        assert dict(found.counts) == dict(expected.counts), example.label


@each_type
@pytest.mark.parametrize("lengths", [None, ENDS], ids=["all steps", "unlike lengths"])
def test_interpreted_kernels_are_the_reference(kind, lengths):
    with cell("GPU, interpreted", kind):
        check(kind, lengths)


@each_type
@pytest.mark.parametrize("lengths", [None, ENDS], ids=["all steps", "unlike lengths"])
def test_what_kernels_are_compiled_to_is_the_reference(kind, lengths):
    with cell("GPU, compiled", kind), triton_compiled.instead_of_starting():
        check(kind, lengths)
