"""Converters: one file (or package) a foreign format, the only one that imports its library."""
