"""Any `nn.Module` as a graph: recorded on an example, converted by layout, checked by values.

`recorder` runs forward once and writes down what happens to tensors that depend on the input, as a
`torch.fx` graph. `walk` goes through that and says of each tensor which axis is batch, time and
features, and which channels of which nodes it holds (`signals`); `wiring` makes nodes where values
are needed; `proof` runs both and compares every step of the way.
"""
