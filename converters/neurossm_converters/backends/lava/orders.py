"""The job of the worker, as the parent prepares it: plan, layout, options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurossm_converters.backends.lava.options import LavaOptions

GRAPH, ORDERS, STARTED, RESULT, FAILURE, LOG = (
    "graph.nssm", "orders.json", "started", "result.npz", "failure.json", "log.txt",
)  # fmt: skip
NO_ROOM = 28  # exit status of a worker that cannot even write why it failed

Edge = tuple[str, str]
Carrier = Literal["dense", "sparse"]


@dataclass(frozen=True)
class Plan:
    """When each node works.

    Attributes
    ----------
    latencies
        Node name to network steps between an input and the node's answer to it.
    delays
        Edge to network steps that its messages wait, beside the one that synapses take; -1 where
        these take none, in a loop.
    """

    latencies: Mapping[str, int]
    delays: Mapping[Edge, int]

    @property
    def latency(self) -> int:
        """Network steps by which the slowest node lags behind the inputs."""
        return max(self.latencies.values())


@dataclass(frozen=True)
class Layout:
    """How a graph becomes processes.

    Attributes
    ----------
    groups
        Names of the nodes that share a process, each in graph order.
    synapses
        Edge into an `Affine` to Lava's process that forms its sums; edges whose sums are formed
        where they arrive are not in it.
    bundles
        Positions of two groups to the nodes of the first whose messages go straight to the second:
        they travel side by side, as Lava's cost is for each message.
    """

    groups: tuple[tuple[str, ...], ...]
    synapses: Mapping[Edge, Carrier]
    bundles: Mapping[tuple[int, int], tuple[str, ...]]

    @property
    def processes(self) -> int:
        """Lava processes in the network."""
        return len(self.groups) + len(self.synapses)


@dataclass(frozen=True)
class Orders:
    """A run, ready for the worker; graph and inputs lie beside it in the folder of the job.

    Attributes
    ----------
    order
        Names of the nodes in graph order.
    plan, layout, options
        When each node works, in which process, and how to run.
    recorded
        Names of the nodes whose values are kept.
    samples, steps
        B and T.
    lengths
        Steps of each sequence ``(B,)``, 1 to T; None: all have T.
    """

    order: tuple[str, ...]
    plan: Plan
    layout: Layout
    options: LavaOptions
    recorded: tuple[str, ...]
    samples: int
    steps: int
    lengths: NDArray[np.int64] | None

    @property
    def network_steps(self) -> int:
        """Steps that the network has to make for all samples."""
        return -(-self.samples // self.options.batch) * self.steps + self.plan.latency

    def save(self, folder: Path) -> None:
        """Write all of it as JSON, which has no pairs as keys."""
        layout = self.layout
        document = {
            "order": self.order,
            "latencies": dict(self.plan.latencies),
            "delays": list(self.plan.delays.items()),
            "groups": layout.groups,
            "synapses": list(layout.synapses.items()),
            "bundles": list(layout.bundles.items()),
            "options": asdict(self.options),
            "recorded": self.recorded,
            "samples": self.samples,
            "steps": self.steps,
            "lengths": None if self.lengths is None else self.lengths.tolist(),
        }
        (folder / ORDERS).write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Orders:
        """Read what `save` wrote."""
        found = json.loads((folder / ORDERS).read_text(encoding="utf-8"))
        lengths = found["lengths"]
        return cls(
            order=tuple(found["order"]),
            plan=Plan(found["latencies"], {(a, b): steps for (a, b), steps in found["delays"]}),
            layout=Layout(
                tuple(tuple(group) for group in found["groups"]),
                {(a, b): carrier for (a, b), carrier in found["synapses"]},
                {(a, b): tuple(names) for (a, b), names in found["bundles"]},
            ),
            options=LavaOptions(**found["options"]),
            recorded=tuple(found["recorded"]),
            samples=found["samples"],
            steps=found["steps"],
            lengths=None if lengths is None else np.array(lengths, np.int64),
        )
