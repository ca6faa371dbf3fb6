"""Tables: nothing in them is ever cut, least of all the names that are typed again."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from neurossm_cli.presentation import console as console_module
from neurossm_cli.presentation.tables import (
    GAP,
    Head,
    cell,
    fold_facts,
    fold_item,
    lay_out,
)

CLI = Path(console_module.__file__).parents[1]
NETX = Path(__file__).parents[1] / "fixtures/netx/slayer.net"
COMMANDS = (
    "check {integer}",
    "place {integer} --data digits:test:1",
    "place {integer} --details",
    "diff {floating} {integer} --data digits:test:2",
    "diff {floating} {integer} --data digits:test:2 --details",
    "doctor",
    "data list",
    "data show digits:test",
    "show {integer}",
    "import {netx} -o {tmp}/n.nssm",
    "quantize {floating} -o {tmp}/q.nssm --calibrate digits:train:4",
    "quantize {floating} -o {tmp}/q.nssm --calibrate digits:train:4 --details",
    "prune {floating} -o {tmp}/p.nssm --sparsity 0.5",
    "sweep {floating} --data digits:test:2 --calibrate digits:train:2 --poles 8,16 --with-float",
    "profile {integer} --data digits:test:1 --measure-cpu --details",
    "train binary-s4d-digits --estimate",
)


@dataclass(frozen=True)
class Table:
    place: tuple[str, int]
    columns: list[str]
    rows: list[list[object]]
    keys: int


@pytest.fixture(scope="module")
def tables(files, neurossm, tmp_path_factory) -> list[Table]:
    """What every command that prints tables asks for."""
    found: list[Table] = []

    def table(self, columns, rows, title="", keys=1):
        caller = sys._getframe(1)
        place = Path(caller.f_code.co_filename).name, caller.f_lineno
        found.append(Table(place, list(columns), [list(row) for row in rows], keys))

    names = {"integer": files.integer, "floating": files.floating, "netx": NETX,
             "tmp": tmp_path_factory.mktemp("tables")}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console_module.Console, "table", table)
        for command in COMMANDS:
            ended = neurossm(*command.format(**names).split())
            assert ended.status in (0, 1) and "Traceback" not in ended.err, (command, ended.err)
    return found


@pytest.mark.source
def test_every_table_of_every_command_is_here(tables):
    calls = set()
    for file in CLI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "table":
                calls.add((file.name, node.lineno, node.end_lineno))
    seen = {
        call for call in calls for t in tables if call[0] == t.place[0]
        and call[1] <= t.place[1] <= call[2]
    }  # fmt: skip
    assert len(calls) >= 18 and seen == calls


@pytest.mark.parametrize("width", [40, 60, 80, 120, None])
def test_nothing_is_cut_at_any_width(width, tables):
    for table in tables:
        lines = lay_out(table.columns, table.rows, width, table.keys)
        text = "\n".join(lines)
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        for row in table.rows:  # what names a row stands whole on one line, in order
            names = [cell(value) for value in row[: table.keys]]
            assert any(line.split() == " ".join(names).split()
                       or [p for p in names if p in line] == names for line in lines)  # fmt: skip
        for row in table.rows:  # and of the others every character is there
            wanted = Counter("".join(map(cell, row)).replace(" ", ""))
            assert not wanted - Counter(text.replace(" ", ""))
        if width is None:
            assert len(lines) == len(table.rows) + 1
        else:
            keys = max(len(" ".join(map(cell, row[: table.keys]))) for row in table.rows or [[""]])
            words = [len(word) for row in table.rows for one in row for word in cell(one).split()]
            # a word, such as a path, is never broken
            most = max(width, keys + GAP * table.keys, 2 + max(words, default=0))
            assert max(map(len, lines)) <= most


def test_prose_folds_and_names_and_numbers_stay():
    # 5 + 2 + 21 + 2 + 6 = 36 columns, and between words the prose folds at 20 of its 21
    columns, rows = ("name", "task", "count"), [("mnist", "digits as a sequence of steps", 60000)]
    assert lay_out(columns, rows, 36) == [
        "name   task                   count",
        "mnist  digits as a sequence  60,000",
        "       of steps",
    ]
    assert lay_out(columns, rows, None) == [
        "name   task                            count",
        "mnist  digits as a sequence of steps  60,000",
    ]
    assert lay_out(columns, rows, 20) == [
        "name",
        "mnist",
        "  task: digits as a",
        "  sequence of steps",
        "  count: 60,000",
    ]


def test_a_table_that_is_too_wide_is_cut_and_what_names_a_row_stands_in_each_part():
    columns = ("node", "first count", "second", "how", "third")
    rows = [("a.b", 12345, 1, "2 to 3 of 4 and 5", 7), ("c", 1, 22, "", 8)]
    # 4 + 2 + 6 + 2 + 6 = 20 of 24: a head folds between its words, a short text never; row c has
    # nothing in the second part
    lines = lay_out(columns, rows, 24)
    assert lines == [
        "node   first  second",
        "       count",
        "a.b   12,345       1",
        "c          1      22",
        "",
        "node  how",
        "a.b   2 to 3 of 4 and 5",
        "",
        "node  third",
        "a.b       7",
        "c         8",
    ]
    heads = [line for line in lines if isinstance(line, Head)]
    assert heads == ["node   first  second", "       count", "node  how", "node  third"]


def test_in_a_pipe_lines_have_80_characters_or_as_many_as_columns_says(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    row = [("a", *["some words of prose"] * 6)]
    widths = []
    for columns in ("", "200", "50", "x"):
        monkeypatch.setenv("COLUMNS", columns)
        console_module.Console(as_json=False).table("abcdefg", row)
        widths.append(max(map(len, capsys.readouterr().out.splitlines())))
    # 1 + 6 * 21 = 127; 1 + 3 * 21 = 64 of 80; 1 + 2 * 21 = 43 of 50
    assert widths == [64, 127, 43, 64]


@pytest.mark.parametrize("columns", [80, 40])
def test_data_list_on_a_terminal_names_them_all(columns):
    # a real terminal, as case 14 saw it
    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    line = [sys.executable, "-c", "from neurossm_cli import main; main(['data', 'list'])"]
    with subprocess.Popen(line, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # Linux says so at the end of a terminal
                break
            if not part:
                break
            shown += part
    os.close(parent)
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    starts = {line.split()[1] for line in lines if line.startswith(("ok  ", "--  ", "ok ", "-- "))}
    assert {"aan", "cifar10-gray", "digits", "mnist", "psmnist", "speech-commands",
            "wikitext103"} <= starts  # fmt: skip


def test_colons_are_no_smileys(capsys):
    console = console_module.Console(as_json=False)
    console.say("calibrate on mnist:train:512")
    console.table(("data",), [("mnist:train:512",)])
    assert capsys.readouterr().out == "calibrate on mnist:train:512\ndata\nmnist:train:512\n"


def test_sentences_and_items_fold_between_words_and_items_hang():
    assert fold_item("one two three", 8) == ["one two", "three"]
    assert fold_item("  a: one two three four five six", 24) == [
        "  a: one two three four", "    five six"
    ]  # fmt: skip
    assert fold_item("", 10) == [""] and fold_item("short", 80) == ["short"]


def test_names_with_what_they_are_have_the_texts_in_one_column():
    # 4 letters and a gap of 2: texts have 24 of 30 columns
    assert fold_facts([("a", "one two three four five six"), ("long", "x"), ("", "y")], 30) == [
        "a     one two three four five", "      six", "long  x", "      y"
    ]  # fmt: skip
    assert fold_facts([], 30) == []
