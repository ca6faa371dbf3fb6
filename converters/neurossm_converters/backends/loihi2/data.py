"""Data that a bundle carries: inputs as integers, labels, and the predictions of neurossm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.metrics.answers import answers_sent

DATA = "data.npz"


@dataclass(frozen=True, eq=False)
class BundleData:
    """What ``run.py --inputs data.npz`` plays and compares.

    Attributes
    ----------
    inputs
        Integers of the graph's one `Input`, ``(B, T, C)``.
    lengths
        Steps of each sequence, ``(B,)``.
    answers
        Integers of the first output under the graph's readout: ``(B, K)``, or ``(B, T, K)`` where
        there is one at every step, 0 past the ends.
    labels
        Of the task; None where there are none.
    digest
        Hash of the graph that answered.
    class_names
        Of the graph: labels are places in them.
    """

    inputs: NDArray[np.integer[Any]]
    lengths: NDArray[np.int64]
    answers: NDArray[np.int64]
    labels: NDArray[Any] | None
    digest: str
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        graph: Graph,
        digest: str,
        inputs: NDArray[np.integer[Any]],
        lengths: NDArray[np.int64] | None = None,
        labels: NDArray[Any] | None = None,
    ) -> BundleData:
        """Run the fast engine and keep its answers; raises as `neurossm.run`."""
        trace = run(graph, inputs, "fast", "outputs", lengths=lengths)
        answers = answers_sent(graph, trace).astype(np.int64)
        names = Interface.of(graph).class_names
        return cls(inputs, trace.ends, answers, labels, digest, names)

    def write(self, folder: Path) -> None:
        """Write the file."""
        arrays = {"inputs": self.inputs, "lengths": self.lengths, "answers": self.answers,
                  "graph_sha256": np.array(self.digest)}  # fmt: skip
        if self.labels is not None:
            arrays["labels"] = self.labels
            if self.class_names:
                arrays["class_names"] = np.array(self.class_names)
        with (folder / DATA).open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # names are not options
