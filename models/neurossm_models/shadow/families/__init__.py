"""The shadow of each model family's block: ``shadow`` in a module of the family's name."""
