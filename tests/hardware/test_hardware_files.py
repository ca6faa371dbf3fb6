import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from neurossm.errors import FormatError, InputError, TargetError
from neurossm.hardware import GRADES, Quantity, known_hardware, load_hardware

SOURCED = '{ value = 120, unit = "core", source = "a paper", grade = "P" }'
HEAD = 'name = "mine"\ntitle = "Mine"\n'


def numbers_in(table: object, path: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """Every table that holds a number, found without the loader."""
    if isinstance(table, list):
        for index, item in enumerate(table):
            yield from numbers_in(item, f"{path}[{index}]")
    if isinstance(table, dict):
        if any(isinstance(value, int | float) for value in table.values()):
            yield path, table
        for key, value in table.items():
            yield from numbers_in(value, f"{path}.{key}")


@pytest.mark.parametrize("name", known_hardware())
def test_every_number_has_a_unit_a_source_and_a_grade(name: str) -> None:
    raw = tomllib.loads((resources.files("neurossm.hardware") / f"{name}.toml").read_text())
    found = list(numbers_in(raw))
    assert len(found) >= 7
    for path, table in found:
        assert str(table["unit"]), path
        assert len(str(table["source"])) > 5, path
        assert table["grade"] in GRADES, path
        assert set(table) <= {"value", "low", "high", "unit", "source", "grade", "note"}, path


def test_unknown_is_absent_and_zero_stands_only_where_a_split_says_so() -> None:
    zeros = [
        (name, path)
        for name in known_hardware()
        for path, table in numbers_in(
            tomllib.loads((resources.files("neurossm.hardware") / f"{name}.toml").read_text())
        )
        if 0 in (table.get("value"), table.get("low"), table.get("high"))
    ]
    assert zeros == [("loihi2", ".energy.pilotnet.events[0].neuron_update")]


def test_loihi2_holds_the_published_limits_and_times() -> None:
    chip = load_hardware("loihi2")
    assert chip.require("limits", "neuron_words_per_core").value == 4095
    assert chip.require("limits", "delay_max").value == 63
    assert chip.require("timing", "syn_op").value == 0.66e-9
    assert chip.require("timing", "neuron_pass").value == 4e-9
    assert chip.require("timing", "measured_step").value == 31.03e-6
    assert (chip.passes["DiagonalSSM"].low, chip.passes["DiagonalSSM"].high) == (1, 2)


def test_loihi2_holds_what_placement_needs_with_its_grade() -> None:
    limits = load_hardware("loihi2").limits
    found = {
        key: (int(quantity.low), quantity.grade)
        for key, quantity in vars(limits).items()
        if quantity is not None
    }
    assert found["neuron_words_plain"] == (1, "D")
    assert found["neuron_words_real_state"] == (2, "D")
    assert found["neuron_words_complex_state"] == (3, "D")
    assert found["words_per_neuron"] == (4096 * 8 // 64, "S")
    assert found["fan_out_synapses_per_word"] == (4, "D")
    assert found["lone_synapse_words"] == (1, "D")
    assert found["cores"] == (120, "P")
    router = [found[key][0] for key in ("mesh_columns", "mesh_rows", "cores_per_router")]
    assert router == [8, 4, 4] and found["cores"][0] <= 8 * 4 * 4
    # Hala Point: 140,544 cores on 1152 chips are 122 a chip, two more than the compiler uses
    assert found["system_chips"] == (1152, "S")
    assert 140_544 == 1152 * 122
    assert "140,544" in limits.system_chips.note


def test_loihi1_refuses_by_name_what_it_cannot_hold() -> None:
    refuses = load_hardware("loihi1").refuses
    assert set(refuses) == {
        "DiagonalSSM", "ComplexDiagonal", "AdaptiveLIF", "AdaptiveThreshold", "ResonateAndFire",
        "TernaryThreshold", "PiecewiseLinear", "Product", "graded messages",
    }  # fmt: skip
    for refusal in refuses.values():
        assert refusal.reason and refusal.remedy and refusal.source and refusal.grade in GRADES
    assert load_hardware("loihi2").refuses == {}


def test_loihi2_has_four_sets_and_says_whose_numbers_they_are() -> None:
    chip = load_hardware("loihi2")
    sets = {found.name: found for found in chip.energy}
    assert list(sets) == ["davies2018", "sanafe", "kerasspiking", "pilotnet"]
    for name in ("davies2018", "sanafe", "kerasspiking"):
        assert "Loihi 1 numbers used for Loihi 2" in sets[name].note
    pairs = [(e.syn_op.value, e.neuron_update.value) for e in sets["pilotnet"].events]
    assert pairs == [(30e-12, 0), (26.7e-12, 20e-12), (23.6e-12, 40e-12), (17.3e-12, 80e-12)]
    assert sets["pilotnet"].kind == "derived bound" and sets["pilotnet"].grade == "D"


def test_static_power_of_loihi1_is_unknown_not_zero() -> None:
    chip = load_hardware("loihi1")
    assert chip.power.static_chip is None
    with pytest.raises(TargetError, match=r"'loihi1': expected power.static_chip, got a file with"):
        chip.require("power", "static_chip")


def test_a_range_has_no_single_value() -> None:
    with pytest.raises(InputError, match=r"expected one number, got 1 to 2 J \[P\]"):
        _ = Quantity(1, 2, "J", "a paper", "P").value


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lohi2", "did you mean 'loihi2'"),
        ("zzz", r"expected cmos45 \| loihi1 \| loihi2 or a .toml file"),
        ("missing/chip.toml", "missing/chip.toml: expected a chip file.*, got No such file"),
    ],
)
def test_an_unknown_chip_is_refused_with_the_nearest_name(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_hardware(name)


def cores(old: str, new: str) -> str:
    """Return a chip whose one number is wrong in one place."""
    return HEAD + "[limits]\ncores = " + SOURCED.replace(old, new)


SET = '[energy.x]\ntitle = "x"\ncitation = "x"\nkind = "x"\nprocess = "x"\ngrade = "P"\n'
HOSTILE = {
    "not toml": ("name = ", "expected a chip file, in TOML, got "),
    "no name": ('title = "x"', "mine.toml: expected key 'name', got none"),
    "name is a number": ('name = 3\ntitle = "x"', r"name: expected a text, got 3"),
    "unknown section": (
        HEAD + "[limit]",
        "a key of .*, got 'limit'; did you mean 'limits'",
    ),
    "unknown key": (
        HEAD + f"[limits]\ncoers = {SOURCED}",
        "limits: expected a key of .*, got 'coers'; did you mean 'cores'",
    ),
    "bare number": (HEAD + "[limits]\ncores = 120", "limits.cores: expected a table.*needs its"),
    "section is a list": (HEAD + "limits = [1]", "limits: expected a table"),
    "text as number": (
        cores("120", '"120"'),
        "limits.cores.value: expected a number, got '120'",
    ),
    "bool as number": (
        cores("120", "true"),
        "limits.cores.value: expected a number",
    ),
    "nan": (
        cores("120", "nan"),
        "limits.cores.value: expected a finite number, got nan",
    ),
    "negative": (
        cores("120", "-1"),
        "limits.cores.value: expected at least 0, got -1",
    ),
    "no source": (
        HEAD + '[limits]\ncores = { value = 1, unit = "core", grade = "P" }',
        "limits.cores: expected key 'source', got none",
    ),
    "empty source": (
        cores("a paper", " "),
        "limits.cores.source: expected a text, got an empty one",
    ),
    "no grade": (
        HEAD + '[limits]\ncores = { value = 1, unit = "core", source = "a paper" }',
        "limits.cores: expected key 'grade', got none",
    ),
    "unknown grade": (
        cores('"P"', '"A"'),
        r"limits.cores.grade: expected one of P, P\*, S, D, U, got 'A'",
    ),
    "wrong unit": (
        cores('"core"', '"J"'),
        "limits.cores.unit: expected 'core', got 'J'",
    ),
    "value and low": (
        cores("value = 120", "value = 1, low = 1"),
        "limits.cores: expected either value, or low and high, got low and value",
    ),
    "low alone": (
        cores("value", "low"),
        "limits.cores: expected either value, or low and high, got low",
    ),
    "reversed": (
        cores("value = 120", "low = 2, high = 1"),
        "limits.cores: expected low <= high, got 2.0 > 1.0",
    ),
    "misspelled field": (
        cores("grade", "grad"),
        "limits.cores: expected a key of .*, got 'grad'; did you mean 'grade'",
    ),
    "caveats": (HEAD + "caveats = 3", "caveats: expected a list, got 3"),
    "refusal without a remedy": (
        HEAD + '[refuses]\nLIF = { reason = "x", source = "x", grade = "P" }',
        "refuses.LIF: expected key 'remedy', got none",
    ),
    "refusal of unknown grade": (
        HEAD + '[refuses]\nLIF = { reason = "x", remedy = "x", source = "x", grade = "Q" }',
        "refuses.LIF.grade: expected one of P, .*, got 'Q'",
    ),
    "refusal that is a text": (HEAD + '[refuses]\nLIF = "no"', "refuses.LIF: expected a table"),
    "set without events": (
        HEAD + SET,
        "energy.x: expected key 'events', got none",
    ),
    "set without syn_op": (
        HEAD + SET + "events = {}",
        "energy.x.events: each set needs syn_op and neuron_update",
    ),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_by_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        load_hardware(path)
    assert str(path) in str(caught.value)


def test_all_that_is_wrong_in_a_chip_file_is_said_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    limits = f"[limits]\ncores = {SOURCED.replace('grade', 'grad')}\n"
    path.write_text(HEAD + "caveats = 3\n" + limits + SET)
    with pytest.raises(FormatError) as caught:
        load_hardware(path)
    lines = str(caught.value).split("\n")
    starts = ["energy.x: expected key 'events'", "limits.cores: expected a key of",
              "caveats: expected a list", "limits.cores: expected key 'grade'"]  # fmt: skip
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(f"{path}: {start}"), line


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="in TOML, got 'utf-8' codec can't decode"):
        load_hardware(path)


def test_a_chip_of_ones_own_loads_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + f"[limits]\ncores = {SOURCED}")
    chip = load_hardware(str(path))
    assert chip.require("limits", "cores").value == 120
    assert chip.timing.syn_op is None
