"""Accuracy of the sMNIST checkpoints on integers of several widths, before and after fine-tuning.

Runs what a user would: export, quantize, run, and train with --finetune-from. Every figure is
written as soon as it is measured, so a measurement that was stopped goes on where it was.

    python benchmarks/quantization.py runs/quantization --images 20000 --threads 1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKPOINTS = ("spikingssm-smnist", "spike-ssm-smnist", "gsu-smnist", "binary-s4d-smnist")
WIDTHS = {
    "12-bit poles": ["--poles", "12"],
    "default": [],
    "8-bit poles": ["--poles", "8"],
    "16-bit messages": ["--messages", "16"],
}
RESULTS = Path("models/neurossm_models/checkpoints/results.json")
CALIBRATION = "mnist:train:512"


def main() -> None:
    """Measure everything that `results.json` in the folder does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=0, help="training images (0: all)")
    parser.add_argument("--test", default="mnist:test")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float-epoch", action="store_true", help="time an epoch on floats, too")
    parser.add_argument("--only", nargs="*", default=list(WIDTHS), help="of the widths")
    parser.add_argument("--checkpoints", nargs="*", default=list(CHECKPOINTS))
    parser.add_argument("--table", action="store_true", help="print what is measured, no more")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    book = args.folder / "results.json"
    rows: dict[str, dict[str, Any]] = json.loads(book.read_text()) if book.exists() else {}
    if args.table:
        print(document(rows))
        return
    for name in args.only:
        for checkpoint in args.checkpoints:
            row = rows.setdefault(f"{checkpoint}, {name}", {})
            for stage in ("post-training", "fine-tuned"):
                if stage in row:
                    continue
                run = Path("models/neurossm_models/checkpoints") / checkpoint
                if stage == "fine-tuned":
                    run = args.folder / f"{checkpoint}, {name}"
                    row["training"] = finetune(checkpoint, run, WIDTHS[name], args)
                row[stage] = measure(run, args.folder, WIDTHS[name], args.test)
                book.write_text(json.dumps(rows, indent=1) + "\n")
                print(checkpoint, name, stage, row[stage], flush=True)
    for checkpoint in args.checkpoints if args.float_epoch else ():
        row = rows.setdefault(f"{checkpoint}, float epoch", {})
        if not row:
            row.update(float_epoch(checkpoint, args.folder / f"{checkpoint}, float", args))
            book.write_text(json.dumps(rows, indent=1) + "\n")
            print(checkpoint, row, flush=True)


def finetune(checkpoint: str, run: Path, widths: list[str], args: Any) -> dict[str, Any]:
    """Fine-tune a checkpoint, going on where it was; return the last line of its log."""
    if not (run / "log.jsonl").exists():
        options = ["--set", f"data.limit={args.images}", "--set", f"train.threads={args.threads}"]
        options += ["--resume"] if (run / "last").exists() else []
        neurossm("train", checkpoint, "--finetune-from", checkpoint, "--quantized",
                 "--calibrate", CALIBRATION, *widths, *options, "--out", str(run))  # fmt: skip
    log: dict[str, Any] = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    before = json.loads((run / "before.json").read_text())["accuracy"]
    return {**log, "improved": log["valid_accuracy"] > before}


def document(rows: dict[str, dict[str, Any]]) -> str:
    """Return the results as two tables: accuracies, and what a step costs."""
    published = {row["checkpoint"]: row for row in json.loads(RESULTS.read_text())}
    lines = [
        "| checkpoint | float | " + " | ".join(WIDTHS) + " |",
        "|---" * (2 + len(WIDTHS)) + "|",
    ]
    for checkpoint in CHECKPOINTS:
        cells = [shown(rows.get(f"{checkpoint}, {name}", {})) for name in WIDTHS]
        accuracy = f"{published[checkpoint]['accuracy_float']:.2%}"
        lines.append(f"| `{checkpoint}` | {accuracy} | " + " | ".join(cells) + " |")
    costs = [
        "| checkpoint | float, s a step | fine-tuning, s a step | ratio |",
        "|---|---|---|---|",
    ]
    for checkpoint in CHECKPOINTS:
        plain = rows.get(f"{checkpoint}, float epoch")
        tuned = rows.get(f"{checkpoint}, default", {}).get("training")
        if plain and tuned:
            seconds = [log["seconds"] / log["step"] for log in (plain, tuned)]
            ratio = f"{seconds[1] / seconds[0]:.2f}"
            costs.append(f"| `{checkpoint}` | {seconds[0]:.3f} | {seconds[1]:.3f} | {ratio} |")
    return "\n".join([*lines, "", *costs])


def shown(row: dict[str, Any]) -> str:
    """Return the cell of a checkpoint and a width."""
    if "fine-tuned" not in row:
        return "not measured"
    kept = "" if row["training"].get("improved", True) else " (kept)"
    return f"{row['post-training']['accuracy']:.2%} / {row['fine-tuned']['accuracy']:.2%}{kept}"


def float_epoch(checkpoint: str, run: Path, args: Any) -> dict[str, Any]:
    """Train for an epoch on floats, as many images; return the last line of its log."""
    if not (run / "log.jsonl").exists():
        options = ("train.epochs=1", f"data.limit={args.images}", f"train.threads={args.threads}")
        sets = [word for option in options for word in ("--set", option)]
        neurossm("train", checkpoint, *sets, "--out", str(run))
    log: dict[str, Any] = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    return log


def measure(run: Path, folder: Path, widths: list[str], test: str) -> dict[str, Any]:
    """Return what the integers of a run reach."""
    real, integer = str(folder / "m.nssm"), str(folder / "m.int.nssm")
    neurossm("export", str(run), "-o", real)
    neurossm("quantize", real, "--calibrate", CALIBRATION, *widths, "-o", integer)
    answer: dict[str, Any] = json.loads(neurossm("run", integer, "--data", test, "--json"))
    return {key: answer[key] for key in ("accuracy", "correct", "samples") if key in answer}


def neurossm(*words: str) -> str:
    """Run a command of the package; stop with its message where it fails."""
    done = subprocess.run(["neurossm", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"neurossm {' '.join(words)}\n{done.stderr}{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
