"""What the worker is asked to do, in a folder: the graph, the inputs, the options."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from neurossm import store
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.record import Fault, Integers, input_file

GRAPH, ORDERS, STARTED, RESULT, FAILURE, LOG = (
    "graph.nssm", "job.json", "started", "result.npz", "failure.json", "log.txt",
)  # fmt: skip
NO_ROOM = 28  # exit status of a worker that cannot even write why it failed


@dataclass(frozen=True)
class Job:
    """A run, ready for the worker.

    Parameters
    ----------
    graph
        Integer graph that a plan was made for.
    inputs
        Name of `Input` to integers ``(B, T, C)``, checked.
    recorded
        Names of the nodes whose values are kept.
    options
        How to run.
    fault
        A failure to produce; used by tests.
    lengths
        Steps of each sequence ``(B,)``, 1 to T; None: all have T.
    """

    graph: Graph
    inputs: dict[str, Integers]
    recorded: tuple[str, ...]
    options: LavaOptions
    fault: Fault | None = None
    lengths: Integers | None = None

    @property
    def samples(self) -> int:
        """B."""
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def steps(self) -> int:
        """T."""
        return int(next(iter(self.inputs.values())).shape[1])

    @property
    def real_steps(self) -> int:
        """Steps of all sequences together, each to its own end."""
        return self.samples * self.steps if self.lengths is None else int(self.lengths.sum())

    def network_steps(self, latency: int) -> int:
        """Return the steps that the network has to make for all samples."""
        return -(-self.samples // self.options.stacked) * self.steps + latency

    def save(self, folder: Path) -> None:
        """Write the job into an empty folder."""
        store.save(folder / GRAPH, self.graph)
        for name, array in self.inputs.items():
            # a file object: by name NumPy would add its own suffix
            with input_file(folder, self.graph.order.index(name)).open("wb") as file:
                np.save(file, array.astype(np.int32))
        orders = {
            "order": self.graph.order,
            "recorded": self.recorded,
            "options": asdict(self.options),
            "fault": None if self.fault is None else asdict(self.fault),
            "lengths": None if self.lengths is None else self.lengths.tolist(),
        }
        (folder / ORDERS).write_text(json.dumps(orders), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Job:
        """Read what `save` wrote.

        Raises
        ------
        TargetError
            If the graph came back in another order than it was sent.
        """
        graph = store.load(folder / GRAPH)
        orders = json.loads((folder / ORDERS).read_text(encoding="utf-8"))
        if list(graph.order) != orders["order"]:
            raise TargetError("Lava job", expected="the nodes in the order sent", got="another")
        inputs = {
            name: np.load(
                input_file(folder, graph.order.index(name)), mmap_mode="r", allow_pickle=False
            )
            for name in graph.inputs
        }
        return cls(
            graph=graph,
            inputs=inputs,
            recorded=tuple(orders["recorded"]),
            options=LavaOptions(
                **{**orders["options"], "extensions": tuple(orders["options"]["extensions"])}
            ),
            fault=None if orders["fault"] is None else Fault(**orders["fault"]),
            lengths=None if orders["lengths"] is None else np.array(orders["lengths"], np.int64),
        )
