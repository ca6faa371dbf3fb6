"""What is computed with each batch besides its scores: the float network, points of a plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.interface import Interface
from neurossm.lengths import without_padding
from neurossm.metrics.answers import answers, chosen, task_of
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import check_task
from neurossm_workflows.scoring import scored, scorer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scorer, Scores

MOST_POINTS = 1000


class Beside:
    """Answers each part that the integers ran on; scores that and compares answers.

    Parameters
    ----------
    answer
        From samples to what is answered: real numbers, (samples, classes), or for every step.
    task
        As of `neurossm.metrics.answers.task_of`.
    scorer
        None: without labels.
    """

    def __init__(
        self, answer: Callable[[Dataset], NDArray[np.float64]], task: str, scorer: Scorer | None
    ) -> None:
        self._answer, self._task, self._scorer = answer, task, scorer
        self._equal = self._of = 0

    @classmethod
    def of_graph(
        cls,
        graph: Graph | str | Path,
        data: Dataset,
        listener: Listener = QUIET,
        other_data: bool = False,
    ) -> Beside:
        """Return one that runs a float graph, or that of a file.

        Raises
        ------
        InputError
            If it is an integer graph, or the data are not what it takes.
        """
        floating = opened(graph)
        if floating.is_integer:
            where = f"--float {graph}" if isinstance(graph, str | Path) else "the float graph"
            raise InputError(where, expected="a float graph", got="an integer one",
                             remedy="give the file that `quantize` read")  # fmt: skip
        check_task(floating, data, listener, other_data=other_data)

        def answer(part: Dataset) -> NDArray[np.float64]:
            trace = run(floating, part.inputs, "float", "outputs", lengths=part.lengths)
            return answers(floating, trace)

        return cls(answer, task_of(floating), scorer_of(floating, data))

    def __call__(self, start: int, part: Dataset, found: NDArray[np.float64]) -> None:
        """Answer a part, to which the integers answered `found`."""
        own = self._answer(part)
        if self._scorer is not None:
            self._scorer.add(own, part.labels, part.lengths)
        mine, theirs = chosen(self._task, own), chosen(self._task, found)
        if mine is None or theirs is None:
            return
        if own.ndim == 3:
            mine, theirs = (without_padding(a, part.lengths) for a in (mine, theirs))
        self._equal += int(np.count_nonzero(mine == theirs))
        self._of += mine.size

    @property
    def scores(self) -> Scores | None:
        """Of these answers."""
        return scored(self._scorer)

    @property
    def agreement(self) -> float | None:
        """Share of answers that choose the same; None where they choose nothing."""
        return self._equal / self._of if self._of else None


class Points:
    """Keeps the first right numbers and answers of a task whose answers are numbers."""

    def __init__(self, graph: Graph) -> None:
        self._task = Interface.of(graph).task
        self._found: list[NDArray[np.float64]] = []
        self._channels: list[NDArray[np.int64]] = []
        self._count = 0

    def __call__(self, start: int, part: Dataset, found: NDArray[np.float64]) -> None:
        """Keep points of a part, until there are enough."""
        if part.labels.dtype.kind != "f" or self._count >= MOST_POINTS:
            return
        asked = part.labels if found.ndim == part.labels.ndim else part.labels[..., None]
        if asked.shape != found.shape:
            return
        if found.ndim == 3:
            asked, found = (without_padding(a, part.lengths) for a in (asked, found))
        pairs = np.stack([asked.ravel(), found.ravel()], axis=1)
        channels = np.arange(len(pairs)) % found.shape[-1]
        kept = np.flatnonzero(~np.isnan(pairs).any(axis=1))[: MOST_POINTS - self._count]
        pairs = pairs[kept]
        self._found.append(pairs)
        self._channels.append(channels[kept])
        self._count += len(pairs)

    @property
    def points(self) -> NDArray[np.float64] | None:
        """Labels and predictions, ``(m, 2)``; None where there are none."""
        return np.concatenate(self._found) if self._count else None

    @property
    def channels(self) -> NDArray[np.int64] | None:
        """The output channel of each of them, ``(m,)``; None where there are none."""
        return np.concatenate(self._channels) if self._count else None
