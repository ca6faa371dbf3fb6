"""Options of an executor as text: every type there and back, and what is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from neurossm.errors import InputError
from neurossm.executors import NoOptions
from neurossm.executors.options import described, options_text, parse_options


@dataclass(frozen=True)
class Options:
    count: int = 3
    share: float = 0.5
    loud: bool = False
    kind: Literal["one", "two"] = "one"
    place: str = ""
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError("count", expected="0 or more", got=str(self.count), remedy="count up")


def parsed(text: str) -> Options:
    return parse_options(Options, text, "--engine x")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", Options()),
        ("count=5", Options(count=5)),
        ("share=1e-3,loud=yes", Options(share=0.001, loud=True)),
        (" loud = No , kind=two ", Options(kind="two")),
        ("place=tcp://[::1]:8786", Options(place="tcp://[::1]:8786")),
        ("models=a.b,place=,models=c", Options(models=("a.b", "c"))),
    ],
)
def test_a_text_is_the_options_and_back(text, options):
    found = parsed(text)
    assert found == options and type(found.count) is int and type(found.share) is float
    assert parsed(options_text(found)) == options


def test_only_what_is_not_by_default_is_shown():
    assert options_text(Options()) == ""
    assert options_text(Options(loud=True, models=("a", "b"))) == "loud=yes,models=a,models=b"
    assert described(Options) == (
        "count=3", "share=0.5", "loud=no", "kind=one", "place=", "models=",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cuont=1", "--engine x option: expected one of count, share, loud, kind, place, models,"
                    " got 'cuont'; did you mean 'count'?"),
        ("count", "--engine x: expected key=value, got 'count'"),
        ("count=1,", "--engine x: expected key=value, got ''"),
        ("count=1.5", "--engine x option count: expected a whole number, got '1.5'"),
        ("count=1,count=2", "--engine x option count: it is given twice"),
        ("share=half", "--engine x option share: expected a number, got 'half'"),
        ("loud=2", "--engine x option loud: expected yes | no, got '2'"),
        ("kind=onne", "option kind: expected one | two, got 'onne'; did you mean 'one'?"),
        # what the dataclass refuses
        ("count=-1", "--engine x option count: expected 0 or more, got -1; count up"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_by_name(text, said):
    with pytest.raises(InputError) as refused:
        parsed(text)
    assert str(refused.value).endswith(said)


def test_an_executor_without_options_says_so():
    assert parse_options(NoOptions, "", "x") == NoOptions()
    with pytest.raises(InputError, match="x option: expected no options, got 'a'"):
        parse_options(NoOptions, "a=1", "x")
