"""Every remedy that a command prints is followed here, as it is printed: it must work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from neurossm_workflows import evaluate

NETX = Path(__file__).parents[1] / "fixtures/netx"
WORDS = {"NEW": "new.nssm", "DATA": "digits:train:4"}


def quoted(err: str, words: list[str]) -> list[str]:
    """The command between quotes."""
    found = re.findall(r"'neurossm ([^']+)'", err)
    return [WORDS.get(word, word) for word in shlex.split(found[0])]


def option(*more: str) -> Callable[[str, list[str]], list[str]]:
    """The same command, with the option that the message names."""

    def follow(err: str, words: list[str]) -> list[str]:
        assert more[0] in err
        return [*words, *more]

    return follow


def instead(old: str, new: str, said: str) -> Callable[[str, list[str]], list[str]]:
    """The same command, with another word, as the message says."""

    def follow(err: str, words: list[str]) -> list[str]:
        assert re.search(said, err), err
        return [new if word == old else word for word in words]

    return follow


def first_count(err: str, words: list[str]) -> list[str]:
    spec = re.search(r"at most (\d+) samples \(--data (\S+:\1)\)", err)
    return [spec[2] if word in ("digits:test:9", "long.npz") else word for word in words]


FOLLOWED = {
    "verify m.nssm": quoted,
    "deploy m.nssm --target lava": quoted,
    "golden m.nssm -o g.nssm": quoted,
    "diff m.nssm q.nssm": option("--data", "digits:test:2"),
    "export {run} -o x.nssm --nir strict": instead("strict", "auto", "use --nir auto"),
    "run q.nssm --data digit:test:2": instead("digit:test:2", "digits:test:2", "mean 'digits'"),
    "run q.nssm --data digits:test:9 --trace t.h5": first_count,
    "run q.nssm --data long.npz --trace t.h5": first_count,
    "run q.nssm --data digits": instead("digits", "digits:train", "write digits:train"),
    "run q.nssm --data shuffled.npz": option("--other-data"),
    "run q.nssm --data wide.npz": instead("wide.npz", "own.npz", "samples, steps, channels"),
    "run q.nssm --data coarse.npz": instead("coarse.npz", "own.npz", "leave scale out"),
    "run q.nssm --data own.npz --trace own.npz": lambda err, words: (
        [*words[:-1], "other.h5"] if "give it another name" in err else []),
    "profile q.nssm --data digits:test:2 --float q.nssm": lambda err, words: (
        [*words[:-1], "m.nssm"] if "give the file that `quantize` read" in err else []),
    "sweep m.nssm --data digits:valid:2 --calibrate digits:train:2 --poles 8 -o text.csv":
        instead("text.csv", "new.csv", "give -o a new name|got no text"),
    "sweep m.nssm --data digits:valid:2 --calibrate digits:train:2":
        option("--poles", "8,12,16"),
    "show slayer.net": quoted,
    "show layout.net": quoted,
    "show {run}": quoted,
    "run own.npz --data own.npz": quoted,
    "check own.h5": quoted,
    "import m.nssm -o n.nssm": quoted,
    "import own.npz -o n.nssm": quoted,
    "import own.h5 -o n.nssm": quoted,
    "import net.nir -o n.nssm": option("--dt", "1e-3"),
    "deploy q.nssm --bundle full": instead("full", "empty", "name another one"),
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch, files, neurossm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.nssm").write_bytes(files.floating.read_bytes())
    (tmp_path / "q.nssm").write_bytes(files.integer.read_bytes())
    inputs = np.ones((2, 64, 1), int)
    np.savez("own.npz", inputs=inputs, labels=[0, 1])
    np.savez("shuffled.npz", inputs=inputs, labels=[0, 1], order="bit-reversed")
    np.savez("wide.npz", inputs=np.ones((2, 64, 3), int))
    np.savez("coarse.npz", inputs=inputs, scale=0.5)
    np.savez("long.npz", inputs=np.ones((40, 64, 1), int))
    with h5py.File("own.h5", "w") as file:
        file["inputs"], file["labels"] = inputs, [0, 1]
    for name in ("slayer.net", "layout.net"):
        (tmp_path / name).write_bytes((NETX / name).read_bytes())
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    one = np.ones(2)
    nir.write("net.nir", nir.NIRGraph.from_list(
        nir.Linear(weight=np.eye(2)),
        nir.LIF(tau=5 * one, r=one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
    ))  # fmt: skip
    monkeypatch.setattr(evaluate, "LARGEST_TRACE_BYTES", 400_000)
    return files


@pytest.mark.parametrize("command", FOLLOWED)
def test_following_what_is_printed_works(command, here, neurossm):
    words = command.format(run=here.run).split()
    refused = neurossm(*words)
    assert refused.status in (1, 2) and refused.err.count("\n") >= 1, refused
    line = refused.err.splitlines()[-1]
    followed = FOLLOWED[command](line, words)
    assert followed and followed != words, line
    ended = neurossm(*followed)
    assert ended.status == 0, (line, followed, ended.err)
