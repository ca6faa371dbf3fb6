"""The steps of the pipeline as functions: called by commands, notebooks, benchmarks and examples.

A step lies in the module of its name (`neurossm_workflows.quantize.quantize`), takes plain
arguments, paths, graphs or data, and returns a frozen value; ``import neurossm`` offers the same
functions. Notes and progress go to the callbacks of a `listener.Listener`, errors are those of
`neurossm.errors`. This is the only place that composes the packages below it.
"""
