"""``neurossm sdn``: trains the surrogate dynamic network of SpikingSSM."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.paths import READS_RUN, WRITES_WITH_FOLDER

if TYPE_CHECKING:
    from neurossm_models.neurons.sdn import FoldedSDN
    from neurossm_models.neurons.sdn_checks import Share

SEQUENCES = 64  # of the training part, as many as there are at most


def sdn(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write (default: sdn-tauX.safetensors)."),
        WRITES_WITH_FOLDER,
    ] = None,
    tau: Annotated[
        float, typer.Option(metavar="X", help="Leak of the neuron, with hard reset.")
    ] = 0.125,
    steps: Annotated[int, typer.Option(metavar="N", help="Training steps.")] = 3000,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of the data and the initial weights.")
    ] = 0,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="A trained SpikingSSM, on whose own inputs it is measured too.",
            autocompletion=completing.checkpoint,
        ),
        READS_RUN,
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a surrogate dynamic network (SDN) for SpikingSSM.

    An SDN computes the spikes of a neuron for all time steps at once, for faster training.
    """
    from neurossm_models.neurons.sdn import save_sdn, weights_name
    from neurossm_models.neurons.sdn_checks import BELOW, just_under
    from neurossm_models.neurons.sdn_training import SDNTraining, agreement, metadata, train_sdn

    console = Console(json)
    settings = SDNTraining(tau=tau, steps=steps, seed=seed)
    trained = None if run is None else _trained(run, tau)  # refused before minutes of training
    with console.progress("sdn step", settings.steps) as advance:
        network = train_sdn(settings, advance)
    reached, near = agreement(network), just_under(network)
    work = None if trained is None else _at_work(network, *trained)
    path = out or Path(f"{weights_name(tau)}.safetensors")
    save_sdn(path, network, metadata(settings, reached, near.spikes))
    document = {"file": str(path), "settings": asdict(settings), **asdict(reached)}
    shares = None if work is None else [asdict(share) for share in work]
    console.document({**document, "just_under": asdict(near), "own_inputs": shares})
    console.say(
        f"{reached.spikes:.4%} of {reached.steps:,} steps spike as the exact neuron does, on fresh"
        f" N(0, 1) inputs; membrane off by {reached.membrane:.2g} thresholds on average"
    )
    console.say(
        f"{near.spikes:.1%} where the membrane is at most {BELOW:g} thresholds below firing"
    )
    if work is None:
        console.say("on a trained network's own inputs: not measured; name one with --run")
    else:
        blocks = ", ".join(f"{share.spikes:.3%}" for share in work)
        console.say(f"{blocks} on the own inputs of {run}, block by block ({SEQUENCES} sequences)")
    console.say(f"weights: {path}; use them with --set train.neuron=sdn:{path}")


def _trained(run: str, tau: float) -> tuple[Any, Any]:
    """Return a trained network and a batch of its own data, for a network of this leak."""
    from neurossm_models.data import load
    from neurossm_models.neurons.sdn_checks import check_run
    from neurossm_models.train import load_model
    from neurossm_models.train.evaluation import tensors

    model, recipe = load_model(run)
    check_run(model, tau)
    return model, tensors(load(f"{recipe.data.name}:train:{SEQUENCES}"))[0]


def _at_work(network: FoldedSDN, model: Any, x: Any) -> tuple[Share, ...]:
    from neurossm_models.neurons.sdn_checks import at_work

    return at_work(network, model, x)
