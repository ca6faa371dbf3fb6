"""How to run on Lava: the protocol, how many samples side by side, the time limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurossm.errors import InputError

Protocol = Literal["loihi", "async"]
PROTOCOLS: tuple[Protocol, ...] = ("loihi", "async")


@dataclass(frozen=True)
class LavaOptions:
    """Options of a Lava run; all give the same bits.

    Parameters
    ----------
    protocol
        ``loihi``: Lava's own LoihiProtocol, every process told every step. ``async``: each process
        is told the number of steps once, only the data keep the order; several times faster.
    stacked
        Samples side by side in one network. With 1 the synapses are Lava's `Dense`; with more, a
        process of ours with the same arithmetic, as `Dense` takes one vector only.
    time_limit
        Seconds in which no process of the network makes a step, after which the run is ended. The
        length of the run does not matter: a slow machine is not a hung network.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    protocol: Protocol = "async"
    stacked: int = 1
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InputError("protocol", expected=" | ".join(PROTOCOLS), got=repr(self.protocol))
        if self.stacked < 1:
            raise InputError("stacked", expected="at least 1 sample", got=str(self.stacked))
        if not 0 < self.time_limit < float("inf"):
            raise InputError("time_limit", expected="seconds above 0", got=repr(self.time_limit))
