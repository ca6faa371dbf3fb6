"""The section of the report about placement: the chips drawn, and a table of populations."""

from __future__ import annotations

from neurossm.errors import TargetError
from neurossm.placement import Placement
from neurossm.placement.summary import summary
from neurossm.report.chip_drawing import cores_svg
from neurossm.report.document import Report
from neurossm.report.markup import element, table, text
from neurossm.report.units import count, si_range


def placement(report: Report) -> str:
    """Return which cores hold what, by each mapping; why not, where it does not fit.

    Empty where nobody asked.
    """
    heading = element("h2", "Placement")
    if not report.placements:
        if not report.placement_problem:
            return ""
        said = element("p", "Not placed: " + text(report.placement_problem))
        return element("section", heading, said)
    parts: list[str] = []
    for found in report.placements:
        parts += [element("p", _intro(report, found)), _drawing(report, found), _populations(found)]
    sentences = dict.fromkeys(s for found in report.placements for s in found.assumptions)
    if sentences:
        items = (element("li", text(sentence)) for sentence in sentences)
        parts += [element("p", "Taken for granted:"), element("ul", *items)]
    return element("section", heading, *parts)


def _intro(report: Report, found: Placement) -> str:
    energy = report.energy
    assert energy is not None  # the placements are its own
    chips = "1 chip" if found.chips == 1 else f"{count(found.chips)} chips"
    own = energy.by_mapping[found.ssm_mapping]
    return (
        f"<strong>{count(len(found.cores))} cores on {chips}</strong> of "
        f"{text(energy.hardware.title)}, with {count(found.neurons)} neurons; the fullest core "
        f"uses {100 * found.largest_load:.1f} % of its memory. Mapping of the state space models: "
        f"{_MAPPINGS[found.ssm_mapping]}. A plan by the published limits: it was compiled for no "
        f"chip. Energy of an inference on it: {si_range(own.total, 'J')}, "
        f"{si_range(own.dynamic, 'J')} of it dynamic ({text(energy.label)})."
    )


_MAPPINGS = {
    "state": "one neuron for each complex state",
    "channel": "one neuron for all states of a channel",
}


def _drawing(report: Report, found: Placement) -> str:
    if report.energy is None:
        return ""
    try:
        svg = cores_svg(found, report.energy.hardware)
    except TargetError:  # the chip's file does not say how large its mesh is
        return ""
    caption = (
        "Each cell is a core, its color the stronger the fuller it is, with the number of its "
        "population and the part of its memory in use. "
        "Where cores lie on the mesh is not published."
    )
    scroll = element("div", svg, class_="scroll chips")
    return element("figure", scroll, element("figcaption", caption))


def _populations(found: Placement) -> str:
    rows = [
        (
            f"{row.number}&#160; {text(row.name)}",
            text(row.kind),
            count(row.neurons),
            count(row.cores),
            count(row.words.neuron),
            count(row.words.axon_in),
            count(row.words.synapse),
            count(row.words.axon_map),
            f"{100 * row.load:.1f} %",
        )
        for row in summary(found)
    ]
    caption = "Populations in the order of the network; memory in words, load of the fullest core."
    heads = ("Population", "Kind", "Neurons", "Cores", "Neuron words", "Axon-in", "Synapse",
             "Axon-map", "Load")  # fmt: skip
    return table(heads, rows, caption, numeric=range(2, 9))
