"""The STE network of each family's block: ``ste_outputs`` in a module of its name."""
