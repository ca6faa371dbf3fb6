"""Every remedy that a command prints is followed here, as it is printed: it must work."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from float_model import C, float_ssm, only, pixels
from following import (
    Case,
    ending,
    first_count,
    instead,
    option,
    printed,
    quoted,
    run_again,
    setting,
    told,
    without,
)
from remedies import remedies

from neurossm.fixed import Fixed
from neurossm.store import save
from neurossm_workflows import evaluate

FIXTURES = Path(__file__).parents[1] / "fixtures"
PROPOSED = Path(__file__).parents[2] / "docs" / "nir-proposal"
TINY = "--set model.width=4 --set model.state=2 --set model.layers=1 --set train.epochs=1"
SMALL = f"{TINY} --set train.batch=4 --out o"
NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.fc, self.mean = torch.nn.Linear(1, 2), mean
    def forward(self, x):
        return self.fc(x).mean(1) if self.mean else self.fc(x)
def build(): return Net(True)
def steps(): return Net(False)
"""
GPU = torch.cuda.is_available()
CASES = (
    # files
    Case("verify m.nssm", quoted, "golden.py: neurossm quantize --calibrate"),
    Case("verify n.nssm", quoted, "golden.py: neurossm golden"),
    Case("golden m.nssm -o g.nssm", quoted, "golden.py: neurossm quantize --calibrate"),
    Case("show t.h5", told("'neurossm diff'", "diff", "t.h5", "t.h5"), "files.py: neurossm diff"),
    Case("show slayer.net", quoted),
    Case("show layout.net", quoted),
    Case("show {run}", quoted),
    Case("run own.npz --data own.npz", quoted),
    Case("check own.h5", quoted),
    Case("diff m.nssm q.nssm", option("--data", "digits:test:2")),
    Case("quantize q.nssm -o x --calibrate digits:train:2",
         told("'neurossm golden'", "golden", "q.nssm", "-o", "x.nssm"),
         "quantize.py: neurossm golden"),
    # data
    Case("run q.nssm --data digit:test:2",
         instead("digit:test:2", "digits:test:2", "mean 'digits'")),
    Case("run q.nssm --data digits:test:9 --trace t2.h5", first_count, "evaluate.py: --data"),
    Case("run q.nssm --data long.npz --trace t2.h5", first_count, "evaluate.py: --data"),
    Case("run q.nssm --data digits", instead("digits", "digits:train", "write digits:train")),
    Case("run q.nssm --data shuffled.npz", option("--other-data")),
    Case("run q.nssm --data wide.npz",
         instead("wide.npz", "own.npz", "samples, steps, channels")),
    Case("run q.nssm --data coarse.npz", instead("coarse.npz", "own.npz", "leave scale out")),
    Case("run q.nssm --data own.npz --trace own.npz",
         lambda err, words: [*words[:-1], "other.h5"]
         if "give it another name" in err else []),
    Case("run q.nssm --data digits:test:2 --predictions own.npz",
         instead("own.npz", "p.npz", "give it another name")),
    # engines and chips
    Case("run q.nssm --data digits:test:2 --engine zzz", quoted, "discovery.py: neurossm doctor"),
    Case("run q.nssm --data digits:test:2 --engine fats", instead("fats", "fast", "mean 'fast'")),
    Case("run q.nssm --data digits:test:2 --engine gpu",
         instead("gpu", "fast", "--engine fast"), "device.py: --engine"),
    Case("check q.nssm --hardware loihi", instead("loihi", "loihi2", "mean 'loihi[12]'")),
    Case("profile q.nssm --data digits:test:2 --float q.nssm --hardware loihi2",
         lambda err, words: [*words[:5], "m.nssm", *words[6:]]
         if "give the file that `quantize` read" in err else []),
    Case("place m.nssm --data digits:test:1",
         told("run 'neurossm quantize' first",
              *["quantize", "m.nssm", "-o", "new.nssm", "--calibrate", "digits:train:4"]),
         "place.py: neurossm quantize"),
    Case("place --like spike-ssm-image", setting, "planning.py: --set model.prenorm"),
    Case("deploy m.nssm --target lava", quoted, "deploy.py: neurossm quantize --calibrate"),
    Case("deploy q.nssm --dry-run --ssm-mapping state",
         instead("state", "channel", "--processes ours has one neuron a channel"),
         "deploy.py: --processes"),
    Case("deploy q.nssm --bundle full", instead("full", "empty", "name another one")),
    # quantize and sweep
    Case("quantize m.nssm -o x --calibrate digits:train:2 --ranges obsreved",
         instead("obsreved", "observed", "mean 'observed'")),
    Case("quantize float.nssm -o x --calibrate pixels.npz:all --ranges bound",
         printed(r"\((--range '[^']+')\)"), "ranges.py: --range"),
    Case("sweep m.nssm --data digits:test:2 --calibrate digits:train:2 --poles 8 -o text.csv",
         instead("text.csv", "new.csv", "give -o a new name|got no text")),
    Case("sweep m.nssm --data digits:test:2 --calibrate digits:train:2",
         option("--poles", "8,12,16")),
    # export and import
    Case("export {run} -o x.nssm --nir strict", instead("strict", "auto", "use --nir auto"),
         "export.py: --nir"),
    Case("export net.py:build -o x.nssm", option("--data", "own.npz"), "own_module.py: --data"),
    Case("export net.py:steps -o x.nssm --data own.npz", option("--readout", "mean"),
         "own_module.py: --readout"),
    Case("import m.nssm -o x.nssm", quoted),
    Case("import own.npz -o x.nssm", quoted),
    Case("import own.h5 -o x.nssm", quoted),
    Case("import slayer.net --from nir -o x.nssm", instead("nir", "netx", "--from netx"),
         "file.py: --from"),
    Case("import endless.net -o x.nssm", option("--steps", "20"), "layers.py: --steps"),
    Case("import if.nir -o x.nssm", option("--dt", "1e-3"), "convention.py: --dt --convention"),
    Case("import lif.nir -o x.nssm", printed(r"give (--convention sinabs) \("),
         "convention.py: --dt"),
    Case("import lif.nir -o x.nssm --convention norse --dt 1",
         instead("norse", "norse-dt", "say --convention norse-dt"),
         "convention.py: --convention"),
    Case("import jelly.nir -o x.nssm --convention spikingjelly", printed(r"--dt \S+$"),
         "membranes.py: --dt"),
    Case("import if.nir -o x.nssm --convention snntorch",
         instead("snntorch", "sinabs", "such as --convention sinabs"),
         "membranes.py: --convention --dt"),
    Case("import start.nir -o x.nssm --reset subtract --dt 1e-3", printed(r"--reset \S+=nir"),
         "membranes.py: --reset"),
    Case("import low.nir -o x.nssm --compare ge --dt 1e-3", printed(r"--compare \S+=gt"),
         "membranes.py: --compare"),
    Case("import proposed.nir -o x.nssm", option("--proposed"), "proposal.py: --proposed"),
    Case("import proposed.nir -o x.nssm --proposed --dt 1",
         lambda err, words: words[:-2] if "leave --dt out" in err else [], "state_space.py: --dt"),
    Case("import sum.nir -o x.nssm --dt 1e-3", option("--steps", "20"), "leaky.py: --steps"),
    # training
    Case(f"train t.npz {SMALL}",
         lambda err, words: [*ending(err, words), *words[2:]], "recipe.py: neurossm train --data"),
    Case("train r", run_again, "recipe.py: --out --resume"),
    Case("train r/recipe.toml --out r", option("--resume"), "start.py: --resume --out"),
    Case(f"train spikingssm --data t.npz {SMALL} --resume", without("--resume"),
         "start.py: --resume"),
    Case(f"train spikingssm --data t.npz {SMALL.replace('--out o', '--out w')}",
         instead("w", "o", "choose another --out"), "start.py: --out"),
    Case(f"train spikingssm {SMALL}", option("--data", "t.npz"), "sections.py: --data"),
    Case(f"train spikingssm --data bare.npz {SMALL}", setting, "learning.py: --set"),
    Case(f"train spikingssm --data t.npz {SMALL.replace('batch=4', 'batch=999')}", setting,
         "sequences.py: --set train.batch"),
    Case(f"train spikingssm --data t.npz {SMALL} --set train.device=cuda", setting,
         "devices.py: --set train.device"),
    Case(f"train spikingssm --data t.npz {SMALL} --set train.precision=bfloat16", setting,
         "devices.py: --set train.precision"),
    Case(f"train spikingssm --data t.npz {SMALL} --set train.carry=true", setting,
         "streams.py: --set train.carry"),
    Case(f"train spikingssm --data t.npz {SMALL} --set train.epoch=2",
         instead("train.epoch=2", "train.epochs=2", "mean 'epochs'")),
    Case(f"train spikingssm --data t.npz {TINY} --estimate --set train.device=cuda",
         option("--memory", "8"), "estimating.py: --memory --set train.device"),
    Case(f"train spikingssm --data t.npz {TINY} --estimate --memory 8 --set train.device=cuda"
         " --set train.ssm=native", setting, "estimating.py: --set"),
    Case(f"train spikingssm --data t.npz {SMALL} --set train.neuron=sdn:none",
         lambda err, words: [*quoted(err, words)[:-1], "s.safetensors", "--steps", "2"],
         "sdn.py: neurossm sdn --out"),
)  # fmt: skip
NOT_FOLLOWED = {
    "doctor.py: neurossm data fetch": "downloads",
    "download.py: neurossm data fetch": "downloads",
    "mnist.py: neurossm data fetch": "downloads",
    "cluster.py: pip install": "installs, on other machines",
    "arff.py: pip install": "installs",
    "demonstration.py: neurossm export": "of a network of data that the demo does not know",
    "installing.py: pip install": "installs",
    "tonic.py: pip install": "installs",
    "pathfinder.py: pip install": "installs",
    "devices.py: torchrun --nproc-per-node": "takes several GPUs",
    "parallel.py: --set train.device": "takes several processes with GPUs",
    "resident.py: --set train.data_on": "takes a GPU",
    "deterministic.py: --set train.deterministic": "takes an operation of a GPU",
    "recipe.py: --set": "takes a copy of a data set with other labels than ours has",
    "finetuning.py: --set model.readout": "takes two trainings",
    "start.py: neurossm train": "of Python alone: the command passes what is missing",
    "sdn.py: neurossm sdn --tau --out": "takes a training of minutes",
    "state_messages.py: --ssm-mapping": "no command places a node without states by the state",
    "layers.py: --layers": "takes a network of SLAYER whose input layer encodes",
    "delays.py: --dt --tau-unit --convention": "says what to check, not what to type",
    "own.py: neurossm import": "takes a file of a neurossm that is newer than this",
    "recurrence.py: --convention": "takes an oscillation of another tool",
    "s4_checkpoint.py: --prenorm": "takes a checkpoint of S4",
    "deploy.py: neurossm run --engine --data": "starts Lava: tests/cli/test_cli_lava.py",
}


