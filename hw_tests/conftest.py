"""``--target fast|lava|loihi2``: where the golden traces are replayed, and what was skipped."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from neurossm.graph import Graph
from neurossm.store import Golden, load, load_golden
from neurossm.trace import Trace
from neurossm_converters.lava_backend import status

TARGETS = ("fast", "lava", "loihi2")
HERE = "hw_tests/"  # only the tests of this folder are meant, if others run in the same session
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.nssm"))


@dataclass(frozen=True)
class Replay:
    """One golden file, and what the target made of its inputs; the vectors are the samples."""

    graph: Graph
    vectors: tuple[Golden, ...]
    counts: dict[str, dict[str, int]]
    trace: Trace

    def expected(self, part: str, name: str) -> np.ndarray:
        """Return ``values`` or ``states`` of a name, the samples in front."""
        return np.stack([getattr(vector, part)[name] for vector in self.vectors])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=TARGETS, default="fast", help="where to replay")


def pytest_report_header(config: pytest.Config) -> str:
    missing = _missing(config)
    return f"hw_tests target: {_target(config)}" + (f", not usable: {missing}" if missing else "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = _missing(config)
    for item in items:
        if not item.nodeid.startswith(HERE):
            continue
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"--target {_target(config)}: {missing}"))
        elif _target(config) == "lava":
            item.add_marker(pytest.mark.lava)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    # outside of pytest's own reporter: whatever that prints, this line is the last
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        skipped = _count(reporter, "skipped")
        ran = _count(reporter, "passed", "failed", "error")
        why = f" ({_missing(session.config)})" if skipped else ""
        reporter.ensure_newline()
        reporter.write_line(
            f"hw_tests --target {_target(session.config)}: {ran} run, {skipped} SKIPPED{why}",
            yellow=bool(skipped),
        )
    return result


@pytest.fixture(scope="session", params=GOLDEN, ids=lambda path: path.stem)
def replay(request: pytest.FixtureRequest) -> Iterator[Replay]:
    path: Path = request.param
    graph = load(path)
    vectors = load_golden(path, graph)
    inputs = {name: np.stack([v.inputs[name] for v in vectors]) for name in graph.inputs}
    counts = json.loads(path.with_suffix(".counts.json").read_text(encoding="utf-8"))
    yield Replay(graph, vectors, counts, execute(_target(request.config), graph, inputs))


def execute(target: str, graph: Graph, inputs: dict[str, np.ndarray]) -> Trace:
    """Run a graph where the tests are to run."""
    if target == "lava":
        from neurossm_converters.lava_backend import run as run_lava

        return run_lava(graph, inputs)
    from neurossm.engine import run

    assert target == "fast"  # a chip is refused in _missing until there is an executor for it
    return run(graph, inputs, "fast")


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
        return "this version of neurossm has no executor for the board yet"
    return ""
