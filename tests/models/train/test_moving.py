"""Copies to a GPU: pinned, beside what computes, a batch ahead; the GPU notes what is asked."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from neurossm_models.train.batches import Batch
from neurossm_models.train.moving import moved, pinned, threads_for

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


class Stream:
    def __init__(self, log, name):
        self.log, self.name = log, name

    def record_event(self):
        self.log.append(f"{self.name} notes")
        return f"event {sum('notes' in line for line in self.log)}"

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event}")


class Held:
    """What stands for a tensor."""

    is_cuda = False

    def __init__(self, log, number, pinned=False):
        self.log, self.number, self.device, self.pinned = log, number, CPU, pinned

    def is_pinned(self):
        return self.pinned

    def pin_memory(self):
        self.log.append(f"pin {self.number}")
        return Held(self.log, self.number, True)

    def to(self, device, non_blocking):
        assert self.pinned and non_blocking and device == GPU
        self.log.append(f"copy {self.number}")
        return self

    def record_stream(self, stream):
        self.log.append(f"{self.number} is used by {stream.name}")


@pytest.fixture
def log(monkeypatch):
    log = []

    @contextmanager
    def on(stream):
        log.append(f"on {stream.name}")
        yield
        log.append("off")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream(log, "side"))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(log, "main"))
    return log


def held(log, number):
    return Batch(Held(log, number), None, Held(log, f"{number}'"))


def test_the_next_batch_is_copied_before_one_is_used(log):
    for batch in moved((held(log, k) for k in (1, 2, 3)), GPU):
        log.append(f"train {batch.x.number}")
    begun = [["pin {0}", "pin {0}'", "on side", "copy {0}", "copy {0}'", "side notes", "off"],
             ["main waits for event {0}", "{0} is used by main", "{0}' is used by main",
              "train {0}"]]  # fmt: skip
    order = [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2), (1, 3)]
    assert log == [line.format(number) for part, number in order for line in begun[part]]


def test_what_is_pinned_or_there_is_not_pinned_again(log):
    batch = Batch(Held(log, 1, pinned=True), None, Held(log, 2))
    batch.labels.is_cuda = True
    assert pinned(batch, GPU).x is batch.x and pinned(batch, GPU).labels is batch.labels
    assert pinned(held(log, 3), CPU).x.number == 3 and log == []


def test_all_that_a_batch_has_moves_with_it(log):
    lengths = Held(log, "lengths")
    (there,) = moved([Batch(Held(log, "x"), lengths, Held(log, "labels"), "the integers")], GPU)
    assert {line for line in log if "copy" in line} == {"copy x", "copy lengths", "copy labels"}
    assert "lengths is used by main" in log and there.data == "the integers"


def test_nothing_is_asked_for_ahead_on_the_cpu():
    asked = []

    def batches():
        for k in range(3):
            asked.append(k)
            yield Batch(torch.tensor([k]), None, torch.tensor([k]))

    for k, batch in enumerate(moved(batches(), CPU)):
        assert int(batch.x) == k and asked == list(range(k + 1))
    assert list(moved([], CPU)) == []


def test_no_batch_is_no_copy(log):
    assert list(moved([], GPU)) == [] and log == []


def test_a_thread_loads_where_the_cpu_does_not_compute():
    assert [threads_for(device, n) for device in (CPU, GPU) for n in (0, 2)] == [0, 2, 1, 2]
