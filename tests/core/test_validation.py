"""Fields of dataclasses: what each takes, and how a message names place, wish, value and remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import ConfigDict, Field

from neurossm.errors import FormatError, InputError
from neurossm.validation import (
    Count,
    Factor,
    Positive,
    Text,
    Whole,
    built,
    check_record,
    checked,
    settle,
)


@dataclass(frozen=True)
class Settings:
    count: Count
    name: Text = "x"
    rate: float = 1.0
    seed: int = 0
    leak: Factor = 0.5
    low: Positive = 1.0
    even: Annotated[int, Field(multiple_of=2)] = 2
    kind: Literal["first", "second"] = "first"
    on: bool = True
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settle("settings", self)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "settings: expected key 'count', got none"),
        ({"coutn": 1}, "settings: expected a key of count, name, .*, got 'coutn'; did you"),
        ({"count": 0}, "settings count: expected at least 1, got 0"),
        ({"count": True}, "settings count: expected a whole number, got True"),
        ({"count": 1.0}, "settings count: expected a whole number, got 1.0"),
        ({"count": "1"}, "settings count: expected a whole number, got '1'"),
        ({"count": 2**63}, "settings count: expected less than 9.2.*, got 9223372036854775808"),
        ({"count": 1, "name": " "}, "settings name: expected a text, got an empty one"),
        ({"count": 1, "name": 3}, "settings name: expected a text, got 3"),
        ({"count": 1, "rate": float("nan")}, "settings rate: expected a finite number, got nan"),
        ({"count": 1, "rate": -1e39}, "settings rate: expected at least -3.4e[+]38, got -1e[+]39"),
        ({"count": 1, "seed": 2**63}, "settings seed: expected less than 9.2.*, got 92233"),
        ({"count": 1, "rate": True}, "settings rate: expected a number, got True"),
        ({"count": 1, "leak": 1}, "settings leak: expected less than 1, got 1"),
        ({"count": 1, "low": 0.0}, "settings low: expected more than 0, got 0.0"),
        ({"count": 1, "low": 1e39}, "settings low: expected at most 3.4e[+]38, got 1e[+]39"),
        ({"count": 1, "even": 3}, "settings even: expected a multiple of 2, got 3"),
        ({"count": 1, "kind": "frist"},
         "settings kind: expected one of first, second, got 'frist'; did you mean 'first'"),
        ({"count": 1, "on": 1}, "settings on: expected true or false, got 1"),
        ({"count": 1, "more": 3}, "settings more: expected a table, got 3"),
    ],
)  # fmt: skip
def test_a_value_that_a_field_does_not_take_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        checked(values, Settings, "settings ")


def test_an_unknown_name_is_said_before_what_is_missing() -> None:
    with pytest.raises(InputError, match="got 'rat'; did you mean 'rate'"):
        checked({"rat": 1}, Settings, "")


def test_only_what_was_given_comes_back_and_whole_numbers_serve_as_real_ones() -> None:
    found = checked({"count": 3, "rate": 2}, Settings, "")
    assert found == {"count": 3, "rate": 2.0} and isinstance(found["rate"], float)


def test_what_is_made_in_python_is_checked_too_and_numbers_of_numpy_are_numbers() -> None:
    made = Settings(np.int64(3), rate=np.float32(0.5), low=2)
    assert (type(made.count), made.rate, made.low) == (int, 0.5, 2.0)
    with pytest.raises(InputError, match="settings count: expected at least 1, got 0"):
        Settings(0)


@dataclass(frozen=True)
class Inner:
    size: Whole

    def __post_init__(self) -> None:
        if self.size == 7:
            raise InputError("inner size", expected="no seven", got="7", remedy="say 8")


@dataclass(frozen=True)
class Outer:
    one: Inner | None = None
    named: Mapping[str, Inner] = field(default_factory=dict)
    listed: tuple[Inner, ...] = ()

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3, "file: expected a table, got 3"),
        ({"on": {}}, "file: expected a key of one, named, listed, got 'on'; did you mean 'one'"),
        ({"one": 3}, "file: one: expected a table, got 3"),
        (
            {"one": {"siez": 1}},
            "file: one: expected a key of size, got 'siez'; did you",
        ),
        ({"named": {"a": {"size": "1"}}}, "file: named.a.size: expected a whole number, got '1'"),
        ({"named": {"a": {"soze": 1}}}, "file: named.a: expected a key of size, got 'soze'"),
        ({"listed": [{"size": 1}, {}]}, "file: listed.1: expected key 'size', got none"),
        ({"listed": [{"x": 1}]}, "file: listed.0: expected a key of size, got 'x'"),
        ({"one": {"size": 7}}, "file: one.size: expected no seven, got 7; say 8"),
    ],
)
def test_the_path_of_a_field_inside_tables_is_said(table: object, message: str) -> None:
    with pytest.raises(FormatError, match=f"^{message}"):
        built(table, Outer, "file: ", FormatError)


def test_tables_inside_tables_become_dataclasses() -> None:
    table = {"one": {"size": 1}, "named": {"a": {"size": 2}}, "listed": [{"size": 3}]}
    expected = Outer(Inner(1), {"a": Inner(2)}, (Inner(3),))
    assert built(table, Outer, "", FormatError) == expected


@pytest.mark.parametrize(
    ("row", "others", "message"),
    [
        ([1], None, "line 3: expected a table, got list"),
        ({"step": 1}, None, "line 3: expected key 'loss', got none"),
        ({"step": True, "loss": 1}, None, "line 3 step: expected a whole number, got True"),
        ({"step": 1, "loss": float("inf")}, None, "line 3 loss: expected a finite number, got inf"),
        (
            {"step": 1, "loss": 1, "mroe": 2},
            ["more"],
            "line 3: expected a key of step, loss, more,",
        ),
    ],
)
def test_a_record_has_its_entries_each_of_its_kind(
    row: object, others: list[str] | None, message: str
) -> None:
    with pytest.raises(FormatError, match=f"^{message}"):
        check_record(row, {"step": int, "loss": float}, "line 3 ", FormatError, others)


def test_a_record_may_have_others_unless_they_are_named() -> None:
    row = {"step": 1, "loss": 1, "other": [1]}
    check_record(row, {"step": int, "loss": float}, "", FormatError)
    check_record(row, {"step": int, "loss": float}, "", FormatError, ["other"])


def test_all_that_is_wrong_is_said_a_line_each_and_of_many_how_many_more() -> None:
    with pytest.raises(InputError) as refused:
        checked({"count": 0, "rat": 2, "on": 1}, Settings, "settings ")
    lines = str(refused.value).split("\n")
    assert lines[0].startswith("settings: expected a key of count, name,")
    assert lines[0].endswith("got 'rat'; did you mean 'rate'?")
    assert lines[1:] == [
        "settings count: expected at least 1, got 0",
        "settings on: expected true or false, got 1",
    ]
    assert [other.where for other in refused.value.others] == ["settings count", "settings on"]
    wrong = {"count": 0, "name": 3, "rate": "1", "seed": "1", "leak": 1, "low": 0, "even": 3}
    with pytest.raises(InputError) as refused:
        checked(wrong, Settings, "")
    # seven are wrong: five lines, and two more
    assert str(refused.value).count("\n") == 5 and str(refused.value).endswith("\nand 2 more")


def test_what_a_dataclass_inside_refuses_is_said_beside_the_others() -> None:
    table = {"one": {"size": 7}, "named": {"a": {"size": "1"}}, "listed": [{}]}
    with pytest.raises(FormatError) as refused:
        built(table, Outer, "file: ", FormatError)
    assert str(refused.value).split("\n") == [
        "file: one.size: expected no seven, got 7; say 8",
        "file: named.a.size: expected a whole number, got '1'",
        "file: listed.0: expected key 'size', got none",
    ]
