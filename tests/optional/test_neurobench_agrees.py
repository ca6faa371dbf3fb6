"""neurobench itself, where NEUROSSM_NEUROBENCH_PYTHON names an interpreter that has it."""

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "fixtures" / "neurobench" / "recorded.json"


def test_the_recording_is_what_neurobench_says(run_in) -> None:
    found = run_in("NEUROSSM_NEUROBENCH_PYTHON", "neurobench_numbers.py", FILE)
    assert found == json.loads(FILE.read_text())["recorded"]
