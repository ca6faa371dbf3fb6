"""Which conventions make sense of the numbers of a NIR file, which says none.

Time constants make sense in a unit where each is from one step to a thousand of them. Tools that
choose a step of their own show it in gains too: snnTorch and SpikingJelly write ``r = tau / dt``
and ``w_in = tau_syn / dt``, Rockpool ``r = tau exp(-dt / tau) / dt``, Norse and sinabs ``r = 1``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurossm_converters.formats.nir.document import Part

Real = NDArray[np.float64]

SNNTORCH_DT = 1e-4
# what each tool takes where its user says nothing: it makes the leaks and tells nothing of the
# data; sinabs counts in steps
DEFAULT_DT = {
    "snntorch": SNNTORCH_DT, "spikingjelly": 1e-4, "rockpool": 1e-3, "sinabs": 1.0, "norse": 1e-3,
    "norse-dt": 1e-3, "norse-s": 1e-3,
}  # fmt: skip
USUAL_LEAK = 2.0**-10  # of a step; time constants up to a thousand steps
MOST_LEAK = 4.0  # steps a time constant, where an exact solution leaves 2 % of a state


def makes_sense(step: float, taus: Real) -> bool:
    """Return whether each time constant is from one step to a thousand of them."""
    leaks = step / taus
    return bool(np.all((leaks >= USUAL_LEAK) & (leaks <= 1 + 1e-6)))


def others(name: str, dt: float | None, step: float, taus: Real) -> tuple[str, ...]:
    """Return options of another unit under which all time constants make sense, at most two.

    `dt` is what the user or the file said, None where neither did.
    """
    if not taus.size:
        return ()
    plain = name if name in ("exact", "euler") else "exact"
    norse = DEFAULT_DT["norse"] if dt is None else dt
    steps = {
        "--convention snntorch": SNNTORCH_DT,
        "--convention norse-dt": norse * norse,
        "--convention norse-s": norse,
        "--convention sinabs": 1.0,
    }
    if dt is None:
        own = DEFAULT_DT["snntorch"] if name == "sinabs" else DEFAULT_DT.get(name, norse)
        said = {f"--convention {plain} --tau-unit ms --dt {own:g}": 1e3 * own,
                f"--convention {plain} --tau-unit s --dt {own:g}": own}  # fmt: skip
    else:
        said = {f"--convention {plain} --tau-unit ms": 1e3 * dt,
                f"--convention {plain} --tau-unit s": dt}  # fmt: skip
    steps = said | steps
    order = sorted(steps, key=lambda option: not option.startswith(f"--convention {name[:5]}"))
    found: dict[float, str] = {}
    for option in order:
        if not np.isclose(steps[option], step, rtol=1e-9) and makes_sense(steps[option], taus):
            found.setdefault(steps[option], option)
    return tuple(found.values())[:2]


def fitting(document: Part) -> tuple[str, ...]:
    """Return the conventions whose own step fits all time constants and gains of a file.

    The likeliest is the first; empty where there are no time constants, or none fits. snnTorch and
    SpikingJelly write the same numbers, and only the former calls feedback ``w_rec``.
    """
    pairs = list(_leaks(document))
    if not pairs:
        return ()
    taus, gains = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    finite = np.isfinite(taus) & (taus > 0) & np.isfinite(gains)
    taus, gains = taus[finite], gains[finite]
    if not taus.size:
        return ()
    rates = gains / taus
    if _alike(SNNTORCH_DT * rates, 1):
        return ("snntorch",) if _has_recurrence(document) else ("snntorch", "spikingjelly")
    own = DEFAULT_DT["rockpool"]
    if _alike(own * rates, np.exp(-own / taus)):
        return ("rockpool",)
    if not np.all(gains == 1):
        return ()
    steps = {name: DEFAULT_DT[name] for name in ("norse-dt", "norse-s", "spikingjelly", "sinabs")}
    steps["norse-dt"] **= 2
    # solved exactly, a state may be nearly gone after a step
    return tuple(
        name for name, step in steps.items()
        if makes_sense(step, taus if name != "sinabs" else np.maximum(taus, step))
        and step / taus.min() < MOST_LEAK
    )  # fmt: skip


def _alike(found: Real, expected: Real | float) -> bool:
    return np.allclose(found, expected, rtol=1e-5, atol=0)


def _has_recurrence(document: Part) -> bool:
    """Return whether there is the feedback that snnTorch's recurrent neurons write."""
    return any(
        name.endswith("w_rec") or _has_recurrence(part) for name, part in document.nodes.items()
    )


def _leaks(document: Part) -> Iterator[tuple[Real, Real]]:
    """Yield time constants and gains of all states that leak, of one length each."""
    for part in document.nodes.values():
        for tau, gain in (("tau", "r"), ("tau_mem", "r"), ("tau_syn", "w_in")):
            found = [part.fields.get(name) for name in (tau, gain)]
            real = [
                values.astype(np.float64).ravel() for values in found
                if isinstance(values, np.ndarray) and values.dtype.kind in "fiu"
            ]  # fmt: skip
            if len(real) == 2 and real[1].size in (1, real[0].size):
                yield real[0], np.broadcast_to(real[1], real[0].shape)
        yield from _leaks(part)
