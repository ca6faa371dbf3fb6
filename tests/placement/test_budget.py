"""What placement takes of a chip whose file knows a number only roughly."""

from __future__ import annotations

import re
from importlib import resources

from neurossm.hardware import load_hardware
from neurossm.placement.budget import budget_of

# what there is of room, and what things take of it
ROOM = ("cores", "neuron_words", "shared_words", "total_words", "groups", "words_a_neuron",
        "fan_out_per_word")  # fmt: skip
TAKEN = ("plain", "real_state", "complex_state", "axon_in", "axon_map", "lone_synapse")


def test_a_range_counts_by_the_end_that_needs_more_room(tmp_path):
    text = (resources.files("neurossm.hardware") / "loihi2.toml").read_text(encoding="utf-8")
    start, stop = text.index("[limits]"), text.index("[timing]")
    rough = re.sub(
        r"value = (\d+),", lambda m: f"low = {m[1]}, high = {2 * int(m[1])},", text[start:stop]
    )
    (tmp_path / "rough.toml").write_text(text[:start] + rough + text[stop:], encoding="utf-8")
    known, found = (budget_of(load_hardware(name)) for name in ("loihi2", tmp_path / "rough.toml"))
    for name in ROOM:
        assert getattr(found, name) == getattr(known, name), name
    for name in TAKEN:
        assert getattr(found, name) == 2 * getattr(known, name), name
    assert known.dense_per_word == 3.1  # 3.1 to 3.4 in the file


def test_words_are_whole_and_none_is_too_few():
    budget = budget_of(load_hardware("loihi2"))
    assert [budget.fan_out_words(states) for states in (1, 4, 5, 8)] == [1, 1, 2, 2]
    assert [budget.dense_words(targets) for targets in (1, 3, 4, 31, 32)] == [1, 1, 2, 10, 11]
