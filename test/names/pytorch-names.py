"""Writes the public names of the installed PyTorch, by namespace, to pytorch-names.json beside it.

A name is public if it has no leading underscore, PyTorch itself defines it, and it is a class, a function with documentation, or a method of Tensor
with documentation. Run it with the PyTorch to compare with (2.13).
"""

import importlib
import inspect
import json
import pathlib
import types

import torch

NAMESPACES = [
    "torch",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.nn.utils.parametrize",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.prune",
    "torch.nn.utils.rnn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.optim.swa_utils",
    "torch.autograd",
    "torch.linalg",
    "torch.fft",
    "torch.special",
    "torch.signal.windows",
    "torch.masked",
    "torch.utils.data",
]


def is_public(name: str, value: object) -> bool:
    if name.startswith("_") or isinstance(value, types.ModuleType) or not callable(value):
        return False
    module = getattr(value, "__module__", None) or "torch"
    if not module.startswith("torch"):
        return False
    return inspect.isclass(value) or bool(inspect.getdoc(value))


def names_of(owner: object) -> list[str]:
    listed = getattr(owner, "__all__", None)
    names = dir(owner) if listed is None or owner is torch else listed
    return sorted(name for name in set(names) if is_public(name, getattr(owner, name, None)))


result = {name: names_of(importlib.import_module(name)) for name in NAMESPACES}
# The compiler's own classes stand in `torch`, too, but on no page of the documentation.
result["torch"] = [name for name in result["torch"] if name[0].islower() or name in ("Generator", "Size", "Tensor")]
result["torch.Tensor"] = names_of(torch.Tensor)
result["version"] = torch.__version__.split("+")[0]
target = pathlib.Path(__file__).with_name("pytorch-names.json")
target.write_text(json.dumps(result, indent=1) + "\n")
