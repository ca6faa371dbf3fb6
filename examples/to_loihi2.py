"""To a Loihi 2: does the network fit, what would it cost, and the folder that runs there.

    python to_loihi2.py [FOLDER]

No chip is needed: the folder (a bundle) holds the graph, its golden vectors and a script that needs
only NumPy, h5py and Lava. Copy it to a machine with a chip and follow its README.
"""

import sys
import tempfile
from pathlib import Path

import neurossm

DATA = "digits"  # 8 x 8 pixels as 64 steps; comes with scikit-learn


def main(folder: Path) -> None:
    """Quantize a trained network, place it on cores, estimate its energy, write the bundle."""
    graph = neurossm.export("binary-s4d-digits")  # a checkpoint of neurossm, or your run folder
    made = neurossm.quantize(graph, f"{DATA}:train:128")
    file = folder / "digits.int.nssm"
    made.save(file)  # with golden vectors, by which the chip's integers are checked

    plan = neurossm.place(file, data=f"{DATA}:test:8")
    placed, step = plan.placement, plan.step_time
    print(f"{placed.neurons} neurons on {len(placed.cores)} cores of {placed.chips} chip")
    if step is not None:
        print(f"a step takes {1e6 * step.low:.1f} to {1e6 * step.high:.1f} us (modeled)")
    (folder / "cores.svg").write_text(plan.svg())

    found = neurossm.profile(file, f"{DATA}:test:64", floating=graph)
    low, high = (1e6 * joules for joules in (found.energy.total.low, found.energy.total.high))
    print(f"accuracy: float {found.accuracy_float:.1%}, integer {found.accuracy:.1%}")
    print(f"energy per inference: {low:.3g} to {high:.3g} uJ (modeled, not measured)")
    found.to_html(folder / "report.html")

    made = neurossm.deploy(file, bundle=folder / "to-loihi2", data=f"{DATA}:test:4")
    print("the bundle:", ", ".join(sorted(name for name in made.files if "/" not in name)))
    print("missing here:", made.missing or "nothing")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
