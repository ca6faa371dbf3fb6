"""Data of one's own: from a file to integers that a network takes, and back to real values.

python examples/own_data.py
"""

import tempfile
from pathlib import Path

import numpy as np

from neurossm_models.data import from_arrays, learn, load, task_from_json, task_to_json


def main() -> None:
    """Write a small set as a user has it, learn its scale, and load its parts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gestures.npz"
        write(file)

        # one pass over the training part: shape, classes, scale, and how parts are cut
        facts = learn(file, valid=0.2, test=0.2)
        print(f"{facts.kind}: {', '.join(facts.class_names)}; {facts.features} channels, "
              f"at most {facts.steps} steps of {facts.dt} s")  # fmt: skip
        print(f"parts: {facts.split}")

        for part in ("train", "valid", "test"):
            data = load(f"{file}:{part}", facts=facts)
            batch = data.take(slice(4))  # reads these four only
            print(f"{part}: {len(data)} samples; the first four have {batch.lengths} steps, "
                  f"{batch.clipped} values were clipped")  # fmt: skip

        # the integers, what the network takes them for, and the values that they stand for
        integers = batch.inputs[0, 0]
        print("integers", integers, "seen as", (integers * batch.factors).round(2),
              "stand for", facts.scaling.to_values(integers).round(2))  # fmt: skip

        # kept beside a network, they read the same later
        later = task_from_json(task_to_json(facts))
        again = load(f"{file}:test:4", facts=later)
        assert np.array_equal(again.inputs, batch.inputs)

    # arrays that a program has go the same way
    source = from_arrays(np.random.default_rng(0).normal(size=(50, 30)), np.arange(50) % 2)
    data = load(source, facts=learn(source), split="train")
    print(f"from arrays: {data.shape}")


def write(file: Path) -> None:
    """Write recordings of unlike lengths, from ten people, with a channel in another unit."""
    generator = np.random.default_rng(0)
    samples, longest = 200, 60
    lengths = generator.integers(20, longest + 1, samples)
    labels = generator.choice(["circle", "shake", "wave"], samples)
    inputs = np.zeros((samples, longest, 2), np.float32)
    for row, length in zip(inputs, lengths, strict=True):
        row[:length] = generator.normal([9.81, 300], [0.5, 40], (length, 2))
    np.savez(
        file, inputs=inputs, labels=labels, lengths=lengths, dt=0.02,
        groups=generator.integers(0, 10, samples), channel_names=["acceleration", "rotation"],
    )  # fmt: skip


if __name__ == "__main__":
    main()
