"""Converters: one file or package per foreign format, the only one that imports its library."""
