"""Terms of the report and what they mean; the page ends with those that it uses."""

from __future__ import annotations

import re

TERMS: tuple[tuple[str, str, str], ...] = (  # shown, how it is found in the page, meaning
    ("Activation", r"activation|graded", "What a node sends at a time step: a spike (0 or 1), or a"
     " graded value of several bits; on a chip, a graded spike."),
    ("Baseline", r"45 nm", "Plain digital arithmetic with published energies per operation, beside"
     " the estimate for the chip."),
    ("Bit-exact", r"bit-exact", "Every integer is the same, at every node and time step."),
    ("Core", r"\bcores?\b", "A unit of the chip with its own memory for neurons and synapses."),
    ("Dynamic energy", r"dynamic", "Energy of the operations that happen: synaptic, neuron,"
     " routing."),
    ("Float network", r"float", "The network before quantization, in floating point."),
    ("Integer network", r"integer", "The quantized network, which is what is deployed."),
    ("Macro, weighted average", r"macro average", "Mean over classes: each counts the same; each"
     " counts by its support."),
    ("Mapping", r"mapping", "Which part of a state space model is one neuron of the chip: one"
     " complex state, or all states of a channel."),
    ("Modeled", r"modeled", "Computed from counted operations and published constants; no"
     " chip was measured."),
    ("Placement", r"placement|placed", "Which neurons of the network are on which core."),
    ("Population", r"population", "Neurons of a chip that run the same program for one part of the"
     " network."),
    ("Precision, recall, F1", r"recall", "Share of the predictions of a class that are right; share"
     " of its samples that are found; their harmonic mean."),
    ("Residual", r"residual", "Prediction minus label."),
    ("Saturation", r"saturation", "A value that was limited to the largest number of its format."),
    ("Spike rate", r"spike rate", "Spikes per neuron per time step, 0 to 1."),
    ("SSM", r"\bssm|state space", "State space model: a linear recurrence over time, here with"
     " complex diagonal states."),
    ("State", r"\bstates?\b", "What a node carries from one time step to the next."),
    ("Static energy", r"static", "Static power of the chip times the time of the inference; it does"
     " not depend on spikes."),
    ("Support", r"support", "Samples of a class."),
    ("SynOps", r"synop|synaptic operation", "Synaptic operations: a weight that is added, or"
     " multiplied and added, because a spike or an activation arrived."),
)  # fmt: skip


def terms_in(page: str) -> list[tuple[str, str]]:
    """Return term and meaning of those that a page uses."""
    words = re.sub(r'<style>.*?</style>|"data:[^"]*"|<[^>]*>', " ", page, flags=re.DOTALL).lower()
    return [(term, meaning) for term, pattern, meaning in TERMS if re.search(pattern, words)]
