"""Rows and bars of the report in the cases that few reports have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spiking_block import TINY_INPUT, tiny_graph

from neurossm.energy import Interval, RateRow, estimate
from neurossm.engine import run
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.report import Answers, Report, TimingRow, Timings
from neurossm.report.predictions import class_table, headline, most_confused
from neurossm.report.units import mean_count, si_range
from neurossm.report.values import (
    energy_groups,
    rate_groups,
    real_time,
    source_rows,
    timing_rows,
)


@pytest.fixture(scope="module")
def tiny() -> Report:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    energy = estimate(metrics, graph, load_hardware("loihi2"))
    return Report(title="t", graph=graph, metrics=metrics, energy=energy)


def test_two_decades_are_the_first_with_a_prefix_for_each_end() -> None:
    assert si_range(Interval(1.0, 100.0), "s") == "1.00 s to 100 s"
    assert si_range(Interval(1.0, 99.9), "s") == "1.00 to 99.9 s"
    # three digits behind the point at most
    assert si_range(Interval(12.3e-9, 1e-6), "s") == "0.012 to 1.00 µs"


def test_a_mean_is_whole_from_a_hundred_on() -> None:
    assert (mean_count(99.4), mean_count(100.4)) == ("99.4", "100")


def test_what_is_no_score_is_shown_as_it_is() -> None:
    assert headline("none") == ("Score", "none")


def test_a_class_that_was_never_right_or_asked_for_has_zeros() -> None:
    answers = Answers(integer="", count=4, confusion=np.array([[3, 1], [0, 0]]), class_names=("a",))
    # a: 3 of 3 predictions, 3 of 4 samples, 2 * 3 / (4 + 3)
    assert class_table(answers)[:2] == [
        ("a", "1.0000", "0.7500", "0.8571", "4"), ("1", "0.0000", "0.0000", "0.0000", "0"),
    ]  # fmt: skip


def test_pairs_that_are_confused_equally_often_stay_in_order() -> None:
    answers = Answers(integer="", count=36, confusion=np.ones((6, 6), dtype=np.int64))
    pairs = [(str(a), str(b), "1", "16.7%") for a in range(6) for b in range(6) if a != b]
    assert most_confused(answers) == pairs[:20]


def test_where_static_power_is_not_known_no_sum_says_that_it_holds_it(tiny: Report) -> None:
    (bar,) = energy_groups(replace(tiny.energy, static=None))[2].bars
    assert bar.label == "All sets, static not known"
    row = RateRow(0.5, None, (), Interval(1.0, 2.0), Interval(3.0, 4.0))
    (group,) = rate_groups(replace(tiny, rates=(row,), energy=replace(tiny.energy, static=None)))
    assert [(bar.label, bar.interval) for bar in group.bars] == [("\u00d7 0.5", Interval(1.0, 2.0))]
    assert len(rate_groups(replace(tiny, rates=(row,)))) == 2
    assert len(rate_groups(replace(tiny, rates=(row,), energy=None))) == 1


def test_a_source_has_its_note_under_it_where_it_has_one(tiny: Report) -> None:
    (name, found), *_ = tiny.energy.by_constant_set.items()
    for note in ("", "a note"):
        known = replace(found, constants=replace(found.constants, note=note))
        (row,) = source_rows(replace(tiny.energy, by_constant_set={name: known}))
        cited = known.constants.citation
        assert row[-1] == ((cited, note) if note else cited)


def test_there_is_no_real_time_without_an_energy_or_a_rate(tiny: Report) -> None:
    assert real_time(replace(tiny, energy=None, steps_per_second=100.0)) is None
    timeless = replace(tiny, graph=replace(tiny.graph, dt=None))
    assert real_time(timeless) is None
    assert real_time(replace(timeless, steps_per_second=100.0)) is not None


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "2.5"), (0.1, "10"), (0.0008, "1,250")])
def test_few_samples_a_second_have_two_digits(seconds: float, shown: str) -> None:
    row = TimingRow(form="f", batch=1, threads=1, seconds_a_sample=seconds,
                    median_seconds_a_sample=seconds, seconds_a_step=seconds)  # fmt: skip
    timings = Timings(machine="m", float_network="n", boundary="b", energy="e", rows=(row,))
    assert timing_rows(timings)[0][6:] == (shown, "not available")
