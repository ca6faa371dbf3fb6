"""Fine-tuning on the integers of data of one's own: channels, lengths, readouts, numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import small_sets
import torch

from neurossm.engine import run as run_graph
from neurossm.errors import InputError
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch.runs import graph_of
from neurossm_models.data import load
from neurossm_models.ste import ste_outputs
from neurossm_models.tasks import Scorer
from neurossm_models.train import load_facts, load_model, train
from neurossm_models.train.finetuning import integers
from neurossm_models.train.trainer import split_data
from neurossm_workflows.train import finetune_changes, make_qat_model


def start(folder, kind, readout, family="binary-s4d"):
    data = small_sets.write(folder / "mine.npz", kind)
    sets = [f"data.path={data}", f"data.task={kind}", *small_sets.SMALL, "train.epochs=12",
            f'model.readout="{readout}"', 'model.mixing="linear"']  # fmt: skip
    train(family, sets, folder / "float")
    return sets


def tune(folder, sets, *more):
    data = [sets[0]]
    given = finetune_changes("binary-s4d", str(folder / "float"), True, "", {"pole_bits": 8}, data)
    changes = [*given, *sets, "train.epochs=2", "train.lr=0.002", *more]
    return train("binary-s4d", changes, folder / "tuned", make_qat_model=make_qat_model)


def integer_scores(folder, run):
    """Return the scores of what export and quantize write, by the rule that the graph says."""
    model, recipe = load_model(run)
    facts = load_facts(run)
    graph = graph_of(model, recipe, facts)
    ranged = load(f"{recipe.data.path}:train:112", facts=facts)
    trace = run_graph(graph, ranged.inputs, "float", "outputs", lengths=ranged.lengths)
    integer = Quantize(pole_bits=8)(graph, calibrate(graph, trace))
    _, valid = split_data(recipe, facts)
    sent = run_graph(integer, valid.inputs, lengths=valid.lengths)
    answers = sent.last("output") * 2.0 ** -integer.nodes["output"].out.frac
    if recipe.model.readout == "mean":
        answers = answers * (facts.steps / valid.lengths)[:, None]
    scorer = Scorer(facts.kind, facts.classes, facts.class_names, facts.target)
    scorer.add(answers, valid.labels)
    return scorer.result()


@pytest.mark.parametrize(
    ("kind", "readout"),
    [("classification", "mean"), ("regression", "mean"), ("classification", "last"),
     ("regression", "sum")],
)  # fmt: skip
def test_what_is_measured_is_what_export_and_quantize_write(tmp_path, kind, readout):
    sets = start(tmp_path, kind, readout)
    result = tune(tmp_path, sets)
    assert result.finished
    before = json.loads((tmp_path / "tuned" / "before.json").read_text())
    first = integer_scores(tmp_path, tmp_path / "float")
    assert before["scores"]["value"] == pytest.approx(first.value, rel=1e-4)
    last = integer_scores(tmp_path, tmp_path / "tuned")
    assert last.value == pytest.approx(result.valid, rel=1e-4)
    assert not first.better_than(last)


@pytest.mark.parametrize("readout", ["mean", "last", "sum"])
def test_forward_it_is_the_integers_and_backward_the_network(tmp_path, readout):
    sets = start(tmp_path, "classification", readout)
    model, recipe = load_model(tmp_path / "float")
    facts = load_facts(tmp_path / "float")
    given = finetune_changes("binary-s4d", str(tmp_path / "float"), True, "", {}, [sets[0]])
    from neurossm_models.train import load_recipe
    from neurossm_models.train.batches import tensors

    qat_model = make_qat_model(load_recipe("binary-s4d", [*given, *sets], facts), facts)
    qat_model.calibrate(model)
    data = load(f"{recipe.data.path}:train:32", facts=facts)
    run = qat_model.run(model, *integers(data), record=True)
    x, lengths, labels = tensors(data)
    answers = ste_outputs(model, x, run, lengths)
    expected = run.logits if readout != "mean" else run.logits * (run.steps / lengths)[:, None]
    assert torch.equal(answers.detach(), expected)
    float_answers = model.requires_grad_(True)(x, lengths)
    gradients = []
    for found in (answers, float_answers):
        model.zero_grad()
        torch.nn.functional.cross_entropy(found, labels).backward()
        gradients.append(torch.cat([p.grad.flatten() for n, p in model.named_parameters()
                                    if n.startswith(("decoder", "encoder"))]))  # fmt: skip
    assert torch.cosine_similarity(*gradients, 0) > 0.9


@pytest.mark.parametrize("readout", ["max", "leaky"])
def test_other_readouts_are_refused_by_name(tmp_path, readout):
    sets = start(tmp_path, "classification", readout)
    with pytest.raises(
        InputError, match=f"expected readout mean, last, sum, got '{readout}'; train"
    ):
        tune(tmp_path, sets)
    assert not (tmp_path / "tuned").exists()


def test_what_the_integers_cannot_use_is_refused(tmp_path):
    sets = start(tmp_path, "classification", "mean")
    with pytest.raises(InputError, match=r"accumulate: expected 1 for quantization-aware training"):
        tune(tmp_path, sets, "train.accumulate=2")


def test_data_of_other_facts_are_not_taken(tmp_path):
    """Fine-tuning keeps the facts of the run, also where the data have changed since."""
    sets = start(tmp_path, "classification", "mean")
    facts = load_facts(tmp_path / "float")
    with np.load(tmp_path / "mine.npz") as arrays:
        np.savez(tmp_path / "mine.npz", **{**arrays, "inputs": arrays["inputs"] + 0.01})
    tune(tmp_path, sets)
    kept = load_facts(tmp_path / "tuned")
    assert kept.scaling.as_json() == facts.scaling.as_json()
