"""Writes signatures.json: the parameters of PyTorch's functions, methods and classes, by PyTorch's own account.

    python test/conformance/signatures.py ../shared/conformance > test/conformance/signatures.json

Needs PyTorch 2.13. For each name [required, optional], in PyTorch's order, the receiver of a method left out. The runner
reads how to make a call from a function's own metadata where there is any, and from this table where there is none.
"""

import gzip
import inspect
import json
import pathlib
import sys

import torch
import torch.optim.swa_utils
from torch.overrides import get_testing_overrides

overrides = get_testing_overrides()

# What is written in C without a signature that Python can see, or takes *args only to choose between overloads.
BY_HAND = {
    "input": "positive relu_ selu_ nn.functional.relu_ nn.functional.selu_",
    "input | alpha": "celu_ nn.functional.celu_ nn.functional.elu_",
    "input | negative_slope": "nn.functional.leaky_relu_",
    "input | min_val max_val": "nn.functional.hardtanh_",
    "input threshold value": "nn.functional.threshold_",
    "input value": "fill",
    "data | dtype device requires_grad": "tensor as_tensor asarray scalar_tensor",
    "size fill_value | dtype": "full",
    "n | m dtype": "eye",
    "input size stride | storage_offset": "as_strided",
    "input | dim correction unbiased keepdim": "var std var_mean std_mean",
    "input | dim keepdim dtype": "sum mean prod nansum nanmean all any amax amin",
    "dim": "Tensor.size Tensor.stride",
    "x | N increasing": "vander",
    "window_length | periodic dtype": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
    "row col | offset dtype": "tril_indices triu_indices",
    "start end steps | base dtype": "logspace",
    "start end steps | dtype": "linspace",
    "n | d dtype": "fft.fftfreq fft.rfftfreq",
    "type1 type2": "promote_types",
    "tensor1 tensor2": "result_type",
    "from_ to": "can_cast",
    "input output_size | return_indices": "nn.functional.adaptive_max_pool1d nn.functional.adaptive_max_pool2d "
    "nn.functional.adaptive_max_pool3d",
    "input kernel_size | stride padding dilation ceil_mode return_indices": "nn.functional.max_pool1d "
    "nn.functional.max_pool2d nn.functional.max_pool3d",
    "input_size hidden_size | num_layers nonlinearity bias batch_first dropout bidirectional proj_size": "nn.RNN",
    "input_size hidden_size | num_layers bias batch_first dropout bidirectional proj_size": "nn.LSTM nn.GRU",
    "*args | dtype": "zeros ones arange range empty",
    "*size | dtype generator": "rand randn",
    "low high size | dtype generator": "randint",
    "n | dtype generator": "randperm",
    "input num_samples | replacement generator": "multinomial",
    "input | generator": "bernoulli poisson",
    "input low high | dtype": "randint_like",
    "input | dtype": "rand_like randn_like",
}


def split(signature, skip):
    required, optional = [], []
    for parameter in list(signature.parameters.values())[skip:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            required.append("*" + parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
        else:
            optional.append(parameter.name)
    return [required, optional]


def resolve(name):
    value = torch
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


def signature_of(function, skip):
    for candidate in (function, overrides.get(function)):
        try:
            return split(inspect.signature(candidate), skip)
        except (TypeError, ValueError):
            pass
    return None


def main(folder):
    table = {}

    def add(name, function, skip=0):
        found = signature_of(function, skip)
        if found is not None:
            table[name] = found

    for path in sorted(folder.glob("ops*/*.gz")):
        name = path.name[: -len(".jsonl.gz")]
        if name.startswith("Tensor."):
            add(name, getattr(torch.Tensor, name[7:], None), 1)
        else:
            add(name, resolve(name))
    for path in sorted(folder.glob("modules/*.gz")):
        name = path.name[: -len(".jsonl.gz")]
        add("torch." + name, resolve("torch." + name))
        add("torch." + name + ".forward", resolve("torch." + name).forward, 1)
    for space in ("nn.init", "nn.utils", "nn.functional", "optim", "optim.lr_scheduler", "optim.swa_utils", "utils.data"):
        module = resolve("torch." + space)
        for name in dir(module):
            value = getattr(module, name)
            if not name.startswith("_") and callable(value):
                if getattr(value, "__module__", "").startswith("torch"):
                    add(f"torch.{space}.{name}", value)
    for parameters, names in BY_HAND.items():
        required, _, optional = parameters.partition("|")
        for name in names.split():
            table[name if name.startswith("Tensor.") else "torch." + name] = [required.split(), optional.split()]
    rows = (f" {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    print("{\n" + ",\n".join(rows) + "\n}")


main(pathlib.Path(sys.argv[1]))
