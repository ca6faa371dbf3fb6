"""How to run on Lava: protocol, processes, batch size, limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurossm.arguments import whole
from neurossm.deprecation import renamed
from neurossm.errors import InputError

Protocol = Literal["loihi", "async"]
Fuse = Literal["auto", "stage", "network"]
Synapses = Literal["auto", "lava", "dense", "sparse", "own"]
PROTOCOLS: tuple[Protocol, ...] = ("loihi", "async")
FUSES: tuple[Fuse, ...] = ("auto", "stage", "network")
MOST_BATCH = 1024  # from some tens of samples on, more are slower: their states leave the cache
SYNAPSES: tuple[Synapses, ...] = ("auto", "lava", "dense", "sparse", "own")


@renamed(stacked="batch")
@dataclass(frozen=True)
class LavaOptions:
    """Options of a Lava run; all give bit-identical results.

    Parameters
    ----------
    protocol
        ``loihi``: Lava's own LoihiProtocol, every process told every step. ``async``: each process
        is told the number of steps once, only the data keep the order; several times faster.
    batch
        Batch size: samples in one network, at most 1024.
    time_limit
        Seconds in which no process of the network makes a step, after which the run is ended. The
        length of the run does not matter: a slow machine is not a hung network.
    fuse
        ``stage``: a process for the nodes between two layers of synapses. ``network``: one for all.
        ``auto``: ``stage`` with synapses of Lava's, else ``network``, as messages between
        processes cost more than the arithmetic (docs/explanation/lava.md). A process for each
        node is the network of a bundle (`neurossm_converters.backends.loihi2`).
    synapses
        ``dense``, ``sparse``: Lava's process of that name. ``lava``: Sparse where at most a
        quarter of the weights is not zero, else Dense; these take one sample at a time. ``own``:
        ours, with the same sums, for any number of samples, inside the process where the synapses
        end. ``auto``: ``own``.

    Raises
    ------
    InputError
        If an option is out of range, or two do not go together.
    """

    protocol: Protocol = "async"
    batch: int = 1
    time_limit: float = 60.0
    fuse: Fuse = "auto"
    synapses: Synapses = "auto"

    def __post_init__(self) -> None:
        _check("protocol", self.protocol, PROTOCOLS)
        _check("fuse", self.fuse, FUSES)
        _check("synapses", self.synapses, SYNAPSES)
        whole("batch", self.batch, 1, MOST_BATCH)
        if not 0 < self.time_limit < float("inf"):
            raise InputError("time_limit", expected="seconds above 0", got=repr(self.time_limit))
        if self.batch > 1 and self.synapses_used != "own":
            raise InputError(
                "synapses",
                expected="own (or auto) for a batch above 1: Lava's synapses take one sample",
                got=repr(self.synapses),
            )

    @property
    def fuse_used(self) -> Literal["stage", "network"]:
        """What ``auto`` stands for here."""
        if self.fuse != "auto":
            return self.fuse
        return "network" if self.synapses_used == "own" else "stage"

    @property
    def synapses_used(self) -> Literal["lava", "dense", "sparse", "own"]:
        """What ``auto`` stands for here."""
        return "own" if self.synapses == "auto" else self.synapses


def _check(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InputError(name, expected=" | ".join(known), got=repr(given))
