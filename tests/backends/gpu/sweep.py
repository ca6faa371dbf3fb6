"""Random integer graphs on the executor for GPUs, without a GPU, held against the reference.

    python tests/backends/gpu/sweep.py --graphs 500 [--seed 0] [--compiled]

Every value, final state and counter; lengths of sequences, samples that run together and the free
memory are drawn too. ``--compiled`` executes what the kernels are compiled to for a GPU, else
Triton's interpreter runs them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from unittest.mock import patch

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2] / folder) for folder in (".", "support")]

import numpy as np
import triton_compiled
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases

from neurossm.engine import run
from neurossm_converters.backends.gpu import device, parts

# the last two leave room for a step or so at a time
FREE = (2**30, parts.WORKSPACE + 4000, 0)


def check_graphs(graphs: int, start: int | None = None) -> Counter[str]:
    """Check so many random graphs; return how often what came; the same ones without a start."""
    seen: Counter[str] = Counter()

    @given(cases(), st.data())
    @settings(QUICK, max_examples=graphs, derandomize=start is None)
    def check(case: Case, data: st.DataObject) -> None:
        samples, steps = next(iter(case.inputs.values())).shape[:2]
        lengths = None
        if data.draw(st.booleans()):
            lengths = np.array([data.draw(st.integers(1, steps)) for _ in range(samples)])
        engine = f"gpu:device=interpreter,samples={data.draw(st.integers(0, samples))}"
        expected = run(case.graph, case.inputs, "reference", lengths=lengths)
        with patch.object(device, "INTERPRETED_BYTES", data.draw(st.sampled_from(FREE))):
            found = run(case.graph, case.inputs, engine, lengths=lengths)
        for part in ("values", "states"):
            here, there = getattr(found, part), getattr(expected, part)
            assert here.keys() == there.keys()
            for name, array in there.items():
                np.testing.assert_array_equal(here[name], array, err_msg=name)
        assert dict(found.counts) == dict(expected.counts)
        kinds = [type(node).__name__ for node in case.graph.nodes.values()]
        seen.update([*kinds, "graphs", *["loops"] * bool(case.graph.loops)])
        seen["lengths"] += lengths is not None
        seen["saturations"] += expected.saturations() > 0

    if start is not None:
        check = seed(start)(check)
    check()
    return seen


def main() -> None:
    """Run the sweep that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compiled", action="store_true")
    asked = parser.parse_args()
    began = time.perf_counter()
    if asked.compiled:
        with triton_compiled.instead_of_starting():
            seen = check_graphs(asked.graphs, asked.seed)
    else:
        seen = check_graphs(asked.graphs, asked.seed)
    print(dict(seen.most_common()), f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
