"""Wrong use and bad input: exit status 2, one clear line on stderr, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RUN = ("run", "{integer}", "--data", "digits:test:2")
DIFF = ("diff", "{integer}", "{integer}", "--data", "digits:test:1")
CALIBRATE = ("quantize", "{floating}", "-o", "{tmp}/q", "--calibrate", "digits:train:4")

# a command, and what its one line must say
WRONG = [
    (("--bogus",), "No such option: --bogus; see 'neurossm --help'"),
    (("sing",), "No such command 'sing'; see 'neurossm --help'"),
    (("data",), "Missing command; see 'neurossm data --help'"),
    (("run",), "Missing argument 'GRAPH'; see 'neurossm run --help'"),
    (("run", "{integer}"), "Missing option '--data'"),
    (("run", "{integer}", "--data"), "'--data' requires an argument"),
    ((*CALIBRATE, "--weights", "x"), "Invalid value for '--weights'"),
    # files
    (("show", "{tmp}/none.nssm"), "none.nssm: expected a file, got No such file or directory"),
    (("show", "{tmp}"), "expected a file, got a directory"),
    (("show", "{text}"), "text.nssm: it is not an HDF5 file (.nssm)"),
    (("verify", "{empty}"), "empty.nssm: it is not an HDF5 file"),
    (("verify", "{cut}"), "cut.nssm: expected a whole HDF5 file, got a damaged one"),
    (("diff", "{integer}", "{tmp}/none.h5"), "none.h5: expected a file"),
    # data
    (("run", "{integer}", "--data", "digit:test:2"), "did you mean 'digits'?"),
    (("run", "{integer}", "--data", "digits:dev"), "one of train, test, valid, got 'dev'"),
    (("run", "{integer}", "--data", "digits:test:0"), "expected a count of at least 1, got '0'"),
    (("run", "{integer}", "--data", "digits:test:361"), "expected at most 360, got 361"),
    (("run", "{integer}", "--data", "digits"), "got none; write digits:train"),
    (("run", "{integer}", "--data", "digits:test:3:4"), "at most :SPLIT:N behind the name"),
    (("run", "{integer}", "--data", "mnist:test:1", "--data-dir", "{tmp}"),
     "neurossm data fetch mnist"),
    (("run", "{integer}", "--data", "mnist:test:1"), "expected at most 64 steps, got 784"),
    (("quantize", "{floating}", "-o", "{tmp}/q", "--calibrate", "mnist:train:1"),
     "use the data that it was made for (digits)"),
    (("diff", "{floating}", "{integer}", "--data", "mnist:test:1"), "expected at most 64 steps"),
    (("data", "fetch", "cifar"), "expected one of mnist, got 'cifar'"),
    # a float graph where an integer one is needed, and the other way round
    (("run", "{floating}", "--data", "digits:test:2"),
     "node 'encoder': expected an integer node, got a float Affine; quantize the graph first"),
    (("run", "{floating}", "--data", "digits:test:2", "--engine", "reference"), "quantize the"),
    (("run", "{floating}", "--data", "digits:test:2", "--engine", "lava"), "quantize the graph"),
    (("profile", "{floating}", "--data", "digits:test:2"), "quantize the graph first"),
    (("verify", "{floating}"), "-o NEW --calibrate DATA' writes a file with some"),
    (("quantize", "{integer}", "-o", "{tmp}/q", "--calibrate", "digits:train:4"),
     "expected a float graph, got one that is integer already"),
    # engines, hardware, bounds
    ((*RUN, "--engine", "fats"), "got 'fats'; did you mean 'fast'?"),
    ((*RUN, "--engine", "gpx"), "--engine: expected fast | reference | float | lava | dask |"),
    ((*RUN, "--engine", "lava:bacth=8"), "got 'bacth'; did you mean 'batch'?"),
    ((*RUN, "--engine", "lava:fuse=block"), "option fuse: expected auto | "),
    ((*RUN, "--engine", "lava:batch=x"), "option batch: expected a whole number, got 'x'"),
    ((*RUN, "--engine", "lava:batch"), "--engine lava: expected key=value, got 'batch'"),
    ((*RUN, "--engine", "float:threads=2"), "option: expected no options, got 'threads'"),
    ((*RUN, "--engine", "dask:address=nowhere"), "address: expected 'local' or a scheduler, tcp://"),
    ((*RUN, "--stacked", "3"), "an option of its executor now; type --engine lava:batch=3\n"),
    ((*RUN, "--fuse", "none"), "type --engine bundle\n"),
    ((*RUN, "--fuse", "stage"), "type --engine lava:fuse=stage\n"),
    ((*RUN, "--dask", "local"), "type --engine dask\n"),
    ((*RUN, "--dask=tcp://far:8786"), "type --engine dask:address=tcp://far:8786\n"),
    ((*RUN, "--dask"), "type --engine dask\n"),
    ((*RUN, "--workers", "5"), "type --engine dask:workers=5\n"),
    (("verify", "{integer}", "--engine", "float"), "such as fast, got 'float', of real numbers"),
    (("profile", "{integer}", "--data", "digits:test:2", "--hardware", "tpu"), "cmos45 | loihi1"),
    ((*CALIBRATE, "--weights", "9"), "neurossm: --weights: expected 2 to 8, got 9"),
    ((*CALIBRATE, "--poles", "17"), "neurossm: --poles: expected 3 to 16, got 17"),
    ((*CALIBRATE, "--range", "x*=wide"), "neurossm: --range 'x*': expected observed | percentile"),
    ((*CALIBRATE, "--percentile", "9", "--ranges", "percentile"), "neurossm: --percentile: expec"),
    (("check", "{integer}", "--chips", "0"), "neurossm: --chips: expected a whole number of at"),
    (("export", "{run}", "-o", "{tmp}/x", "--nir", "maybe"), "expected strict | auto | off"),
    (("export", "{tmp}/none", "-o", "{tmp}/x"), "expected a run folder or the name"),
    # diff
    (("diff", "{floating}", "{integer}"), "expected --data NAME:SPLIT:N or PATH"),
    ((*DIFF, "--tolerance", "-1"), "got -1"),
    ((*DIFF, "--tolerance", "nan"), "got nan"),
    # training
    (("train", "binary"), "expected a file, a family (binary-s4d, c-silif"),
    (("train", "nothing"), "such as binary-s4d-smnist, got 'nothing'; recipes are called FAMILY-"),
    (("train", "gsu-x"), "expected a file, gsu, or one of gsu-digits, gsu-image, gsu-"),
    (("train", "binary-s4d-digits", "--set", "epochs"), "expected section.key=value"),
    (("train", "binary-s4d-digits", "--set", "train.epoch=1"), "did you mean 'epochs'?"),
    (("train", "binary-s4d-digits", "--set", "train.epochs=x"), "expected a whole number, got 'x'"),
    (("train", "binary-s4d-digits", "--out", "{tmp}/r", "--resume"), "expected a run to resume"),
    # places that cannot be written
    ((*RUN, "--trace", "{tmp}/no/t.h5"), "expected a file that can be written"),
    ((*RUN, "--trace", "/"), "expected a file that can be written"),
    (("quantize", "{floating}", "-o", "{tmp}/no/q", "--calibrate", "digits:train:4"),
     "expected a file that can be written"),
    (("export", "{run}", "-o", "{tmp}/no/x"), "expected a file that can be written"),
    (("profile", "{integer}", "--data", "digits:test:2", "--html", "{tmp}/no/r"),
     "expected a file that can be written"),
    (("show", "{integer}", "--svg", "{tmp}/no/g.svg"), "expected a file that can be written"),
    (("train", "binary-s4d-digits", "--out", "{text}/r"),
     "text.nssm/r: expected a file that can be written, got Not a directory"),
    # the demo
    (("demo", "--samples", "0"), "expected samples >= lava samples >= 0, got 0 and 20"),
    (("demo", "--samples", "2", "--lava-samples", "-1"), "got 2 and -1"),
    (("install", "loihi"), "'lava'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def places(files, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wrong")
    whole = files.integer.read_bytes()
    for name, content in (("text", b"hello\n"), ("empty", b""), ("cut", whole[: len(whole) // 2])):
        (folder / f"{name}.nssm").write_bytes(content)
    bad = {name: folder / f"{name}.nssm" for name in ("text", "empty", "cut")}
    return {**vars(files), **bad, "tmp": tmp_path_factory.mktemp("tmp")}


@pytest.mark.parametrize(("command", "said"), WRONG, ids=lambda value: " ".join(value)[:60])
def test_one_clear_line_and_status_2(neurossm, places, command, said):
    ended = neurossm(*(part.format(**places) for part in command))
    assert ended.status == 2
    assert said in ended.err
    assert ended.err.startswith("neurossm: ") and ended.err.count("\n") == 1
    assert ended.out == "" and "Traceback" not in ended.err
    assert list(places["tmp"].iterdir()) == []


def test_json_says_the_error_too(neurossm, places):
    ended = neurossm("show", places["text"], "--json")
    assert ended.status == 2
    assert json.loads(ended.out) == {"error": ended.err.removeprefix("neurossm: ").strip()}


def test_without_a_command_it_helps_but_has_done_nothing(neurossm):
    ended = neurossm()
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("Usage: neurossm")


def test_the_demo_takes_the_data_of_its_checkpoint(neurossm, files, tmp_path):
    ended = neurossm("demo", "--checkpoint", files.run, "--samples", 2, "--lava-samples", 0,
                     "--out", tmp_path / "demo", "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    document = ended.document
    assert (document["data"], document["samples"], document["lava_samples"]) == ("digits", 2, 0)
    # reference and fast are compared without Lava too
    assert document["values_compared"] > 0 == document["mismatches"]
    assert list(document["seconds"]) == ["quantize", "profile", "parity", "report"]
    assert "[4/4] took" in ended.err
