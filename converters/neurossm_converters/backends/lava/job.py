"""The parent's view of a run: the graph, its inputs, what to record, and the options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurossm import store
from neurossm.graph import Graph
from neurossm_converters.backends.lava.layout import lay_out
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.orders import GRAPH, Orders
from neurossm_converters.backends.lava.plan import make_plan
from neurossm_converters.backends.lava.record import Integers, input_file


@dataclass(frozen=True)
class Job:
    """A run.

    Parameters
    ----------
    graph
        Integer graph.
    inputs
        Name of `Input` to integers ``(B, T, C)``, checked.
    recorded
        Names of the nodes whose values are kept.
    options
        How to run.
    lengths
        Steps of each sequence ``(B,)``, 1 to T; None: all have T.
    """

    graph: Graph
    inputs: dict[str, Integers]
    recorded: tuple[str, ...]
    options: LavaOptions
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

    def orders(self) -> Orders:
        """Return what the worker has to do.

        Raises
        ------
        GraphError
            If Lava cannot carry the graph, see `make_plan`.
        """
        plan = make_plan(self.graph)
        return Orders(
            order=self.graph.order,
            plan=plan,
            layout=lay_out(self.graph, plan, self.options),
            options=self.options,
            recorded=self.recorded,
            samples=self.samples,
            steps=self.steps,
            lengths=self.lengths,
        )

    def save(self, folder: Path, orders: Orders) -> None:
        """Write all that the worker needs into an empty folder."""
        store.save(folder / GRAPH, self.graph)
        for name, array in self.inputs.items():
            # a file object: by name NumPy would add its own suffix
            with input_file(folder, self.graph.order.index(name)).open("wb") as file:
                np.save(file, array.astype(np.int32))
        orders.save(folder)
