"""An executor with its options: it runs, and its results are checked."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from neurossm import contract
from neurossm.errors import NeurossmError, TargetError
from neurossm.executors.checking import check_run, check_streamed
from neurossm.executors.options import options_text
from neurossm.executors.protocol import Executor, Inputs, Progress, Run, Source
from neurossm.graph import Graph
from neurossm.lengths import Lengths


def called(name: str, package: str) -> str:
    """Return how messages call an executor: by its package too, where that is not this one."""
    return f"engine {name!r} of {package}" if package else f"engine {name!r}"


@dataclass(frozen=True)
class Engine:
    """An executor with its options.

    Attributes
    ----------
    executor, options
        What runs, and how.
    package
        Name and version of the distribution that brings it; empty: this one.
    """

    executor: Executor[Any]
    options: Any
    package: str = ""

    @property
    def name(self) -> str:
        """Name of the executor."""
        return self.executor.name

    @property
    def together(self) -> int:
        """Samples that it runs together."""
        return self.executor.together(self.options)

    def __str__(self) -> str:
        """As typed after ``--engine``, without what is so by default."""
        text = options_text(self.options)
        return f"{self.name}:{text}" if text else self.name

    @property
    def problem(self) -> str:
        """Why it cannot run here with these options, with what helps; empty if it can."""
        return self.executor.missing() or self.executor.lacks(self.options)

    def require(self) -> None:
        """Raise a `TargetError` that says what is missing, unless it can run here."""
        with self._guarded():
            missing = self.problem
        if missing:
            raise TargetError(f"{called(self.name, self.package)} cannot run here: {missing}")

    def run(
        self,
        graph: Graph,
        inputs: Inputs,
        record: tuple[str, ...],
        progress: Progress,
        lengths: Lengths | None,
    ) -> Run:
        """Run what has been checked, see `Executor.run`; check what comes back.

        Raises
        ------
        TargetError
            If something is missing here; if another package's executor fails, or gives back what
            breaks the protocol: one line that names it.
        """
        self.require()
        with self._guarded():
            done = self.executor.run(graph, inputs, record, self.options, progress, lengths)
        whose = called(self.name, self.package)
        check_run(whose, self.executor, done, graph, inputs, record, lengths, bool(self.package))
        return done

    def stream(
        self, graph: Graph, source: Source, progress: Progress
    ) -> Generator[tuple[slice, Run], None, None]:
        """Run many samples, see `Executor.stream`; raises as `run`, and what the graph breaks."""
        assert self.executor.stream is not None
        if self.executor.exact:
            contract.require(graph)
        self.require()
        reached, whose = 0, called(self.name, self.package)
        with self._guarded():
            parts = self.executor.stream(graph, source, self.options, progress)
        with closing(parts):  # whoever stops listening ends what runs
            while True:
                with self._guarded():
                    found = next(parts, None)
                reached = check_streamed(whose, found, reached, source.shape)
                if found is None:
                    return
                yield found

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Within this, a fault of another package is one line; ours keep their traceback."""
        try:
            yield
        except NeurossmError:
            raise
        except (Exception, SystemExit) as error:
            if not self.package:
                raise
            whose = called(self.name, self.package)
            got = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise TargetError(whose, expected="a run", got=got,
                              remedy="a fault of that package") from error  # fmt: skip
