"""``--target NAME[:key=value,...]``: what replays the golden traces, and what it skipped."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from neurossm.engine import execute
from neurossm.errors import NeurossmError
from neurossm.executors import Engine, Run, choose
from neurossm.graph import Graph
from neurossm.store import Golden, load, load_golden
from neurossm.trace import Trace

MEASURING = "test_golden_replay.py::test_power"
MEASURES = "profile"  # the option of an executor that measures, and the note in which it says what
HERE = "hw_tests/"  # only the tests of this folder are meant, if others run in the same session
RAN_ON = pytest.StashKey[set[str]]()
TARGET = pytest.StashKey[Engine]()
MISSING = pytest.StashKey[str]()
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.nssm"))


@dataclass(frozen=True)
class Replay:
    """One golden file, and what the target made of its inputs; the vectors are the samples."""

    graph: Graph
    vectors: tuple[Golden, ...]
    counts: dict[str, dict[str, int]]
    run: Run
    target: Engine

    @property
    def trace(self) -> Trace:
        """What the target sent."""
        return self.run.trace

    @property
    def from_outside(self) -> bool:
        """True where only outputs, and states at the end, can be read: as of a chip."""
        return not self.target.executor.inside

    def expected(self, part: str, name: str) -> np.ndarray:
        """Return ``values`` or ``states`` of a name, the samples in front."""
        return np.stack([getattr(vector, part)[name] for vector in self.vectors])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", default="fast", metavar="NAME[:KEY=VALUE,...]",
                     help="executor that replays; 'neurossm doctor' lists them")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[TARGET] = target = choose(str(config.getoption("--target")), "--target")
    except NeurossmError as error:
        raise pytest.UsageError(str(error)) from None
    missing = target.problem
    if not target.executor.exact:
        missing = "it computes real numbers, and the golden traces are integers"
    config.stash[MISSING] = missing


def pytest_report_header(config: pytest.Config) -> str:
    missing = config.stash[MISSING]
    return f"hw_tests target: {config.stash[TARGET]}" + (
        f", not usable: {missing}" if missing else ""
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    target, missing = config.stash[TARGET], config.stash[MISSING]
    if not hasattr(target.options, MEASURES):  # nothing is measured there
        items[:] = [item for item in items if not item.nodeid.startswith(f"{HERE}{MEASURING}")]
    for item in items:
        if missing and item.nodeid.startswith(HERE):
            item.add_marker(pytest.mark.skip(reason=f"--target {target}: {missing}"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    # outside of pytest's own reporter: whatever that prints, this line is the last
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        skipped = _count(reporter, "skipped")
        ran = _count(reporter, "passed", "failed", "error")
        why = f" ({session.config.stash[MISSING] or _reasons(reporter)})" if skipped else ""
        where = session.config.stash.get(RAN_ON, set())
        on = f"; ran on: {', '.join(sorted(where))}" if where else ""
        reporter.ensure_newline()
        reporter.write_line(
            f"hw_tests --target {session.config.stash[TARGET]}: {ran} run, {skipped} SKIPPED"
            f"{why}{on}",
            yellow=bool(skipped),
        )
    return result


@pytest.fixture(scope="session", params=GOLDEN, ids=lambda path: path.stem)
def replay(request: pytest.FixtureRequest) -> Replay:
    path: Path = request.param
    target = request.config.stash[TARGET]
    graph = load(path)
    vectors = load_golden(path, graph)
    counts = json.loads(path.with_suffix(".counts.json").read_text(encoding="utf-8"))
    inputs = {name: np.stack([v.inputs[name] for v in vectors]) for name in graph.inputs}
    run = execute(graph, inputs, target)
    if "ran on" in run.notes:
        request.config.stash.setdefault(RAN_ON, set()).add(str(run.notes["ran on"]))
    return Replay(graph, vectors, counts, run, target)


def _reasons(reporter: pytest.TerminalReporter) -> str:
    """Return why single tests were skipped, each reason once."""
    skipped = [r for r in reporter.stats.get("skipped", []) if r.nodeid.startswith(HERE)]
    found = {str(r.longrepr[2]).removeprefix("Skipped: ") for r in skipped}
    return "; ".join(sorted(found))


def _count(reporter: pytest.TerminalReporter, *kinds: str) -> int:
    reports = [report for kind in kinds for report in reporter.stats.get(kind, [])]
    return sum(report.nodeid.startswith(HERE) for report in reports)
