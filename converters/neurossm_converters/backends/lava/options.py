"""How to run on Lava: protocol, processes, samples side by side, limits, other models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurossm.errors import InputError

Protocol = Literal["loihi", "async"]
Fuse = Literal["auto", "none", "stage", "network"]
Synapses = Literal["auto", "lava", "dense", "sparse", "own"]
PROTOCOLS: tuple[Protocol, ...] = ("loihi", "async")
FUSES: tuple[Fuse, ...] = ("auto", "none", "stage", "network")
SYNAPSES: tuple[Synapses, ...] = ("auto", "lava", "dense", "sparse", "own")
SIMULATION = "fixed_pt"


@dataclass(frozen=True)
class LavaOptions:
    """Options of a Lava run; all give the same bits.

    Parameters
    ----------
    protocol
        ``loihi``: Lava's own LoihiProtocol, every process told every step. ``async``: each process
        is told the number of steps once, only the data keep the order; several times faster.
    stacked
        Samples side by side in one network.
    time_limit
        Seconds in which no process of the network makes a step, after which the run is ended. The
        length of the run does not matter: a slow machine is not a hung network.
    fuse
        ``none``: a process for each node. ``stage``: one for the nodes between two layers of
        synapses. ``network``: one for all. ``auto``: ``none`` on another target; ``stage`` with
        synapses of Lava's; else ``network``, as messages between processes cost more than the
        arithmetic (docs/lava.md).
    synapses
        ``dense``, ``sparse``: Lava's process of that name. ``lava``: Sparse where at most a
        quarter of the weights is not zero, else Dense; these take one sample at a time. ``own``:
        ours, with the same sums, for any number of samples, inside the process where the synapses
        end, or beside it where nothing is fused. ``auto``: ``lava`` for one sample at a time where
        nothing is fused, else ``own``.
    target
        Tag of the models to run: ``fixed_pt`` for the simulation, or one that `extensions`
        registered (`models.register_model`).
    extensions
        Modules that the worker imports before it builds the network.

    Raises
    ------
    InputError
        If an option is out of range, or two do not go together.
    """

    protocol: Protocol = "async"
    stacked: int = 1
    time_limit: float = 60.0
    fuse: Fuse = "auto"
    synapses: Synapses = "auto"
    target: str = SIMULATION
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check("protocol", self.protocol, PROTOCOLS)
        _check("fuse", self.fuse, FUSES)
        _check("synapses", self.synapses, SYNAPSES)
        if self.stacked < 1:
            raise InputError("stacked", expected="at least 1 sample", got=str(self.stacked))
        if not 0 < self.time_limit < float("inf"):
            raise InputError("time_limit", expected="seconds above 0", got=repr(self.time_limit))
        if self.stacked > 1 and self.synapses_used != "own":
            raise InputError(
                "synapses",
                expected="own (or auto) for samples side by side: Lava's take one vector",
                got=repr(self.synapses),
            )
        if self.target != SIMULATION and self.fuse_used != "none":
            raise InputError(
                "fuse",
                expected=f"none for target {self.target!r}: a registered model stands for one node",
                got=repr(self.fuse),
            )

    @property
    def fuse_used(self) -> Literal["none", "stage", "network"]:
        """What ``auto`` stands for here."""
        if self.fuse != "auto":
            return self.fuse
        if self.target != SIMULATION:
            return "none"
        return "network" if self.synapses in ("auto", "own") else "stage"

    @property
    def synapses_used(self) -> Literal["lava", "dense", "sparse", "own"]:
        """What ``auto`` stands for here."""
        if self.synapses != "auto":
            return self.synapses
        return "lava" if self.stacked == 1 and self.fuse_used == "none" else "own"


def _check(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InputError(name, expected=" | ".join(known), got=repr(given))
