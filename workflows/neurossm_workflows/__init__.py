"""The steps of the pipeline as functions: the only place that composes the other packages."""
