"""One part of the benchmark in a process of its own: its rows as they come, lines of JSON."""

from __future__ import annotations

import argparse
import json
import time
from importlib import import_module
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--data-dir", required=True)
    options = parser.parse_args()
    options.until = time.monotonic() + options.seconds
    with options.rows.open("a", encoding="utf-8") as file:
        for row in import_module(options.part).rows(options):
            file.write(json.dumps(row) + "\n")
            file.flush()
            if time.monotonic() > options.until:
                break


if __name__ == "__main__":
    main()
