"""Help: what each command is for, every choice by its name, at any width, without heavy imports."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import typer

from neurossm.executors import discovery
from neurossm.hardware import load_hardware
from neurossm.interface import READOUTS
from neurossm.interface import TASKS as TASKS_OF_GRAPHS
from neurossm.placement import SSM_MAPPINGS
from neurossm.quantization.ranges import RULES
from neurossm_cli.app import app
from neurossm_cli.presentation import choices
from neurossm_cli.presentation.help import HEADINGS, LAST, RENAMED
from neurossm_converters.backends.loihi2.settings import GENERATIONS, TARGETS
from neurossm_converters.formats.nir import convention
from neurossm_converters.formats.torch.foreign.s4 import METHODS
from neurossm_converters.formats.torch.traced.results import READOUTS as READOUTS_OF_MODULES
from neurossm_models.data.labels import KINDS
from neurossm_models.data.sets import SOURCES
from neurossm_models.families import FAMILIES
from neurossm_models.train import CHECKPOINTS, load_recipe
from neurossm_workflows.export import NIR_MODES
from neurossm_workflows.import_ import READERS
from neurossm_workflows.own_module import NORMALIZE

GROUP = typer.main.get_command(app)
COMMANDS = {
    **{(name,): command for name, command in GROUP.commands.items()},
    **{("data", name): command for name, command in GROUP.commands["data"].commands.items()},
}
HEAVY = ("numpy", "torch", "numba", "h5py", "rich", "jinja2", "networkx")


@pytest.mark.parametrize(
    ("listed", "home"),
    [
        (choices.RANGE_RULES, RULES),
        (choices.TASKS, KINDS),
        (choices.TASKS, TASKS_OF_GRAPHS),
        (choices.READOUTS_OF_MODULES, READOUTS_OF_MODULES),
        (choices.READOUTS_OF_FILES, tuple(one for one in READOUTS if one != "mean")),
        (choices.NORMALIZE, NORMALIZE),
        (choices.NIR, NIR_MODES),
        (choices.FORMATS, READERS),
        (choices.CONVENTIONS, convention.NAMES),
        (choices.TIME_UNITS, convention.UNITS),
        (choices.RESETS, convention.RESETS),
        (choices.COMPARISONS, convention.COMPARISONS),
        (choices.METHODS, METHODS),
        (choices.SSM_MAPPINGS, SSM_MAPPINGS),
        (choices.TARGETS, TARGETS),
        (choices.GENERATIONS, GENERATIONS),
        (choices.ENGINES, [entry.name for entry in discovery.entries() if not entry.package]),
        (choices.FETCHED, {one.fetched_as for one in SOURCES.values()} - {""}),
        (choices.families(), FAMILIES),
        (choices.checkpoints(), [path.parent.name for path in CHECKPOINTS.glob("*/test.json")]),
    ],
)
def test_what_help_lists_is_what_there_is(listed, home):
    assert sorted(listed) == sorted(home) and len(set(listed)) == len(listed)


def test_chips_and_recipes_that_are_listed_can_be_loaded():
    assert {load_hardware(name).name for name in choices.chips()} == set(choices.chips())
    assert "binary-s4d-smnist" in choices.recipes() and len(choices.recipes()) > 50
    for family in choices.families():
        assert load_recipe(f"{family}-digits").data.name == "digits"
    for family in ("binary-s4d", "gsu", "prf", "spike-ssm", "spikingssm"):
        assert load_recipe(f"{family}-smnist").data.name == "mnist"
    assert {"digits", "smnist", "listops", "wikitext103"} <= set(choices.tasks_of_recipes())


def helped(words, width):
    command = COMMANDS[words] if words else GROUP
    parent = typer.Context(GROUP, info_name="neurossm")
    context = typer.Context(command, info_name=" ".join(words), parent=parent) if words else parent
    context.terminal_width = width
    return command.get_help(context)


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("width", [60, 80])
def test_help_fits_and_nothing_in_it_is_cut(words, width):
    text = helped(words, width)
    lines = text.splitlines()
    long = [line for line in lines if len(line) > width and len(line.split()) > 1]
    assert not long and "..." not in text.replace("[ARGS]...", "").replace("[NAME]...", "")
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    names = re.findall(r"--?[a-z][a-z-]*[a-z]|\w+-\w+-\w+", text)  # none ends at its hyphen
    assert not [line for line in lines if re.search(r"\w-$", line)] and names
    command = COMMANDS.get(words, GROUP)
    for param in command.params:
        if words and not param.hidden:
            assert getattr(param, "help", ""), param.name  # --help itself has one
    # types of Python say nothing to who types them
    assert not re.search(r"<(str|path|int|float|list)\b", text.replace("<shell>", "")) or not words


def test_the_first_sentence_says_what_a_command_does_in_one_line():
    for words, command in COMMANDS.items():
        sentence = command.get_short_help_str(1000)
        assert sentence.endswith(".") and len(f"  {'quantize'}  {sentence}") <= 80, words
    text = helped((), 80)
    for words, command in COMMANDS.items():
        if len(words) == 1:
            assert re.search(rf"^  {words[0]} +{re.escape(command.get_short_help_str(1000))}$",
                             text, re.M)  # fmt: skip


def test_commands_stand_in_the_order_in_which_one_meets_them():
    text = helped((), 80)
    at = [text.index(f"\n{heading}:\n") for heading, _ in (*HEADINGS, LAST)]
    assert at == sorted(at) and "Others:" not in text
    shown = re.findall(r"^  ([a-z]+) +\S", text[at[0] :], re.M)
    assert sorted(shown) == sorted(GROUP.commands) and shown[0] == "demo"
    assert shown[-2:] == ["results", "sdn"]


@pytest.mark.parametrize(
    ("words", "option", "known"),
    [
        (("quantize",), "--ranges", choices.RANGE_RULES),
        (("quantize",), "--range", choices.RANGE_RULES),
        (("export",), "--task", choices.TASKS),
        (("data", "show"), "--task", choices.TASKS),
        (("import",), "--task", choices.TASKS),
        (("export",), "--readout", choices.READOUTS_OF_MODULES),
        (("import",), "--readout", choices.READOUTS_OF_FILES),
        (("export",), "--nir", choices.NIR),
        (("export",), "--normalize", choices.NORMALIZE),
        (("import",), "--from", choices.FORMATS),
        (("import",), "--convention", choices.CONVENTIONS),
        (("import",), "--tau-unit", choices.TIME_UNITS),
        (("import",), "--reset", choices.RESETS),
        (("import",), "--compare", choices.COMPARISONS),
        (("import",), "--method", choices.METHODS),
        (("check",), "--ssm-mapping", choices.SSM_MAPPINGS),
        (("profile",), "--ssm-mapping", choices.SSM_MAPPINGS),
        (("deploy",), "--target", choices.TARGETS),
        (("deploy",), "--loihi-gen", choices.GENERATIONS),
        (("profile",), "--hardware", choices.chips()),
        (("run",), "--engine", choices.ENGINES),
    ],
)
def test_choices_are_in_the_help_and_a_wrong_one_is_told_them(
    words, option, known, neurossm, tmp_path
):
    record = re.search(rf"  {option} .*?(?=\n  -)", helped(words, 80), re.S)[0]
    shown = " ".join(record.split())
    assert all(name in shown for name in known)
    wrong = known[0] + "x"
    given = f"node={wrong}" if option == "--range" else wrong
    paths = {"import": ("-o", tmp_path / "n"), "export": ("-o", tmp_path / "n"),
             "quantize": ("-o", tmp_path / "n", "--calibrate", "digits:train:2")}  # fmt: skip
    data = ("--data", "digits:test:1") if words[0] in ("run", "profile") else ()
    source = "digits:test" if words == ("data", "show") else tmp_path / "none.nssm"
    ended = neurossm(*words, source, option, given, *paths.get(words[0], ()), *data)
    assert ended.status == 2 and ended.err.count("\n") == 1
    if option == "--hardware":  # read after the network, which is missing here
        return
    assert option in ended.err and all(name in ended.err for name in known), ended.err
    assert f"got {wrong!r}" in ended.err
    if len(known[0]) > 3:
        assert f"did you mean {known[0]!r}?" in ended.err


def test_engines_that_may_be_typed_have_the_options_that_are_listed():
    for entry in discovery.entries():
        if not entry.package:
            kind = discovery.choose(entry.name).executor.options
            for hint in (get_type_hints(kind)[one.name] for one in fields(kind)):
                # what completion knows how to offer
                assert hint in (int, float, bool, str) or get_origin(hint) in (Literal, tuple)
                assert get_origin(hint) is not Literal or all(get_args(hint))


def test_help_imports_nothing_heavy():
    lines = [[*words, "--help"] for words in ((), *COMMANDS)]
    source = f"""
