"""Fast implementations of nodes for the compiled engines: one module per node.

A module registers the form of its node (`compiled`) and the instructions that this writes for the
compiled step (`neurossm.engine.walk.instruction`). Longer kernels stand in
`neurossm.engine.kernels`, `conv_kernels` and `ssm_kernels`.
"""

import pkgutil
from importlib import import_module

from neurossm.engine.compiled.form import FORMS, Form, compiled, form_of, without_form

for _info in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_info.name}")

__all__ = ["FORMS", "Form", "compiled", "form_of", "without_form"]
