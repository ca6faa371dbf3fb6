"""Data on the device: batches cut there are those that the host would send, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import small_sets
import torch

from neurossm.errors import InputError
from neurossm.fixed import Scaling
from neurossm_models.data import learn, load
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import NOTHING
from neurossm_models.data.rows import Integers, Selected
from neurossm_models.train import load_recipe, resident, train
from neurossm_models.train.batches import batch_of
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.own_data import facts_for
from neurossm_models.train.parallel import Group
from neurossm_models.train.resident import Resident, place, size_of
from neurossm_models.train.trainer import RecipeTrainer

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
INDEX = np.array([9, 2, 2, 17, 0, 5])


def same(ours, theirs):
    for name in ("x", "lengths", "labels"):
        one, two = getattr(ours, name), getattr(theirs, name)
        assert (one is None) == (two is None), name
        if one is not None:
            assert one.dtype == two.dtype and one.shape == two.shape, name
            assert torch.equal(no_nan(one), no_nan(two)), name


def no_nan(x):
    return x.nan_to_num(-99.5) if x.is_floating_point() else x


@pytest.mark.parametrize("kind", [*small_sets.KINDS, "next-value"])
def test_of_every_task_and_every_index(tmp_path, kind):
    make = small_sets.next_value if kind == "next-value" else small_sets.KINDS[kind]
    path = small_sets.write(tmp_path / "a.npz", kind, n=40, make=make)
    facts = learn(f"{path}:train", task="next-step" if kind.startswith("next") else kind)
    data = load(f"{path}:train", facts=facts)
    there = Resident(data, CPU)
    for index in (INDEX, slice(3, 11), slice(20, 99)):
        same(there.batch(index), batch_of(data.take(index)))
    same(there.batch(INDEX, 12), batch_of(data.take(INDEX), 12))
    taken = data.take(slice(4, 30))  # with labels of the next steps that are made already
    same(Resident(taken, CPU).batch(INDEX), batch_of(taken.take(INDEX)))


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"])
def test_of_every_type_of_integers(kind):
    rng = np.random.default_rng(0)
    most = min(np.iinfo(kind).max, 2**31)
    rows = rng.integers(max(np.iinfo(kind).min, -most), most, (20, 5, 2)).astype(kind)
    rows[0, 0] = np.iinfo(kind).max if most < 2**31 else most
    data = Dataset("a", "train", rows, 0.0123, np.arange(20) % 3, "here")
    same(Resident(data, CPU).batch(INDEX), batch_of(data.take(INDEX)))
    units = Scaling([0.1, 0.7], [0.3, -2.0], [1 / 3, 1 / 7], 23)
    values = replace(data, scaling=units, kind="next-step", labels=np.full(20, NOTHING))
    same(Resident(values, CPU).batch(INDEX), batch_of(values.take(INDEX)))
    following = replace(values, scaling=None)
    same(Resident(following, CPU).batch(INDEX), batch_of(following.take(INDEX)))


@pytest.mark.parametrize("kind", ["step-classification", "step-regression", "multilabel"])
def test_labels_end_with_the_longest_sequence_if_there_is_one_a_step(kind):
    shape, end = (20, 9, 3) if kind == "step-regression" else (20, 9), 5
    labels = np.random.default_rng(0).integers(0, 2, shape)
    labels = labels / 2 if kind == "step-regression" else labels
    rows, lengths = np.arange(180).reshape(20, 9, 1), 1 + np.arange(20) % end
    data = Dataset("a", "train", rows, 0.5, labels, "here", lengths=lengths, kind=kind)
    batch = Resident(data, CPU).batch(INDEX)
    same(batch, batch_of(data.take(INDEX)))
    assert batch.x.shape[1] == end and batch.labels.shape[1] == (9 if kind == "multilabel" else end)


def test_of_pairs_and_tokens_of_unlike_lengths():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 8, (20, 2))
    pairs = Dataset("a", "train", rng.integers(0, 50, (20, 9, 2)), 1, np.arange(20) % 2, "here",
                    vocabulary=50, lengths=lengths)  # fmt: skip
    same(Resident(pairs, CPU).batch(INDEX), batch_of(pairs.take(INDEX)))
    single = replace(pairs, rows=pairs.inputs[:, :, :1], lengths=lengths[:, 0], kind="next-step")
    batch = Resident(single, CPU).batch(INDEX)
    same(batch, batch_of(single.take(INDEX)))
    assert batch.x.shape[1] == lengths[INDEX, 0].max() < 9


def test_what_is_read_on_demand_is_read_once_and_in_parts(monkeypatch):
    values = np.random.default_rng(0).normal(size=(20, 4, 1))
    asked = []

    class Watched(Selected):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    rows = Integers(Watched(values, np.arange(20)), Scaling([0.01], [0.0], [1.0], 12))
    data = Dataset("a", "train", rows, 1.0, np.arange(20) % 2, "here")
    monkeypatch.setattr(resident, "_AT_ONCE", 8 * 4 * 6)  # six samples of four steps
    there = Resident(data, CPU)
    read = [index for index in asked if index != slice(None, 1)]
    assert read == [slice(0, 6), slice(6, 12), slice(12, 18), slice(18, 24)]
    monkeypatch.setattr(resident, "_AT_ONCE", 8)  # less than a sample
    del asked[:]
    Resident(data, CPU)
    assert [index for index in asked if index.start] == [slice(k, k + 1) for k in range(1, 20)]
    del asked[:]
    batch = there.batch(INDEX)
    assert asked == []
    same(batch, batch_of(data.take(INDEX)))


def sized(samples, kind="int16"):
    """A set of 10 * 2 * 2 + 8 = 48 bytes a sample, lengths 8 more."""
    rows = np.zeros((samples, 10, 2), kind)
    lengths = np.full(samples, 10)
    return Dataset("a", "train", rows, 1.0, np.arange(samples) % 2, "here", lengths=lengths)


def test_how_large_data_are():
    assert size_of(sized(100)) == 100 * (48 + 8)
    assert size_of(replace(sized(100), lengths=None)) == 100 * 48
    assert size_of(sized(100, "uint16")) == 100 * (20 * 4 + 8 + 8)  # kept in 32 bits
    real = replace(sized(100), labels=np.zeros((100, 3)), kind="regression")
    assert size_of(real) == 100 * (40 + 3 * 8 + 8)
    following = replace(sized(100), labels=np.full(100, NOTHING), kind="next-step")
    assert size_of(following) == 100 * (40 + 8)


def test_what_lies_where(monkeypatch):
    train_part, valid, odd = sized(100), sized(50), sized(1, "uint64")
    parts = (train_part, valid)

    def placed(data_on, free, *parts):
        monkeypatch.setattr(resident, "free_memory", lambda device: free)
        return [there is not None for there in place(data_on, CPU, parts)]

    assert placed("auto", None, *parts) == placed("host", 10**9, *parts) == [False, False]
    assert placed("auto", 4 * 8400, *parts) == [True, True]  # 150 * 56 bytes, a quarter
    assert placed("auto", 4 * 8399, *parts) == [True, False]
    assert placed("auto", 4 * 2800, *parts) == [False, True]  # the smaller one has room
    assert placed("auto", 10**9, odd) == [False]
    assert placed("device", 8400, *parts) == placed("device", None, *parts) == [True, True]
    said = r"data_on: expected at most 8\.4 kB, what is free on cpu, got data of"
    with pytest.raises(InputError, match=said + r" 8\.4 kB; --set train\.data_on=host"):
        placed("device", 8399, *parts)
    with pytest.raises(
        InputError, match=r"integers of uint8.*got uint64; --set train\.data_on=host"
    ):
        placed("device", None, odd)


def test_the_free_memory_is_that_of_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7, 9) if device == GPU else 0)
    assert resident.free_memory(GPU) == 7 and resident.free_memory(CPU) is None


SETS = [*small_sets.SMALL, "train.epochs=2", "train.save_every=3", "train.accumulate=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_sets.write(tmp_path_factory.mktemp("data") / "mine.npz", "classification")


def test_a_run_has_the_same_bits(data, tmp_path):
    sets = [f"data.path={data}", *SETS]
    train("gsu", sets, tmp_path / "host")
    said, there = [], [*sets, "train.data_on=device"]
    train("gsu", there, tmp_path / "device", stop_after=5, tell=said.append)
    assert said[-1] == "the data lie on cpu, where batches are cut"
    assert train("gsu", sets, tmp_path / "device", resume=True).finished  # and may change over
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, theirs = (load_tensors(tmp_path / run / file)[0] for run in ("host", "device"))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    steps = [(tmp_path / run / "steps.jsonl").read_bytes() for run in ("host", "device")]
    assert steps[0] == steps[1]


@pytest.mark.parametrize(("asked", "plenty", "put"), [
    ("auto", True, "auto"), ("auto", False, "host"), ("device", False, "device")])  # fmt: skip
def test_data_leave_room_for_the_training(data, tmp_path, monkeypatch, asked, plenty, put):
    said = []

    def noted(data_on, device, parts):
        said.append(data_on)
        return (None,) * len(parts)

    monkeypatch.setattr("neurossm_models.train.start.check_room", lambda *given: plenty)
    monkeypatch.setattr("neurossm_models.train.trainer.place", noted)
    sets = [f"data.path={data}", *SETS, f"train.data_on={asked}"]
    train("gsu", sets, tmp_path / "run", stop_after=1)
    assert said == [put]
    assert load_recipe(tmp_path / "run/recipe.toml").train.data_on == asked


@pytest.mark.parametrize("where", ["host", "device"])
def test_each_process_gets_its_share_as_long_as_the_whole_batch(data, tmp_path, monkeypatch, where):
    monkeypatch.setattr("neurossm_models.train.loop.spread_over", lambda model, group: model)
    sets = [f"data.path={data}", *SETS, f"train.data_on={where}"]
    recipe = load_recipe("gsu", sets)
    facts = facts_for(recipe)
    recipe = load_recipe("gsu", sets, facts)
    whole, first, second = (
        list(RecipeTrainer(recipe, tmp_path, group, facts)._rest_of_epoch())
        for group in (Group(), Group(0, 2), Group(1, 2))
    )
    assert len(whole) == len(first) == len(second) == 7
    for together, one, two in zip(whole, first, second, strict=True):
        same(one, together.rows(0, 8))
        same(two, together.rows(8, 16))
    assert len({batch.x.shape[1] for batch in whole}) > 1  # not all are as long


def test_the_validation_part_is_measured_where_it_lies(data, tmp_path, monkeypatch):
    found = {}
    for where in ("host", "device"):
        sets = [f"data.path={data}", *SETS, f"train.data_on={where}"]
        recipe = load_recipe("gsu", sets)
        facts = facts_for(recipe)
        torch.manual_seed(0)
        run = RecipeTrainer(load_recipe("gsu", sets, facts), tmp_path, facts=facts)
        if where == "device":  # nothing is made on the host
            monkeypatch.setattr("neurossm_models.train.evaluation.batch_of", None)
        found[where] = run._measure()
    assert found["host"] == found["device"] and found["host"].count == 24
    assert found["host"].scores.values == found["device"].scores.values


def test_the_integers_of_fine_tuning_stay_on_the_host(tmp_path):
    changes = ["train.data_on=device", "finetune.run=binary-s4d-digits", "finetune.calibrate=a:b:1"]
    with pytest.raises(
        InputError, match=r"data_on: expected 'host' for quantization-aware training"
    ):
        train("binary-s4d-digits", changes, tmp_path / "run", make_qat_model=lambda *given: None)
