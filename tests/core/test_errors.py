"""Errors: one line, with the place, what was expected, what came, and the remedy."""

import pytest

from neurossm.errors import (
    CheckFailed,
    FormatError,
    GraphError,
    InputError,
    NeurossmError,
    RangeError,
    TargetError,
)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, "here"),
        ({"expected": "a"}, "here: expected a"),
        ({"got": "b"}, "here: got b"),
        ({"expected": "a", "got": "b"}, "here: expected a, got b"),
        ({"remedy": "do c"}, "here; do c"),
        ({"expected": "a", "got": "b", "remedy": "do c"}, "here: expected a, got b; do c"),
    ],
)
def test_the_message_has_only_the_parts_that_are_given(parts, line):
    assert str(NeurossmError("here", **parts)) == line


def test_the_message_is_one_line_whatever_came_in():
    error = NeurossmError("file\n x", expected="a\tb", got="c\r\nd", remedy=" e ")
    assert str(error) == "file x: expected a b, got c d; e"


def test_the_parts_can_be_read():
    error = GraphError("here", expected="a", got="b", remedy="c")
    assert (error.where, error.expected, error.got, error.remedy) == ("here", "a", "b", "c")


@pytest.mark.parametrize("kind", [InputError, GraphError, FormatError, RangeError, TargetError])
def test_wrong_input_ends_with_status_2_and_is_a_value_error(kind):
    assert kind("x").exit_status == 2
    assert isinstance(kind("x"), NeurossmError) and isinstance(kind("x"), ValueError)


def test_a_failed_check_ends_with_status_1():
    assert CheckFailed("x").exit_status == 1
