"""What the engines do faster than by a node's own steps: a module a node, found by itself.

A module registers the form of its node (`compiled`). Its kernels stand in `neurossm.engine.kernels`
and `neurossm.engine.ssm_kernels`, its instructions in `neurossm.engine.walk`.
"""

import pkgutil
from importlib import import_module

from neurossm.engine.compiled.form import FORMS, Form, compiled, form_of, without_form

for _info in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_info.name}")

__all__ = ["FORMS", "Form", "compiled", "form_of", "without_form"]
