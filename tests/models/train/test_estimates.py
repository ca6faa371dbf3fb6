"""What a training will need: by hand, against whole steps, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from torch import nn

from neurossm.errors import InputError
from neurossm_models import LIF, S4D, Network
from neurossm_models.data.registry import task
from neurossm_models.data.task import Task
from neurossm_models.gpu import setting
from neurossm_models.tasks.losses import Loss
from neurossm_models.train import estimate, load_recipe, memory, train
from neurossm_models.train.batches import Batch
from neurossm_models.train.estimates import estimating, in_words, probing, refusing, room, shapes
from neurossm_models.train.estimates.tracking import Live, evaluation_memory, step_memory
from neurossm_models.train.evaluation import at_once
from neurossm_models.train.parallel import Group

FAMILIES = ("binary-s4d", "gsu", "spikingssm", "spike-ssm", "silif")
FLOAT = 4
CPU = torch.device("cpu")


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.down(torch.tanh(self.up(x[:, 0])))


def test_a_step_keeps_what_it_keeps_by_hand():
    model, batch = Small(), Batch(torch.randn(4, 1, 3), None, torch.randint(2, (4,)))
    found = step_memory(model, batch, Loss("classification"))
    # tanh and the logarithm of the softmax keep what they give, the mean its weight; input and
    # weights are there anyway
    assert found.saved == FLOAT * (4 * 5 + 4 * 2 + 1)
    assert found.native == 0
    assert found.left == FLOAT * (3 * 5 + 5 + 5 * 2 + 2)
    assert all(p.grad is None for p in model.parameters())
    # at least: what is kept, the answers, and the gradients of the answers
    assert found.peak >= found.saved + 2 * FLOAT * 4 * 2
    assert evaluation_memory(model, batch, Loss("classification")) < found.peak


def test_what_lives_is_counted_once_and_let_go():
    given = torch.zeros(1000)
    live = Live()
    live.ignore([given])
    with live:
        a = given + 1
        assert live.now == 4000
        view, given[0] = a[10:], 3  # nothing new
        assert live.now == 4000
        b = a * 2
        assert live.now == 8000
        del a
        assert live.now == 8000  # the view holds it
        del view
        assert live.now == 4000
        del b
    assert (live.now, live.peak) == (0, 8000)


def test_kernels_tell_what_they_keep():
    layer = S4D(4, 4)
    x = torch.randn(4, 2, 40)
    assert layer.form_for(x) == "native"
    model = nn.Module()
    model.layer = layer  # whose parameters they are
    model.forward = lambda x: layer(x.permute(2, 0, 1)).mean(2).T
    batch = Batch(torch.randn(2, 40, 4), None, torch.randint(4, (2,)))
    native = step_memory(model, batch, Loss("classification"))
    layer.form = "fft"
    assert native.native > 0
    assert step_memory(model, batch, Loss("classification")).native == 0


def test_straight_lines_go_through_the_corners():
    def value(a, b, c):
        return 3 + 2 * a + 5 * b + 7 * a * b - c + 11 * a * b * c

    corners = {corner: value(*corner) for corner in itertools.product((1, 2), (3, 7), (2, 5))}
    assert probing.extrapolated(corners, (6, 1, 40)) == value(6, 1, 40)
    alone = {(4, b): 3 + b for b in (1, 2)}
    assert probing.extrapolated(alone, (9, 5)) == 8  # nothing changes along the first


@pytest.mark.parametrize("family", FAMILIES)
def test_small_steps_say_what_a_large_one_takes(family, monkeypatch):
    monkeypatch.setattr(probing, "BUDGET", 2**24)
    changes = ["model.layers=4", "train.batch=300"]
    recipe, facts = load_recipe(f"{family}-digits", changes), task("digits")
    found = estimate(f"{family}-digits", changes)
    assert "scaled linearly: sequences to 300" in found.tried and "layers to 4" in found.tried
    batch = shapes.made_batch(recipe.model, facts, 300, facts.steps)
    model, loss = Network(recipe.model), Loss(facts.kind)
    step = step_memory(model, batch, loss)
    assert found.saved == pytest.approx(step.saved, rel=0.01)
    assert found.native == pytest.approx(step.native, rel=0.01)
    assert found.step == pytest.approx(step.peak, rel=0.02)
    valid = shapes.made_batch(recipe.model, facts, 250, facts.steps)
    assert found.evaluating == pytest.approx(evaluation_memory(model, valid, loss), rel=0.05)
    count = sum(p.numel() for p in model.parameters())
    assert sum(found.parameters.values()) == count
    assert (found.weights, found.gradients, found.optimizer) == (4 * count, 4 * count, 8 * count)
    assert found.peak == 12 * count + max(found.step, 4 * count + found.evaluating)
    assert (found.sequences, found.steps_per_epoch) == (1437 - 144, (1437 - 144) // 300)


def test_a_large_vocabulary_is_tried_with_fewer_words(monkeypatch):
    monkeypatch.setattr(probing, "_HEAVY", 0)
    monkeypatch.setattr(probing, "WORDS", (40, 80))
    facts = Task(96, 1.0, 700, 700, "every-step", kind="step-classification")
    recipe = load_recipe("spike-ssm-wikitext103", ["train.batch=3"])
    config = dataclasses.replace(
        recipe.model, width=8, state=4, layers=2, vocabulary=700, classes=700, cutoffs=(),
        embedding_dropout=0.0, softmax_dropout=0.0,
    )  # fmt: skip
    monkeypatch.setattr("neurossm_models.train.recipe.check_facts", lambda *given: None)
    recipe = dataclasses.replace(recipe, model=config)
    found = estimating.estimate_of(recipe, facts, CPU, ("auto", "auto"), None)
    assert "40 and 80 words; scaled linearly: words to 700" in found.tried
    batch = shapes.made_batch(config, facts, 3, 96)
    step = step_memory(Network(config), batch, Loss(facts.kind))
    assert found.saved == pytest.approx(step.saved, rel=0.01)
    assert found.step == pytest.approx(step.peak, rel=0.1)
    assert (
        found.parameters["encoder"] == 700 * 8 and found.parameters["decoder"] == 701 * 8 - 8 + 700
    )


def test_an_adaptive_softmax_is_tried_with_tokens_as_often_as_in_a_text():
    facts = Task(100, 1.0, 7000, 7000, "every-step", kind="next-step")
    recipe = load_recipe("spikingssm-wikitext103")
    config = dataclasses.replace(recipe.model, width=16, state=4, layers=1, vocabulary=7000,
                                 classes=7000, cutoffs=(200, 2000))  # fmt: skip
    batch = shapes.made_batch(config, facts, 2, 100)
    # by Zipf's law: ln(c + 1) / ln(7001) of the tokens are below c
    for end in (200, 2000):
        share = float((batch.labels < end).double().mean())
        assert share == pytest.approx(math.log(end + 1) / math.log(7001), abs=0.005)
    assert batch.x.min() == 0 and 6800 < batch.labels.max() == batch.x.max() < 7000
    network = Network(config).use(ssm="fft", neuron="loop")
    all_answers = 4 * 2 * 100 * 7000  # bytes; a linear decoder keeps them, and more on the way
    step = step_memory(network, batch, Loss(facts.kind))
    assert 4 * 2 * 100 * 202 < step.saved < all_answers / 2
    assert step.peak < all_answers
    assert evaluation_memory(network, batch, Loss(facts.kind)) < all_answers / 2


def test_parts_and_batches_that_fit_by_hand():
    found = probing.Scaled(
        fixed={"peak": 1000.0, "left": 40.0, "evaluating": 100.0, "saved": 50.0, "native": 10.0},
        each={"peak": 100.0, "left": 0.0, "evaluating": 10.0, "saved": 20.0, "native": 10.0},
        batches=(1, 2), layers=(1,), words=(), steps=8,
    )  # fmt: skip
    needs = estimating.Needs(found, count=10, evaluated=5)
    assert needs.peak(2) == 3 * 40 + 1200
    hidden = dataclasses.replace(found, each={**found.each, "saved": 2000.0})
    assert estimating.Needs(hidden, count=10, evaluated=5).step(2) == 50 + 4000 + 10 + 20 + 40
    assert needs.peak(2, more=True) == 3 * 40 + 1240
    free = needs.room(6)
    assert needs.largest(free) == 6 and needs.largest(free - 1) == 5
    assert needs.largest(needs.room(1) - 1) == 0
    assert needs.cuts(needs.room(24), 24) == 1
    assert needs.cuts(needs.room(6), 24) == 6  # 4 a part, as gradients are there from the second on
    assert needs.cuts(needs.room(6, more=True), 24) == 4
    assert needs.cuts(needs.room(1) - 1, 24) is None
    evaluating = dataclasses.replace(found, each={**found.each, "evaluating": 1000.0})
    assert estimating.Needs(evaluating, 10, 5).peak(1) == 3 * 40 + 40 + 5100


SETS = ["train.epochs=1", "data.limit=40", "data.valid=8", "train.batch=16", "model.layers=2"]


def test_what_cannot_fit_is_refused_before_it_starts_and_the_remedy_works(tmp_path, monkeypatch):
    found = estimate("gsu-digits", SETS)
    assert found.fits and found.evaluated == 250
    monkeypatch.setattr(refusing, "at_once", lambda *given: 1)
    monkeypatch.setattr(estimating, "at_once", lambda *given: 1)
    least = estimate("gsu-digits", [*SETS, "train.accumulate=4"])
    monkeypatch.setattr(refusing, "free_memory", lambda device: least.room)
    with pytest.raises(InputError, match="training on cpu: expected at most") as refused:
        train("gsu-digits", SETS, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert "--set train.accumulate=4" in refused.value.remedy
    again = train("gsu-digits", [*SETS, "train.accumulate=4"], tmp_path / "run")
    assert again.step == 2
    assert not memory._keeping  # there was no room for that


def test_a_batch_that_fits_is_named_and_where_nothing_helps_that_is_said():
    found = estimate("gsu-digits", [*SETS, "train.batch=31"], memory=10**9)
    tight = dataclasses.replace(found, memory=found.room - 1, largest_batch=30)
    tight = dataclasses.replace(tight, fitting_accumulate=None)
    assert refusing.without_room(tight).remedy == "--set train.batch=30"
    none = dataclasses.replace(tight, largest_batch=0)
    assert "a device with more memory" in refusing.without_room(none).remedy


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_not_tried_is_below_the_formula(family):
    recipe, facts = load_recipe(f"{family}-digits"), task("digits")
    found = estimate(f"{family}-digits")
    assert refusing.at_most(recipe.model, recipe, facts, Group()) > 1.5 * found.peak + 10**8


def test_a_gpu_that_is_not_here_needs_its_memory_said():
    changes = ["train.device=cuda:7", "train.batch=4"]
    with pytest.raises(InputError, match=r"train device: expected cuda:7.*--memory GB plans"):
        estimate("gsu-digits", changes)
    found = estimate("gsu-digits", changes, memory=10**12)
    assert found.memory == 10**12 and found.device == "cuda:7"
    assert found.native == 0 and found.largest_batch > 1000
    named = estimate("gsu-digits", [*changes, "train.ssm=fft", "train.neuron=loop"], 10**12)
    assert named.device == "cuda:7" and named.tried.endswith("forms fft and loop")
    assert "; cuda:7 is not here: tried on the CPU, forms " in named.tried
    plain = estimate("silif-digits", changes, memory=10**12)  # whose neurons have no kernel there
    assert plain.device == "cuda:7" and plain.tried.endswith("forms fft and loop")
    auto = estimate("gsu-digits", ["train.batch=4"], memory=10**12)
    if not torch.cuda.is_available():
        assert auto.device == "cpu" and auto.tried.endswith("a GPU: --set train.device=cuda")


@pytest.mark.parametrize("key", ["ssm", "neuron"])
def test_forms_of_a_cpu_are_not_planned_for_a_gpu(key):
    changes = ["train.device=cuda:7", f"train.{key}=native"]
    with pytest.raises(InputError, match=f"train {key}: expected a form .* on cuda:7") as refused:
        estimate("spikingssm-digits", changes, memory=10**12)
    assert refused.value.remedy == f"--set train.{key}=auto"


def test_the_largest_batch_is_no_larger_than_the_sequences_and_a_larger_one_is_refused():
    sequences = 40 - 8  # what the settings take, less what they hold out
    found = estimate("gsu-digits", [*SETS, "train.batch=4"], memory=10**13)
    assert found.largest_batch == found.sequences == sequences
    with pytest.raises(
        InputError, match=f"batch: expected at most {sequences}, the seq"
    ) as refused:
        estimate("gsu-digits", [*SETS, f"train.batch={sequences + 1}"], memory=10**13)
    assert refused.value.remedy == f"--set train.batch={sequences}"


def test_a_batch_larger_than_the_data_is_refused_as_such_also_where_it_does_not_fit(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(refusing, "free_memory", lambda device: 10**6)
    with pytest.raises(InputError, match="batch: expected at most 32, the sequences"):
        train("gsu-digits", [*SETS, "train.batch=48"], tmp_path / "run")


def test_processes_of_torchrun_share_the_batch_and_the_memory_of_a_cpu(monkeypatch):
    alone = estimate("gsu-digits", [*SETS, "train.batch=32", "train.device=cpu"])
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setattr(estimating, "free_memory", lambda device: 10**10)
    found = estimate("gsu-digits", [*SETS, "train.batch=32", "train.device=cpu"])
    assert (found.processes, found.at_once, found.memory) == (4, 8, 10**10 // 4)
    assert (alone.processes, alone.at_once) == (1, 32) and found.saved < alone.saved


@pytest.mark.parametrize(
    ("change", "says"),
    [("train.accumulate=5", "accumulate: expected a divisor of 16"),
     ("train.precision=tf32", "train precision: expected float32 on cpu, got tf32")],
)  # fmt: skip
def test_what_training_refuses_is_not_estimated(change, says):
    with pytest.raises(InputError, match=says):
        estimate("gsu-digits", [*SETS, "train.device=cpu", change])


@pytest.mark.parametrize("memory", [0, -5, "80", 1.5, True])
def test_a_memory_that_is_no_number_of_bytes_is_refused(memory):
    with pytest.raises(InputError, match="estimate memory: expected"):
        estimate("gsu-digits", memory=memory)


def test_a_gpu_that_is_not_here_is_taken_to_run_its_kernels(monkeypatch):
    pytest.importorskip("triton")
    changes = ["train.device=cuda", "train.batch=64", "model.dropout=0"]
    kernels = estimate("spikingssm-digits", changes, memory=10**12)
    assert kernels.tried.endswith("forms triton and triton")
    monkeypatch.setattr(estimating, "lacking", lambda extra: f"no {extra}")
    plain = estimate("spikingssm-digits", changes, memory=10**12)
    assert plain.tried.endswith("forms fft and loop")
    assert kernels.saved < plain.saved / 2 and kernels.room < plain.room


def test_planned_kernels_keep_what_kernels_keep():
    """Input, states of every eighth block, and a word of spikes and a membrane a block."""
    pytest.importorskip("triton")
    layer, neuron = S4D(4, 6), LIF(4, tau=0.5, reset="hard")
    layer.form = neuron.form = "triton"
    x, kept = torch.randn(4, 3, 300), {}

    def count(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with setting.planning(), torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        spikes = layer.with_neighbors(x, None, neuron.for_kernels())
    assert spikes.shape == x.shape
    blocks, segments, rows = 10, 2, 4 * 3
    sizes = list(kept.values())
    assert sizes.count(FLOAT * rows * blocks) == 2  # spikes and membranes
    assert sizes.count(FLOAT * rows * segments * 6) == 1 == sizes.count(FLOAT * x.numel())
    if not setting.interpreted():
        with pytest.raises(InputError, match="float32 on a GPU"):
            layer(x)


def test_fine_tuning_on_integers_is_not_estimated():
    changes = ["finetune.run=runs/none", "finetune.calibrate=digits:train:8"]
    with pytest.raises(InputError, match="a training from scratch"):
        estimate("gsu-digits", changes)


def test_large_vocabularies_are_answered_a_few_sequences_at_once():
    assert at_once("classification", 784, 10) == 250
    assert at_once("classification", 16_000, 35) == 12  # 200,000 steps
    assert at_once("step-classification", 1000, 100) == 200
    assert at_once("step-classification", 1000, 2**28 // 3000) == 3  # 1 GiB of answers
    assert at_once("step-classification", 8192, 267_735) == 1


def test_free_memory_is_the_least_that_somebody_says(tmp_path, monkeypatch):
    said = tmp_path / "meminfo"
    said.write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert room._available(said) == 5000 * 1024
    assert room._available(tmp_path / "none") is None
    limit, used = tmp_path / "max", tmp_path / "current"
    limit.write_text("700\n")
    used.write_text("300\n")
    assert room._left(limit, used) == 400
    files = tmp_path / "memory.stat"
    files.write_text("anon 100\ninactive_file 120\nactive_file 80\n")
    assert room._left(limit, used) == 520  # what was read from files makes room
    files.write_text("inactive_file 1\ntotal_inactive_file 150\n")
    assert room._left(limit, used) == 550
    files.unlink()
    limit.write_text("max\n")
    assert room._left(limit, used) is None
    limit.write_text("700\n")
    monkeypatch.setattr(room, "_available", lambda: 5000)
    monkeypatch.setattr(room, "_CGROUPS", [(str(limit), str(used)), ("/none", "/none")])
    assert room.free_memory(CPU) == 400
    assert room.free_memory(torch.device("meta")) is None


@pytest.mark.parametrize(
    ("size", "text"),
    [(1234, "1.23 kB"), (999_700, "1 MB"), (5.25e8, "525 MB"), (1.5e9, "1.5 GB"),
     (2.1e12, "2,100 GB")],
)  # fmt: skip
def test_sizes_in_words(size, text):
    assert in_words(size) == text
