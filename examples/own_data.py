"""Your own data: from a CSV file to integers that run on a chip, and their accuracy.

    python own_data.py [FOLDER]

The file is made up here: recordings of a sensor with two channels, of different lengths, in three
classes. With a file of your own, delete `write` and set FILE.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

import neurossm
from neurossm_models.data import learn, load

FILE = "gestures.csv"
CLASSES = ("circle", "shake", "wave")


def main(folder: Path) -> float:
    """Train, export, quantize and test; return the accuracy of the integers."""
    file = folder / FILE
    write(file)

    # what the training part says: channels, classes, lengths, scale, and how the parts are cut
    facts = learn(file)
    print(f"{facts.kind}: {', '.join(facts.class_names)}; {facts.features} channels")
    for part in ("train", "valid", "test"):
        data = load(f"{file}:{part}", facts=facts)
        print(f"  {part}: {len(data)} sequences of {data.lengths.min()} to {data.lengths.max()}")

    # "spikingssm" is one of four families; the changes make it small enough for seconds
    changes = ["train.epochs=8", "train.lr=0.02", "model.width=16", "model.layers=1"]
    neurossm.train("spikingssm", data=str(file), changes=changes, out=folder / "run")

    graph = neurossm.export(folder / "run")
    made = neurossm.quantize(graph, f"{file}:train")  # calibrates on the training part
    made.save(folder / "gestures.int.nssm")

    test = f"{file}:test"  # took no part in training
    real, integer = neurossm.evaluate(graph, test), neurossm.evaluate(made.graph, test)
    print(f"accuracy on the test part: float {real.accuracy:.1%}, integer {integer.accuracy:.1%}")
    return integer.accuracy


def write(file: Path) -> None:
    """Write a table with a row per time step: sample, time, two channels, label."""
    generator = np.random.default_rng(0)
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["sample", "time", "acceleration", "rotation", "label"])
        for sample in range(150):
            label = sample % 3
            time = 0.02 * np.arange(generator.integers(20, 40))
            turn = 2 * np.pi * (1, 2, 4)[label] * time + generator.uniform(0, 2 * np.pi)
            channels = 9.81 + np.sin(turn), 300 * np.cos(turn)
            for when, acceleration, rotation in zip(time, *channels, strict=True):
                noise = generator.normal(0, (0.2, 60))
                row = when, acceleration + noise[0], rotation + noise[1]
                table.writerow([sample, *(f"{value:.4f}" for value in row), CLASSES[label]])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
