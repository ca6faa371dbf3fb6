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
        ({"problem": "it is empty"}, "here: it is empty"),
        ({"problem": "it is empty", "remedy": "do c"}, "here: it is empty; do c"),
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


@pytest.mark.parametrize("noun", [{"expected": "a"}, {"got": "b"}])
def test_a_sentence_stands_in_place_of_nouns(noun):
    with pytest.raises(TypeError, match="either a problem"):
        NeurossmError("here", problem="it is empty", **noun)


def test_a_sentence_stays_when_an_error_is_moved_joined_and_respelled():
    error = GraphError("node", problem="--a is needed", remedy="do c")
    assert str(error.inside("file: ")) == "file: node: --a is needed; do c"
    joined = GraphError.together([error, GraphError("other", problem="it is empty")])
    assert str(joined) == "node: --a is needed; do c\nother: it is empty"
    error.respell(lambda text: text.replace("--a", "a"))
    assert (str(error), error.problem) == ("node: a is needed; do c", "a is needed")
