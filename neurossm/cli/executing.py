"""Running a graph on labeled data with any executor, as the commands do it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from neurossm.cli.console import Console
from neurossm.cli.made_for import check_task
from neurossm.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.engine import Record
    from neurossm.graph import Graph
    from neurossm.trace import Trace
    from neurossm_converters.lava_backend import LavaOptions
    from neurossm_models.data import Dataset

ENGINES = ("reference", "fast", "lava", "float")
LARGEST_TRACE_BYTES = 4 * 2**30
# side by side in one Lava network: the same bits, 18 times less time for each (docs/lava.md); on
# wider networks the states of more samples leave the cache
SAMPLES_ON_LAVA = 32


@dataclass(frozen=True)
class Execution:
    """A finished run on labeled data."""

    trace: Trace
    accuracy: float | None  # None: no labels
    seconds: float
    startup_seconds: float = field(default=0.0, kw_only=True)  # of Lava

    @property
    def steps_per_second(self) -> float:
        """Time steps of samples per second."""
        return self.trace.real_steps / self.seconds


def load_data(spec: str, data_dir: str, graph: Graph | None = None) -> Dataset:
    """Return data from ``NAME:SPLIT[:N]``, or one's own from ``FILE.npz[:N]``, without padding.

    A file that does not say the unit of its integers is in that of the graph's input.
    """
    from neurossm_models.data import load
    from neurossm_models.data.own import is_own, load_own

    if graph is None or not is_own(spec):
        return _with_labels_that_fit(load(spec, data_dir or None).trimmed(), graph)
    unit, tokens = unit_of(graph)
    data = load_own(spec, unit, tokens)
    if data.scale != unit:
        raise InputError(
            f"data {spec!r} on this graph", expected=f"inputs in units of {unit:g}",
            got=f"{data.scale:g}", remedy="leave scale out of the file if they are in that unit",
        )  # fmt: skip
    return data.trimmed()


def _with_labels_that_fit(data: Dataset, graph: Graph | None) -> Dataset:
    """Return data without labels, and say so, where the output has fewer channels than classes.

    Inputs of a built-in task serve a network of another task too: its spikes can be counted.
    """
    if graph is None or data.labels.ndim != 1 or not graph.outputs:
        return data
    classes, most = graph.nodes[graph.outputs[0]].out_channels, int(data.labels.max())
    if most < classes:
        return data
    print(f"note: labels of data {data.name!r} go to {most}, the output has {classes}"
          f" channel{'s' * (classes > 1)}: used without labels", file=sys.stderr)  # fmt: skip
    return replace(data, labels=np.full(len(data), -1))


def unit_of(graph: Graph) -> tuple[float, int]:
    """Return the real value of one unit of a graph's input, and its tokens (0: quantities)."""
    if not graph.inputs:
        return 1.0, 0
    name = graph.inputs[0]
    out, said = graph.nodes[name].out, graph.meta.get("input_scale")
    tokens = graph.vocabularies.get(name, 0)
    if tokens or out is None:
        return 1.0, tokens
    return float(said) if isinstance(said, int | float) else 2.0**-out.frac, 0


def execute(
    graph: Graph,
    data: Dataset,
    engine: str,
    record: Record,
    console: Console,
    lava: LavaOptions | None = None,
) -> Execution:
    """Run all sequences of a data set; seconds are those of stepping, without start-up."""
    startup = 0.0
    if engine not in ENGINES:
        raise InputError("--engine", expected=" | ".join(ENGINES), got=repr(engine))
    check_task(graph, data, console)
    check_size(graph, data, record)
    if engine == "fast":
        with console.progress("kernels", 1) as progress:
            warm_up(graph, data)
            progress(1)
    with console.progress(f"{engine} engine", len(data)) as progress:
        started = time.perf_counter()
        if engine == "lava":
            from neurossm_converters.lava_backend import run_timed

            options = lava or lava_options("lava", "", 0, len(data))
            result = run_timed(graph, data.inputs, record, options, progress, lengths=data.lengths)
            trace, seconds = result.trace, result.stepping_seconds
            startup = result.startup_seconds
        else:
            from neurossm.engine import run

            trace = run(graph, data.inputs, engine, record, progress, lengths=data.lengths)
            seconds = time.perf_counter() - started
    return Execution(trace, accuracy(graph, trace, data), seconds, startup_seconds=startup)


def lava_options(engine: str, fuse: str, stacked: int, samples: int) -> LavaOptions | None:
    """Return how to run on Lava, None for another engine; "" and 0 stand for the defaults."""
    if engine != "lava":
        if fuse or stacked:
            got = f"--engine {engine}"
            raise InputError("--fuse, --stacked", expected="--engine lava beside them", got=got)
        return None
    from neurossm_converters.lava_backend import LavaOptions

    side_by_side = min(stacked or SAMPLES_ON_LAVA, max(samples, 1))
    return LavaOptions(stacked=side_by_side, fuse=fuse or "auto")  # type: ignore[arg-type]


def warm_up(graph: Graph, data: Dataset) -> None:
    """Compile the kernels of a graph (or load them), so that a timing does not contain it."""
    from neurossm.engine import run

    run(graph, data.inputs[:1, :2], "fast", record="outputs")


def accuracy(graph: Graph, trace: Trace, data: Dataset) -> float | None:
    """Return the share of sequences whose prediction is the label; None where none has one."""
    return share_right(predictions(graph, trace), data)


def share_right(predicted: NDArray[np.intp], data: Dataset) -> float | None:
    """Return the share of the sequences with a label that are predicted right."""
    known = data.labels >= 0
    return float(np.mean(predicted[known] == data.labels[known])) if known.any() else None


def labeled(found: float | None, what: str) -> float:
    """Return an accuracy; refuse where there is none, as no label was given."""
    if found is None:
        raise InputError(what, expected="data with labels", got="data without")
    return found


def predictions(graph: Graph, trace: Trace) -> NDArray[np.intp]:
    """Return for each sequence which output is largest: by its spikes, or after its last step."""
    from neurossm.metrics.end_to_end import answers

    return np.asarray(np.argmax(answers(graph, trace), axis=1))


def check_size(graph: Graph, data: Dataset, record: Record) -> None:
    """Refuse to record more than a few gigabytes."""
    from neurossm.engine.inputs import recorded

    channels = sum(graph.nodes[name].out_channels for name in recorded(graph, record))
    needed = 8 * channels * data.inputs.shape[0] * data.inputs.shape[1]
    if needed > LARGEST_TRACE_BYTES:
        per_sample = 8 * channels * data.inputs.shape[1]
        raise InputError(
            f"trace of {len(data)} samples",
            expected=f"at most {LARGEST_TRACE_BYTES // 2**30} GiB",
            got=f"{needed / 2**30:.1f} GiB",
            remedy=f"record at most {LARGEST_TRACE_BYTES // per_sample} samples"
            f" (--data {':'.join(filter(None, (data.name, data.split)))}:N)",
        )
