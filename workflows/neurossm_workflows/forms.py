"""The implementations of a network on this machine whose times are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.errors import InputError
from neurossm.interface import classes_of
from neurossm_workflows.loading import called

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_models.network import Network

Work = Callable[[int], object]  # runs so many samples


@dataclass(frozen=True)
class Form:
    """One way to compute the network, named as the report shall name it."""

    name: str
    threads: int
    run: Work


def engine_forms(graph: Graph, data: Dataset) -> Sequence[Form]:
    """Return our integer engine over whole sequences, and token by token."""
    from neurossm.engine import run
    from neurossm.engine.cores import usable_cores
    from neurossm.engine.stepper import Stepper

    def whole(batch: int) -> object:
        part = data.take(slice(batch)).trimmed()
        return run(graph, part.inputs, "fast", "outputs", lengths=part.lengths)

    def stepwise(batch: int) -> object:
        stepper, part = Stepper(graph, batch), data.take(slice(batch)).trimmed()
        return [stepper.step(part.inputs[:, t]) for t in range(part.inputs.shape[1])]

    cores = usable_cores()
    return (
        Form("integers, fast engine, step by step", 1, stepwise),
        Form("integers, fast engine, whole sequences", cores, whole),
    )


def float_forms(graph: Graph, data: Dataset) -> Sequence[Form]:
    """Return the float engine on the same graph, integers read as the numbers they stand for."""
    from neurossm.engine import run
    from neurossm.engine.cores import usable_cores

    def whole(batch: int) -> object:
        part = data.take(slice(batch)).trimmed()
        return run(graph, part.inputs, "float", "outputs", lengths=part.lengths)

    cores = usable_cores()
    return (Form("float64, float engine, whole sequences", cores, whole),)


def torch_forms(model: str, graph: Graph, data: Dataset) -> Sequence[Form]:
    """Return the PyTorch network of a checkpoint, step by step and over whole sequences."""
    import torch

    from neurossm_models.train import load_model

    network, recipe = load_model(model)
    for what, mine, theirs in (
        ("data", recipe.data.name or called(recipe.data.path), data.name),
        ("classes", network.config.classes, classes_of(graph)),
        ("run", Path(model).name, graph.meta.get("run", Path(model).name)),
    ):
        if mine != theirs:
            raise InputError(f"--model {model!r}", expected=f"{what}: {theirs}", got=str(mine),
                             remedy="name the checkpoint that the graph was made of")  # fmt: skip
    inputs = torch.from_numpy(data.inputs.copy())
    factors = torch.tensor(data.factors).float()
    inputs = inputs[..., 0].long() if data.vocabulary else inputs.float() * factors
    hold_discretization(network)

    def longest(batch: int) -> int:
        return int(data.take(slice(batch)).trimmed().inputs.shape[1])

    @torch.no_grad()
    def stepwise(batch: int) -> object:
        state, logits = network.initial_state(batch), None
        for t in range(longest(batch)):
            logits, state = network.step(inputs[:batch, t], state)
        return logits

    @torch.no_grad()
    def whole(batch: int) -> object:
        return network(inputs[:batch, : longest(batch)])

    threads = torch.get_num_threads()
    return (
        Form("float32, PyTorch, step by step", threads, stepwise),
        Form("float32, PyTorch, whole sequences", threads, whole),
    )


def hold_discretization(network: Network) -> None:
    """Discretize the poles once, not at each step: the baseline shall not lose time on that."""
    import torch

    from neurossm_models.diagonal import DiagonalLayer

    for module in network.modules():
        if isinstance(module, DiagonalLayer):
            with torch.no_grad():
                found = {t: module._discretize(t) for t in (torch.float32, torch.float64)}
            setattr(module, "_discretize", found.__getitem__)  # noqa: B010
