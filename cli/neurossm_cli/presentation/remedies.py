"""What brings what is missing, below the tables of `doctor`."""

from __future__ import annotations

from neurossm_cli.presentation.console import Console

DATA, BY_HAND = "data: ", "place a copy"


def say_remedies(console: Console, found: list[tuple[str, str]]) -> None:
    """Say what brings what is missing; data sets that nothing fetches share a line."""
    by_hand = [name.removeprefix(DATA) for name, remedy in found
               if name.startswith(DATA) and remedy.startswith(BY_HAND)]  # fmt: skip
    lines = [f"  {name}: {remedy}" for name, remedy in found
             if remedy and not remedy.startswith(BY_HAND)]  # fmt: skip
    if by_hand:
        from neurossm_models.data import data_root

        lines.append(f"  data sets {', '.join(by_hand)}: {BY_HAND} in {data_root()} by hand")
    if lines:
        console.say()
        console.say("What to do, where you need it:")
        for line in lines:
            console.say(line)
