"""Counts of an executor have an end: far beyond it lies a typing error, not a wish."""

from __future__ import annotations

import pytest

from neurossm.engine import cores
from neurossm.errors import InputError
from neurossm.executors import choose


@pytest.mark.parametrize(
    ("option", "most"),
    [
        # 16 for each of three cores
        ("fast:threads", 48),
        ("dask:workers", 48),
        ("dask:shard", 4096),
        ("lava:batch", 1024),
    ],
)
def test_the_largest_count_is_taken_and_no_larger_one(monkeypatch, option, most):
    monkeypatch.setattr(cores, "usable_cores", lambda: 3)
    executor, name = option.split(":")
    assert getattr(choose(f"{option}={most}").options, name) == most
    for wrong in (most + 1, 99999, 10**30, -1):
        where = f"engine {executor} option {name}: expected a whole number, 0 to {most}"
        with pytest.raises(InputError, match=rf"^{where}.*, got {wrong}(;|$)"):
            choose(f"{option}={wrong}")


def test_a_count_of_processes_says_why_and_what_to_type(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    with pytest.raises(InputError) as refused:
        choose("dask:workers=99999", "--engine")
    assert str(refused.value) == (
        "--engine dask option workers: expected a whole number, 0 to 32 (16 a core of 2), got"
        " 99999; workers=0 takes one a core"
    )
    assert choose("dask:workers=0").options.workers == 0
