"""Reports of every kind, for the browser: classes, many classes, regression, tokens, and parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from spiking_block import integers, model_graph, model_input

from neurossm.energy import FACTORS, RateRow, at_spike_rate, break_even, estimate
from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.nodes import (
    Affine,
    Delay,
    Embedding,
    Input,
    Node,
    Output,
    TernaryThreshold,
    Threshold,
)
from neurossm.report import Accuracy, Answers, Parity, Report, TimingRow, Timings

TEXT = "Spikes are sparse;\tstates are not.\nA token at a time, the network reads. " * 4
CHARACTERS = tuple(chr(code) for code in range(128))


def examples() -> dict[str, Report]:
    """Return a report of each kind by name."""
    full = _classes()
    return {
        "classes": full,
        "many-classes": replace(full, answers=_many(48), rates=(), timings=None),
        "thirty-classes": replace(full, answers=_many(30), rates=(), timings=None),
        "regression": replace(full, accuracy=None, answers=_regression()),
        "tokens": tokens(),
        "deltas": _deltas(),
        "not-placed": replace(full, energy=None, rates=(), timings=None,
                              placement_problem="it needs 130 cores of 120"),
        "older-chip": replace(full, rates=(), energy=estimate(
            full.metrics, full.graph, load_hardware("loihi1"))),
        "graph-alone": Report(title="A graph alone", graph=full.graph),
    }  # fmt: skip


def tokens() -> Report:
    """Return a report on characters: an embedding and two layers of thresholds."""
    rng = np.random.default_rng(5)
    table = rng.integers(-40, 40, (128, 12))
    nodes: dict[str, Node] = {
        "token": Input(channels=1, out=Fixed(8)),
        "row": Embedding(table=integers(table), out=Fixed(8)),
        "layer0.spike": Threshold(theta=integers(np.full(12, 15), 0, 24)),
        "mix": Affine(weight=integers(rng.integers(-5, 9, (16, 12))),
                      bias=integers(np.zeros(16), 0, 24), out=Fixed(24)),
        "layer1.spike": Threshold(theta=integers(np.full(16, 9), 0, 24)),
        "read": Affine(weight=integers(rng.integers(-9, 9, (3, 16))),
                       bias=integers(np.zeros(3), 0, 24), out=Fixed(24)),
        "output": Output(channels=3, out=Fixed(24)),
    }  # fmt: skip
    names = list(nodes)
    graph = Graph(nodes, tuple(pairwise(names)))
    found = np.frombuffer(TEXT.encode(), np.uint8).astype(np.int64)[None, :, None]
    trace = run(graph, found, "fast")
    metrics = measure(graph, trace)
    return Report(
        title="Characters", graph=graph, metrics=metrics, sample=trace, token_names=CHARACTERS,
        energy=estimate(metrics, graph, load_hardware("loihi2")),
        answers=Answers(integer="perplexity 3.214 (accuracy 61.0 %)", count=280, data="text"),
    )  # fmt: skip


def _deltas() -> Report:
    """Return a report on signed spikes, a delay, and an output that nothing reaches."""
    nodes: dict[str, Node] = {
        "input": Input(channels=1, out=Fixed(9, 8)),
        "late": Delay(channels=1, steps=np.array(3), out=Fixed(9, 8)),
        "signs": TernaryThreshold(delta=integers([150], 8, 24)),
        "read": Affine(weight=integers([[3], [0]]), bias=integers([0, 0], 0, 24), out=Fixed(24)),
        "output": Output(channels=2, out=Fixed(24)),
    }
    graph = Graph(nodes, tuple(pairwise(nodes)))
    trace = run(graph, model_input(50), "fast")
    metrics = measure(graph, trace)
    return Report(
        title="Deltas", graph=graph, metrics=metrics, sample=trace,
        energy=estimate(metrics, graph, load_hardware("loihi2")),
        answers=Answers(integer="accuracy unknown", count=0, confusion=np.zeros((2, 2), np.int64)),
    )  # fmt: skip


def _classes() -> Report:
    graph = model_graph(blocks=2, channels=24, modes=8, classes=10)
    trace = run(graph, model_input(60), "fast")
    metrics, chip = measure(graph, trace), load_hardware("loihi2")
    rates = []
    for factor in FACTORS:
        scaled, capped = at_spike_rate(metrics, graph, factor)
        rates.append(RateRow.of(factor, capped, scaled, estimate(scaled, graph, chip)))
    timing = TimingRow(form="float32, PyTorch, step by step", batch=128, threads=2,
                       seconds_a_sample=0.0123, median_seconds_a_sample=0.0234,
                       seconds_a_step=1.5e-4)  # fmt: skip
    return Report(
        title="A classifier", graph=graph, metrics=metrics, energy=estimate(metrics, graph, chip),
        accuracy=Accuracy(data="/a/long/path/of/a/set:test:64", samples=8, integer=0.75,
                          float_graph=1.0, agreement=0.75),
        answers=Answers(
            integer="accuracy 75.00 % (balanced 75.0 %, macro F1 0.750)", count=8,
            float_graph="accuracy 100.00 %", data="a set",
            confusion=90 * np.eye(12, dtype=np.int64) + np.arange(144).reshape(12, 12) % 5,
            class_names=tuple(f"class of a long name {k}" for k in range(12)),
        ),
        sample=trace, file_name="m.int.nssm", file_hash="ab" * 32, versions={"neurossm": "0.1.0"},
        parity=Parity(executors=("reference", "fast engine", "Lava"), samples=2, values=12_345,
                      mismatches=0),
        rates=tuple(rates),
        break_even=break_even(graph, metrics, chip, load_hardware("cmos45")),
        timings=Timings(machine="a CPU with a long name, 2 cores", float_network="float engine",
                        boundary="this process", energy="not available", rows=(timing,)),
    )  # fmt: skip


def _many(number: int) -> Answers:
    rng = np.random.default_rng(2)
    matrix = 50 * np.eye(number, dtype=np.int64) + (rng.random((number, number)) < 0.1) * 3
    return Answers(integer="accuracy 90.00 %", count=int(matrix.sum()), confusion=matrix,
                   class_names=tuple(f"word {k}" for k in range(number)))  # fmt: skip


def _regression() -> Answers:
    rng = np.random.default_rng(3)
    label = rng.normal(0, 10, 300)
    return Answers(
        integer="R2 0.950 (MSE 5.1)", count=300, points=np.stack(
            [label, label + rng.normal(0, 2, 300)], axis=1),
        channels=np.arange(300) % 3, channel_names=("x", "y", "z"),
    )  # fmt: skip
