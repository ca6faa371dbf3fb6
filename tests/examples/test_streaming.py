"""The example of a live source runs: simulated, from stdin, from a file, over UDP on loopback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spiking_block import model_graph, model_input

from neurossm import Stepper, run, save
from neurossm_models.data import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "streaming.py"
INPUTS = model_input(60)[0]  # integers with 8 fraction bits


def example(*words: object, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, input=given, timeout=200)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.nssm"
    graph = model_graph(blocks=1, channels=8, modes=4, classes=5)
    save(path, graph)
    return path, classes(graph)


def classes(graph) -> list[str]:
    """The class after each step where it is another than before, by a whole run."""
    found = run(graph, INPUTS[None]).values["output"][0].argmax(axis=1)
    changes = np.flatnonzero(np.diff(found, prepend=-1))
    assert len(changes) >= 3, "the test sees no change"
    return [f"step {step}  class {found[step]}" for step in changes]


def changes(output: str) -> list[str]:
    return re.findall(r"step \d+  class \d+", output)


def lines() -> str:
    return "".join(f"{value / 256!r}\n" for value in INPUTS[:, 0].tolist())


def test_a_simulated_sensor_by_default():
    done = example("--rate", "5000", "--sequences", "4")
    assert done.returncode == 0, done.stderr
    ends = [int(end) for end in re.findall(r"sequence \d: class (\d), 0 values", done.stdout)]
    labels = load("digits:test:4").labels
    # the test set starts 0 8 8 9; the network is right on 9 of 10
    assert len(ends) == 4 and np.sum(ends == labels) >= 3
    steps = 4 * 64
    seconds = [float(value) for value in re.findall(r"([\d.]+) s  step", done.stdout)]
    assert seconds[-1] > 0.6 * steps / 5000, "it keeps the rate"
    assert re.search(rf"^{steps} steps, [\d.]+ us each \(median\)", done.stdout, re.M)


def test_lines_from_stdin_and_from_a_file_are_the_whole_run(model, tmp_path):
    path, expected = model
    (tmp_path / "device").write_text(lines())
    for done in (
        example(path, "--source", "-", given=lines()),
        example(path, "--source", tmp_path / "device"),
    ):
        assert done.returncode == 0, done.stderr
        assert changes(done.stdout) == expected


def test_datagrams_on_loopback_are_the_whole_run(model):
    path, expected = model
    command = [sys.executable, "-u", str(EXAMPLE), str(path), "--source", "udp:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(re.fullmatch(r"listening on 127.0.0.1:(\d+)\n", process.stdout.readline())[1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in [*lines().splitlines(), ""]:  # an empty one ends it
                sender.sendto(line.encode(), ("127.0.0.1", port))
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert changes(rest) == expected


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["--source", "-"], "0.5\n0,5 x\n", "stdin line 2: expected numbers, got '0,5 x\\\\n'"),
        (["--source", "-"], "nan\n", "input 'input': expected finite numbers, got nan"),
        (["--source", "-"], "1 2\n", r"input 'input': expected shape \(1, 1\), got shape \(2,\)"),
        (["--source", "no/such"], "", "--source no/such: got No such file"),
        (["--source", "udp:x"], "", "--source udp:x: expected a port"),
        (["--rate", "-1"], "", "--rate, --steps and --sequences are at least 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(model, words, given, said):
    done = example(model[0], *words, given=given)
    assert done.returncode == 2 and re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_steps_as_the_library_does(model):
    """Not only the examples agree: the same stream by hand."""
    graph = model_graph(blocks=1, channels=8, modes=4, classes=5)
    stream, found = Stepper(graph), []
    for value in INPUTS[:, 0] / 256:
        stream.step(value)
        best = f"step {stream.steps - 1}  class {stream.answer().argmax()}"
        if not found or found[-1].split()[-1] != best.split()[-1]:
            found.append(best)
    assert found == model[1]
