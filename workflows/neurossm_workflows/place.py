"""Places a network or a recipe on cores, and bounds the time of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.arguments import several
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics.per_core import CoreActivity, CoreCounter, per_core_at_most
from neurossm.metrics.step_time import StepTime, step_time
from neurossm.placement import DEFAULT_MAPPING, Placement
from neurossm.placement import place as place_network
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.parts import in_parts, note_clipped, samples_with_all_values
from neurossm_workflows.planning import shape_like

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset


@dataclass(frozen=True, eq=False)
class Plan:
    """A network on the cores of a chip.

    Attributes
    ----------
    placement
        Cores, and the populations on them.
    activity
        Counters of every core: measured on data, else the most that there can be.
    step_time
        Predicted from it: modeled, not measured.
    chip
        What it was placed on.
    not_in_the_plan
        Sentences on what of a recipe could not be deployed, and was planned otherwise.
    """

    placement: Placement
    activity: CoreActivity
    step_time: StepTime
    chip: Hardware
    not_in_the_plan: tuple[str, ...] = ()

    def svg(self) -> str:
        """Return a drawing of the chips."""
        from neurossm.report.chip_drawing import cores_svg

        return cores_svg(self.placement, self.chip)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "not_in_the_plan": self.not_in_the_plan,
            **self.placement.as_json(),
            "activity": self.activity.as_json(),
            "step_time": self.step_time.as_json(),
        }


def place(
    graph: Graph | str | Path | None = None,
    *,
    like: str = "",
    changes: Sequence[str] = (),
    hardware: str | Path | Hardware = "loihi2",
    chips: int | None = None,
    ssm_mapping: str | None = None,
    data: str | Dataset | NDArray[np.integer[Any]] = "",
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Plan:
    """Place a network on cores and chips: memory, axons, load, and the predicted time of a step.

    Parameters
    ----------
    graph
        A graph, float or integer, or its file.
    like, changes
        Instead: a recipe whose network is planned, without any weights yet, and what to change in
        it, such as ``"model.width=256"``.
    hardware, chips
        A chip by name, its file, or loaded; number of available chips (None: as many as needed).
    ssm_mapping
        ``"state"``: one neuron per state; ``"channel"``: the states of a channel in one neuron;
        None: the default of all commands.
    data
        As of `data_for`, to measure activity on; empty: the largest possible activity.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        If neither or both of a graph and a recipe are given, or data for a recipe or float graph.
    TargetError
        If it does not fit.

    Examples
    --------
    >>> plan = neurossm.place("m.int.nssm", data="mnist:test:16")
    >>> len(plan.placement.cores), plan.step_time.high
    (3, 4.7e-05)
    >>> neurossm.place(like="spikingssm-wikitext103").placement.chips
    12
    """
    no_data = isinstance(data, str) and not data
    if (graph is None) == (not like):
        got = "neither" if graph is None else "both"
        raise InputError("place", expected="a file, or --like RECIPE", got=got)
    if graph is not None and changes:
        raise InputError("--set requires --like RECIPE, and takes no file")
    if like and not no_data:
        raise InputError("--data", expected="a file with weights", got=f"--like {like}")
    chip = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    mapping = DEFAULT_MAPPING if ssm_mapping is None else ssm_mapping
    if graph is None:
        asked = several("changes", changes, "'section.key=value'")
        shape, said = shape_like(like, asked)
        placement = place_network(shape, chip, chips, mapping)
        return _plan(placement, per_core_at_most(placement), chip, said)
    loaded = opened(graph)
    placement = place_network(loaded, chip, chips, mapping)
    if no_data:
        return _plan(placement, per_core_at_most(placement), chip)
    if not loaded.is_integer:
        raise InputError("--data", expected="an integer graph", got="a float one",
                         remedy="run 'neurossm quantize' first")  # fmt: skip
    given = data_for(loaded, data, data_dir, labels=False, other_data=other_data,
                     listener=listener)  # fmt: skip
    return _plan(placement, measured_activity(loaded, placement, given, listener), chip)


def measured_activity(
    graph: Graph, placement: Placement, data: Dataset, listener: Listener = QUIET
) -> CoreActivity:
    """Return the activity of each core on data."""
    counter, clipped = CoreCounter(placement, graph), data.clipped
    with listener.progress("fast engine", len(data)) as progress:
        for _, part in in_parts(data, samples_with_all_values(graph, data.shape[1])):
            counter.add(run(graph, part.inputs, "fast", "all", progress, lengths=part.lengths))
            clipped += part.clipped
    note_clipped(listener, clipped, data)
    return counter.result()


def _plan(
    placement: Placement, activity: CoreActivity, chip: Hardware, said: tuple[str, ...] = ()
) -> Plan:
    return Plan(placement, activity, step_time(placement, activity, chip), chip, said)
