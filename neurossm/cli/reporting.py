"""What a report needs beside the numbers: one recorded sample, versions, hash, date."""

from __future__ import annotations

import platform
from datetime import date
from importlib import metadata
from typing import TYPE_CHECKING

from neurossm.engine import run
from neurossm.report import Accuracy, Report
from neurossm.store import graph_digest

if TYPE_CHECKING:
    from neurossm.energy import Energy
    from neurossm.graph import Graph
    from neurossm.metrics import Metrics
    from neurossm_models.data import Dataset

PACKAGES = ("neurossm", "numpy", "numba", "h5py", "torch", "lava-nc")


def make_report(
    title: str,
    graph: Graph,
    metrics: Metrics,
    energy: Energy,
    accuracy: Accuracy,
    data: Dataset,
    *,
    file_name: str,
    measured: tuple[str, ...] = (),
) -> Report:
    """Return the report of an integer graph; its raster shows the first sample of the data."""
    seed = graph.meta.get("seed")
    return Report(
        title=title,
        graph=graph,
        metrics=metrics,
        energy=energy,
        accuracy=accuracy,
        sample=run(graph, data.inputs[:1], "fast"),
        file_name=file_name,
        file_hash=graph_digest(graph),
        versions={"python": platform.python_version(), **_versions()},
        seeds={"training": int(seed)} if seed is not None else {},
        date=date.today().isoformat(),
        measured=measured,
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
