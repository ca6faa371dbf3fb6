"""What commands print by default fits on a screen; with --details nothing is missing."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from neurossm.quantization import Loss
from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.quantization_summary import _print_losses, print_next, widths

# lines, and what only the tables say
COMMANDS = {
    "quantize {floating} -o {tmp}/q.nssm --calibrate digits:train:8":
        (25, "Headroom of the registers, in integers", "largest weight"),
    "profile {integer} --data digits:test:2 --float {floating}":
        (20, "Energy at other spike rates", "dendrite_updates"),
    "diff {floating} {integer} --data digits:test:2": (30, "channel  spikes"),
    "place {integer} --data digits:test:1":
        (20, "axon-map", "Predicted step time", "- Not modeled: "),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_by_default_a_screen_and_with_details_all_of_it(
    neurossm, files, tmp_path, command, monkeypatch
):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines, *only_details = COMMANDS[command]
    given = command.format(floating=files.floating, integer=files.integer, tmp=tmp_path).split()
    summary, tables = (neurossm(*given, *more) for more in ((), ("--details",)))
    assert summary.status == tables.status == 0
    assert len(summary.out.splitlines()) <= lines
    assert "--details" in summary.out and "--details" not in tables.out
    for said in only_details:
        assert said not in summary.out and said in tables.out, said
    assert neurossm(*given, "--json").out == neurossm(*given, "--json", "--details").out


def test_show_has_one_table_with_notes_below_it(neurossm, files, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = neurossm("show", files.integer).out.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    notes = [line for line in lines if "sigmoid by 8 segments" in line]
    assert len(notes) == 1
    assert notes[0].startswith("blocks.0.mix.sigmoid, blocks.1.mix.sigmoid: ")


def test_the_profile_says_its_energy_in_two_parts_and_compares_like_with_like(neurossm, files):
    given = ("profile", files.integer, "--data", "digits:test:2")
    said = neurossm(*given).out
    assert re.search(r"^energy +.+ to .+J on Intel Loihi 2 \(modeled, not measured\)$", said,
                     re.MULTILINE)  # fmt: skip
    assert re.search(r"^ +static .+ dynamic ", said, re.MULTILINE)
    assert re.search(r"^45 nm arithmetic +.+ to .+J as this spiking network$", said,
                     re.MULTILINE)  # fmt: skip
    assert "(state mapping)" in said and "(channel mapping)" in said
    total = neurossm(*given, "--json").document["counts"]["total"]
    assert f"{round(total['syn_ops'] / 2):,} synaptic" in said  # 2 samples


def test_widths_are_read_from_all_formats():
    formats = (("weights", "s8.5"), ("weights", "s6.0"), ("messages", "s24.-3"), ("poles", "Q1.15"),
               ("gains b, c", "s8.6, s9.-1..7"), ("messages", "binary"))  # fmt: skip
    choices = tuple(SimpleNamespace(what=what, format=format) for what, format in formats)
    # Q1.15: 15 bits and a sign
    assert widths(choices) == "activations 24; gains b, c 8 to 9; poles 16; weights 6 to 8"
    assert widths(()) == "spikes only"


def loss(node: str, count: int, setting: str = "", bits: int | None = 9) -> Loss:
    return Loss(node, "Affine", "weights", (0,), count, 100, f"{count} lost", bits, setting)


def test_five_nodes_are_shown_those_first_that_an_option_would_keep(capsys):
    losses = [loss("a", 1), loss("b", 2), loss("c", 3), loss("d", 4), loss("e", 5),
              loss("f", 1, "weight_bits", 8), loss("e", 50), loss("g", 90, bits=None)]  # fmt: skip
    _print_losses(Console(as_json=False), tuple(losses))
    title, head, *rows, more = capsys.readouterr().out.splitlines()
    assert title == "What the formats could not represent, in 7 nodes (the worst of each)"
    assert head.split() == ["node", "what", "lost", "bits", "needed"]
    assert [row.split()[0] for row in rows] == ["f", "e", "d", "c", "b"]
    assert "8 (--weights)" in rows[0] and "50 lost" in rows[1] and "9 (unsupported)" in rows[1]
    assert more == "and 3 more rows of that (--details)"  # 8 rows, 5 shown
    _print_losses(Console(as_json=False), ())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("calibrate", "passed", "command"),
    [
        ("mnist:train:64", True, "profile 'my q' --data mnist:test"),
        ("own.npz", True, "profile 'my q' --data own.npz"),
        ("mnist:train:64", False, "diff m 'my q' --data mnist:train:64"),
    ],
)
def test_the_next_command_can_be_typed(capsys, calibrate, passed, command):
    for given, more in (([], ""), (["--data-dir", "d"], " --data-dir d")):
        print_next(Console(as_json=False), "m", "my q", calibrate, given, passed)
        assert capsys.readouterr().out.splitlines()[1] == f"  neurossm {command}{more}"


def test_the_next_command_has_the_options_about_data(neurossm, files, tmp_path):
    target = tmp_path / "q.nssm"
    said = neurossm("quantize", files.floating, "-o", target, "--calibrate", "digits:train:4",
                    "--other-data").out  # fmt: skip
    assert said.splitlines()[-1] in (
        f"  neurossm profile {target} --data digits:test --other-data",
        f"  neurossm diff {files.floating} {target} --data digits:train:4 --other-data",
    )
