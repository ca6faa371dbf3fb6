"""``neurossm check``: whether a chip can hold a graph, node by node and all together."""

from __future__ import annotations

from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    ChipsOption,
    HardwareOption,
    IntegerGraph,
    MappingOption,
    chosen_mapping,
)


def check(
    graph: IntegerGraph,
    hardware: HardwareOption = "loihi2",
    chips: ChipsOption = None,
    ssm_mapping: MappingOption = None,
    json: JsonOption = False,
) -> int:
    """Check whether a chip supports every node and the network fits.

    For those who plan a deployment: what is unsupported is listed with its reason. The exit status
    is 0 if everything is supported and fits, else 1.
    """
    from neurossm.hardware import load_hardware
    from neurossm.placement import check as check_graph
    from neurossm.store import load

    console, chip = Console(json), load_hardware(hardware)
    mapping = chosen_mapping(ssm_mapping)
    answer = check_graph(load(graph), chip, chips, mapping)
    console.document({"file": str(graph), **answer.as_json()})
    console.table(
        ("node", "type", "verdict"),
        [(node.name, node.type, "ok" if node.ok else "FAIL") for node in answer.nodes],
        title=f"{graph} on {chip.title}",
    )
    for node in answer.nodes:
        for finding in node.findings:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            console.say(f"FAIL {node.name} ({node.type}): {finding.reason}{remedy}")
    failed = sum(not node.ok for node in answer.nodes)
    console.say(f"{len(answer.nodes) - failed} of {plural(len(answer.nodes), 'node')} supported")
    placed = answer.placement
    if placed is not None:
        console.say(
            f"fits: cores {len(placed.cores):,}, chips {placed.chips:,}, fullest core"
            f" {placed.largest_load:.1%} (ssm-mapping {mapping})"
        )
    else:
        verdict = "not known whether it fits" if answer.fits is None else "does not fit"
        console.say(f"{verdict}: {answer.why_not}")
    return 0 if answer.ok else 1
