"""The one way in which a run is refused or fails: a sentence for the user."""


class Refusal(Exception):
    """What is wrong and what to do about it, in one sentence."""