import contextlib, io, json, sys
from neurossm_cli import main
for line in {lines!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(line)
    assert out.getvalue().startswith("Usage: "), line
print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True,
                          check=True, env={**os.environ, "COLUMNS": "80"})  # fmt: skip
    assert json.loads(done.stdout) == []


def test_old_spellings_are_taken_with_one_line_and_are_not_in_the_help(files, neurossm, tmp_path):
    line = ("quantize", files.floating, "-o", tmp_path / "q.nssm", "--calibrate", "digits:train:2")
    old = neurossm(*line, "--messages", "20", "--json")
    new = neurossm(*line, "--activations=20", "--json")
    assert old.status == new.status == 0 and old.document == new.document
    said = "neurossm: --messages is deprecated, use --activations (removed in 0.4)\n"
    assert old.err == said + new.err
    ended = neurossm("train", "binary-s4d-digits", "--estimate", "--quantized")
    assert ended.status == 2 and ended.err.splitlines()[0] == (
        "neurossm: --quantized is deprecated, use --qat (removed in 0.4)"
    )
    assert "--qat" in ended.err.splitlines()[1]
    assert not any(name in helped(words, 80) for words in COMMANDS for name in RENAMED)
    # of a command that never had it, an old spelling is an option like any other that is not there
    assert "No such option: --messages" in neurossm("run", "m", "--messages", "8").err


def test_the_same_warning_is_said_once(neurossm, monkeypatch):
    from neurossm.deprecation import deprecated
    from neurossm_workflows import verify

    def replayed(*arguments):
        deprecated("x", "y")
        deprecated("x", "y")
        deprecated("x", "z")
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "verify", replayed)
    assert neurossm("verify", "m.nssm").err.splitlines() == [
        "neurossm: x is deprecated, use y (removed in 0.4)",
        "neurossm: x is deprecated, use z (removed in 0.4)",
        "neurossm: interrupted",
    ]


def test_descriptions_are_sentences():
    for words, command in COMMANDS.items():
        body = inspect.cleandoc(command.help)
        assert body[0].isupper() and body.endswith((".", ".\n")), words
