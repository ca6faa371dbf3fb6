"""Formats: networks of other tools to graphs, and graphs to theirs; one package a library."""