@pytest.fixture
def here(tmp_path, monkeypatch, files, neurossm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.nssm").write_bytes(files.floating.read_bytes())
    (tmp_path / "q.nssm").write_bytes(files.integer.read_bytes())
    shutil.copytree(files.run, "r")
    inputs = np.ones((2, 64, 1), int)
    np.savez("own.npz", inputs=inputs, labels=[0, 1])
    np.savez("shuffled.npz", inputs=inputs, labels=[0, 1], order="bit-reversed")
    np.savez("wide.npz", inputs=np.ones((2, 64, 3), int))
    np.savez("coarse.npz", inputs=inputs, scale=0.5)
    np.savez("long.npz", inputs=np.ones((40, 64, 1), int))
    series = np.random.default_rng(0).normal(size=(30, 6, 2))
    np.savez("t.npz", inputs=series, labels=np.arange(30) % 2)
    np.savez("bare.npz", inputs=series)
    with h5py.File("own.h5", "w") as file:
        file["inputs"], file["labels"] = inputs, [0, 1]
    for name in ("slayer.net", "layout.net"):
        (tmp_path / name).write_bytes((FIXTURES / "netx" / name).read_bytes())
    shutil.copy("layout.net", "endless.net")
    with h5py.File("endless.net", "r+") as file:
        del file["simulation"]
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "net.py").write_text(NET)
    for name in ("full", "w"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_text("x")
    shutil.copy(PROPOSED / "state-space-zoh.nir", "proposed.nir")
    networks()
    for_ever = float_ssm(a_re=np.ones((C, 3)), a_im=np.zeros((C, 3)))  # no worst case
    save("float.nssm", only(for_ever, Fixed(9, 8)))
    np.savez("pixels.npz", inputs=pixels(C))
    monkeypatch.setattr(evaluate, "LARGEST_TRACE_BYTES", 400_000)
    return files


def networks() -> None:
    """Write networks of other tools."""
    one = np.ones(2)
    leaky = {"tau": 5 * one, "r": one, "v_leak": 0 * one, "v_threshold": one}
    for name, *nodes in (
        ("lif.nir", nir.LIF(**leaky, v_reset=0 * one)),
        ("jelly.nir", nir.LIF(**leaky | {"tau": 2e-3 * one, "r": 2 * one}, v_reset=0 * one)),
        ("start.nir", nir.LIF(**leaky, v_reset=0.5 * one), nir.LIF(**leaky, v_reset=0 * one)),
        ("low.nir", nir.LIF(**leaky, v_reset=one), nir.LIF(**leaky, v_reset=0 * one)),
        ("if.nir", nir.IF(r=one, v_threshold=one, v_reset=0 * one)),
        ("sum.nir", nir.LIF(**leaky, v_reset=0 * one), nir.I(r=one)),
    ):
        nir.write(name, nir.NIRGraph.from_list(nir.Linear(weight=np.eye(2)), *nodes))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
def test_following_what_is_printed_works(case, here, neurossm, request):
    if "n.nssm" in case.command.split():
        assert neurossm("import", "slayer.net", "-o", "n.nssm").status == 0
    if "t.h5" in case.command:
        neurossm("run", "q.nssm", "--data", "digits:test:1", "--trace", "t.h5")
    if GPU and ("cuda" in case.command or "gpu" in case.command):
        pytest.skip("a GPU is here: nothing is missing")
    words = case.command.format(run=here.run).split()
    stopped = neurossm(*words)
    assert stopped.status in (1, 2) and stopped.err.count("\n") >= 1, stopped
    line = stopped.err.splitlines()[-1]
    for typed in case.remedy.partition(": ")[2].split():
        assert typed in line, line
    followed = [word for word in case.follow(line, words) if word]
    assert followed and followed != words, line
    ended = neurossm(*followed)
    assert ended.status == 0, (line, followed, ended.err)


@pytest.mark.source
def test_each_remedy_with_something_to_type_is_followed_or_has_a_reason():
    followed = {case.remedy for case in CASES if case.remedy}
    found = set(remedies())
    assert not followed & set(NOT_FOLLOWED)
    assert found == followed | set(NOT_FOLLOWED), (
        found - followed - set(NOT_FOLLOWED),
        (followed | set(NOT_FOLLOWED)) - found,
    )
    assert len(followed) >= 25 and all(NOT_FOLLOWED.values())
