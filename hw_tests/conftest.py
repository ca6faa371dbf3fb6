"""``--target fast|lava|loihi2``: where the golden traces are replayed, and what was skipped."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from neurossm.graph import Graph
from neurossm.store import Golden, load, load_golden
from neurossm.trace import Trace
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import ChipRun

TARGETS = ("fast", "lava", "loihi2")
MEASURING = "test_golden_replay.py::test_power"
HERE = "hw_tests/"  # only the tests of this folder are meant, if others run in the same session
RAN_ON = pytest.StashKey[set[str]]()
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.nssm"))


@dataclass(frozen=True)
class Replay:
    """One golden file, and what the target made of its inputs; the vectors are the samples."""

    graph: Graph
    vectors: tuple[Golden, ...]
    counts: dict[str, dict[str, int]]
    trace: Trace
    states: Mapping[str, np.ndarray]
    run: ChipRun | None = None  # of the loihi2 target only

    @property
    def from_outside(self) -> bool:
        """True where only outputs, and states at the end, can be read: as of a chip."""
        return self.run is not None

    def expected(self, part: str, name: str) -> np.ndarray:
        """Return ``values`` or ``states`` of a name, the samples in front."""
        return np.stack([getattr(vector, part)[name] for vector in self.vectors])


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.addoption
    add("--target", choices=TARGETS, default="fast", help="where to replay")
    add("--nc-models", action="append", default=[], metavar="MODULE",
        help="loihi2: module that registers neuro-core models (docs/loihi2.md)")  # fmt: skip
    add("--probes", action="store_true", help="loihi2: power, energy and time with the profiler")


def pytest_report_header(config: pytest.Config) -> str:
    missing = _missing(config)
    return f"hw_tests target: {_target(config)}" + (f", not usable: {missing}" if missing else "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = _missing(config)
    if _target(config) != "loihi2":  # nothing is measured on the others
        items[:] = [item for item in items if not item.nodeid.startswith(f"{HERE}{MEASURING}")]
    for item in items:
        if not item.nodeid.startswith(HERE):
            continue
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"--target {_target(config)}: {missing}"))
        elif _target(config) != "fast":
            item.add_marker(pytest.mark.lava)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    # outside of pytest's own reporter: whatever that prints, this line is the last
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        skipped = _count(reporter, "skipped")
        ran = _count(reporter, "passed", "failed", "error")
        why = f" ({_missing(session.config) or _reasons(reporter)})" if skipped else ""
        where = session.config.stash.get(RAN_ON, set())
        on = f"; ran on: {', '.join(sorted(where))}" if where else ""
        reporter.ensure_newline()
        reporter.write_line(
            f"hw_tests --target {_target(session.config)}: {ran} run, {skipped} SKIPPED{why}{on}",
            yellow=bool(skipped),
        )
    return result


@pytest.fixture(scope="session", params=GOLDEN, ids=lambda path: path.stem)
def replay(request: pytest.FixtureRequest) -> Iterator[Replay]:
    path: Path = request.param
    graph = load(path)
    vectors = load_golden(path, graph)
    counts = json.loads(path.with_suffix(".counts.json").read_text(encoding="utf-8"))
    if _target(request.config) == "loihi2":
        run = run_on_chip(path, request.config)
        yield Replay(graph, vectors, counts, run.trace, run.states, run)
        return
    inputs = {name: np.stack([v.inputs[name] for v in vectors]) for name in graph.inputs}
    trace = execute(_target(request.config), graph, inputs)
    yield Replay(graph, vectors, counts, trace, trace.states)


def execute(target: str, graph: Graph, inputs: dict[str, np.ndarray]) -> Trace:
    """Run a graph on an engine of this machine."""
    if target == "lava":
        from neurossm_converters.backends.lava import run as run_lava

        return run_lava(graph, inputs)
    from neurossm.engine import run

    assert target == "fast"
    return run(graph, inputs, "fast")


def run_on_chip(path: Path, config: pytest.Config) -> ChipRun:
    """Run a golden file on the board, or on what stands in for it; say which."""
    from neurossm_converters.backends.loihi2 import Settings, run

    models, probes = tuple(config.getoption("--nc-models")), bool(config.getoption("--probes"))
    found = run(path, Settings("loihi2", models=models, profile=probes))
    config.stash.setdefault(RAN_ON, set()).add(found.ran_on)
    return found


def _reasons(reporter: pytest.TerminalReporter) -> str:
    """Return why single tests were skipped, each reason once."""
    skipped = [r for r in reporter.stats.get("skipped", []) if r.nodeid.startswith(HERE)]
    found = {str(r.longrepr[2]).removeprefix("Skipped: ") for r in skipped}
    return "; ".join(sorted(found))


def _count(reporter: pytest.TerminalReporter, *kinds: str) -> int:
    reports = [report for kind in kinds for report in reporter.stats.get(kind, [])]
    return sum(report.nodeid.startswith(HERE) for report in reports)


def _target(config: pytest.Config) -> str:
    return str(config.getoption("--target"))


def _missing(config: pytest.Config) -> str:
    """Return why the target cannot be used here; empty if it can."""
    lava = status()
    if _target(config) == "lava":
        return lava.problem
    if _target(config) == "loihi2":
        if not lava.loihi_installed:
            return "lava-loihi is missing, the closed package for members of Intel's INRC"
        return lava.problem
    return ""
