"""``neurossm sdn``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neurossm.cli.console import Console, JsonOption
from neurossm.cli.paths import WRITES_WITH_FOLDER


def sdn(
    out: Annotated[
        Path | None, typer.Option(help="File (default: sdn-tauX.safetensors)."), WRITES_WITH_FOLDER
    ] = None,
    tau: Annotated[float, typer.Option(help="Leak of the neuron; hard reset.")] = 0.125,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 3000,
    seed: Annotated[int, typer.Option(help="Seed of data and start.")] = 0,
    json: JsonOption = False,
) -> None:
    """Train a surrogate dynamic network: a SpikingSSM's neuron, all time steps at once."""
    from neurossm_models.neurons.sdn import save_sdn, weights_name
    from neurossm_models.neurons.sdn_training import SDNTraining, agreement, metadata, train_sdn

    console = Console(json)
    settings = SDNTraining(tau=tau, steps=steps, seed=seed)
    with console.progress("sdn step", settings.steps) as advance:
        network = train_sdn(settings, advance)
    reached = agreement(network)
    path = out or Path(f"{weights_name(tau)}.safetensors")
    save_sdn(path, network, metadata(settings, reached))
    console.document({"file": str(path), "settings": asdict(settings), **asdict(reached)})
    console.say(
        f"{reached.spikes:.4%} of {reached.steps:,} steps spike as the exact neuron does, on fresh"
        f" N(0, 1) inputs; membrane off by {reached.membrane:.2g} thresholds on average"
    )
    console.say(f"weights: {path}; use them with --set train.neuron=sdn:{path}")
