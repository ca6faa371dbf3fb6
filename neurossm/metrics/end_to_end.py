"""What is lost end to end: the whole float run against the whole integer run.

A hard threshold turns the smallest error into a spike more or less, and every one behind it into
others: single spikes move in every honest network. So spikes are counted, neuron by neuron and
layer by layer, and graded values are gated at the outputs only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.lengths import without_padding
from neurossm.metrics.answers import answers, chosen, task_of
from neurossm.nodes import Role, format_of
from neurossm.trace import Trace, units

Reals = NDArray[np.float64]
NEURON = 4.0  # a neuron may have so many times as many spikes, or as few
LAYER = 0.2  # share of a layer's spikes that may be lost or gained, neuron by neuron
SCATTER = 3.0  # and so many standard deviations of counts that differ by chance, both above
OUTPUT = 0.2  # mean error of an output's channel: share of its range
NEAR_TIE = 0.1  # share of the range of an output by which its two largest values are apart
PREDICTIONS = 0.05  # share of decided predictions that may be others, and one more


@dataclass(frozen=True, eq=False)
class EndToEnd:
    """A node of the integer run against the same node of the float run.

    The tolerances were fitted on the seven checkpoints at the default widths, with 12-bit poles and
    with 16-bit activations, 16 test sequences each: the worst neuron has 0.53 and 2.6 times its
    spikes, the worst layer 6.9 % of its spikes at other neurons, the worst output a mean error of
    1.7 %, and all predictions are equal. With 8-bit poles, where accuracy is lost, neurons are dead
    (0.00 times) in every one but the smallest, and layers are off by 12 to 86 %.

    Attributes
    ----------
    node
        Its name.
    values
        Steps that were compared.
    total, largest, range
        ``(C,)``: summed and largest distance, and the largest magnitude of the float run, real
        units.
    expected, found
        ``(C,)``: spikes of the float run and of the integer run.
    unit
        The largest real value of one unit of its activations.
    spikes, output
        True where it sends spikes; where it is an `Output`.
    """

    node: str
    values: int
    total: Reals
    largest: Reals
    range: Reals
    expected: Reals
    found: Reals
    unit: float
    spikes: bool
    output: bool

    @property
    def moved(self) -> float:
        """Share of the layer's spikes that neurons lost or gained."""
        total = float(self.expected.sum())
        changed = float(np.abs(self.found - self.expected).sum())
        return changed / total if total else float(changed > 0)

    @property
    def loudest(self) -> int:
        """The neuron whose count changed by the largest factor that chance does not explain."""
        both = self.expected + self.found
        beyond = np.abs(self.found - self.expected) > SCATTER * np.sqrt(both)
        ratio = np.abs(np.log((self.found + 1) / (self.expected + 1)))
        return int(np.argmax(ratio + 1e3 * beyond))

    @property
    def means(self) -> Reals:
        """Mean distance of each channel, ``(C,)``, real units."""
        return self.total / self.values

    def lost(self) -> NDArray[np.bool_]:
        """Tell which channels lost, or gained, more than is allowed, ``(C,)``."""
        if self.spikes:
            few, many = np.sort([self.expected, self.found], axis=0)
            return np.asarray((many - few > SCATTER * np.sqrt(few + many)) & (many > NEURON * few))
        if not self.output:
            return np.zeros(self.total.shape, dtype=bool)
        return ~(self.means <= OUTPUT * self.range + self.unit)

    def layer_lost(self) -> bool:
        """Tell whether the layer as a whole lost, or gained, more spikes than is allowed."""
        changed = np.abs(self.found - self.expected).sum()
        both = (self.found + self.expected).sum()
        limit = LAYER * self.expected.sum() + SCATTER * np.sqrt(both)
        return bool(self.spikes and changed > limit)

    def __add__(self, other: EndToEnd) -> EndToEnd:
        """Return the comparison over the samples of both."""
        return EndToEnd(
            self.node,
            self.values + other.values,
            self.total + other.total,
            np.maximum(self.largest, other.largest),
            np.maximum(self.range, other.range),
            self.expected + other.expected,
            self.found + other.found,
            self.unit,
            self.spikes,
            self.output,
        )


@dataclass(frozen=True)
class Predictions:
    """Which channel of an output is largest at the end of each sequence, in both runs.

    Of graded outputs after the last step, of spikes by their number.

    Attributes
    ----------
    samples, equal
        Sequences (or steps, or labels, where each is answered), and those with the same prediction.
    decided
        Those with another prediction although the float run's two largest values are further
        apart than a tenth of the output's range: no near tie.
    """

    samples: int
    equal: int
    decided: int

    def lost(self) -> bool:
        """Tell whether more decided predictions are others than is allowed."""
        return self.decided > 1 + PREDICTIONS * self.samples

    def __add__(self, other: Predictions) -> Predictions:
        return Predictions(
            self.samples + other.samples, self.equal + other.equal, self.decided + other.decided
        )


def end_to_end(integer: Graph, left: Trace, right: Trace) -> tuple[EndToEnd, ...]:
    """Return the comparison of every node that both traces hold, in the integer graph's order.

    Parameters
    ----------
    integer
        The graph of `right`.
    left, right
        A float run and an integer run on the same inputs, of sequences that end alike.
    """
    found, unit = [], units(integer)
    for name in integer.order:
        if name not in left.values or name not in right.values:
            continue
        a = without_padding(left.values[name], left.lengths).astype(np.float64)
        b = without_padding(right.values[name], right.lengths) * unit[name]
        distance, spikes = np.abs(a - b), format_of(integer.nodes[name]).is_spike
        expected, got = (np.abs(x).sum(axis=0) * spikes for x in (a, b))
        found.append(
            EndToEnd(
                name, len(distance), distance.sum(axis=0), distance.max(axis=0),
                np.abs(a).max(axis=0), expected, got,
                float(np.max(unit[name])), spikes,
                integer.nodes[name].role is Role.OUTPUT,
            )
        )  # fmt: skip
    return tuple(found)


def predictions(integer: Graph, left: Trace, right: Trace) -> Predictions | None:
    """Return the predictions at the first output; None where it predicts no classes.

    Of a task at every step each step of each sequence counts, of several labels each label.
    """
    task = task_of(integer)
    scores = [answers(integer, trace) for trace in (left, right)]
    wanted, got = (chosen(task, score) for score in scores)
    if wanted is None or got is None:
        return None
    largest = np.abs(scores[0]).max(initial=0.0)
    if task == "multilabel":
        margin = np.abs(scores[0])
    else:
        ranked = np.sort(scores[0], axis=-1)
        margin = ranked[..., -1] - ranked[..., -2]
    clear = margin > NEAR_TIE * largest
    if scores[0].ndim == 3:
        wanted, got, clear = (without_padding(a, left.lengths) for a in (wanted, got, clear))
    other = wanted != got
    return Predictions(other.size, int(np.sum(~other)), int(np.sum(other & clear)))
