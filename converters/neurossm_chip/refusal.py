"""The error of a bundle: one sentence for the user."""


class Refusal(Exception):
    """What is wrong and what to do about it, in one sentence."""
