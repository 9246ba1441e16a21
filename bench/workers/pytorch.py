"""The worker that runs PyTorch: answers the requests of protocol.ts."""

import json
import os
import resource
import sys
import time
import traceback

import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLE_SIZE = 4096  # as in protocol.ts

torch.set_num_threads(int(os.environ['ANTORCHA_BENCH_THREADS']))
step = None


def tensor_of(file):
    dtype = getattr(torch, file['dtype'])
    with open(file['path'], 'rb') as source:
        data = bytearray(source.read())
    return torch.frombuffer(data, dtype=dtype).clone().reshape(file['shape'])


def sample(result):
    elements = result.detach().reshape(-1)
    return elements[:: max(1, -(-elements.numel() // SAMPLE_SIZE))].tolist()


def answer(request):
    global step
    kind = request['type']
    if kind == 'describe':
        details = torch.__config__.show()
        telling = ('Math Kernel Library', 'MKL-DNN', 'OpenMP', 'CPU capability')
        lines = [line.strip(' -') for line in details.splitlines() if 'Build settings' not in line]
        description = {
            'version': torch.__version__,
            'threads': torch.get_num_threads(),
            'configuration': '; '.join(x for x in lines if any(name in x for name in telling)),
            'details': details,
        }
        return {'type': 'description', 'description': description}
    if kind == 'prepare':
        inputs = {name: tensor_of(file) for name, file in request['inputs'].items()}
        scope = {'torch': torch, 'nn': nn, 'F': F, **inputs}
        exec(compile(request['python'], request['workload'], 'exec'), scope)
        step = scope['step']
        return {'type': 'results', 'results': [sample(step()) for _ in range(request['calls'])]}
    if kind == 'block':
        repetitions = range(request['repetitions'])
        start = time.perf_counter()
        for _ in repetitions:
            step()
        return {'type': 'elapsed', 'milliseconds': (time.perf_counter() - start) * 1e3}
    if kind == 'memory':
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {'type': 'memory', 'bytes': usage * (1 if sys.platform == 'darwin' else 1024)}
    raise ValueError(f'unknown request {kind}')


for line in sys.stdin:
    try:
        said = answer(json.loads(line))
    except Exception:
        said = {'type': 'error', 'message': traceback.format_exc()}
    sys.stdout.write(json.dumps(said) + '\n')
    sys.stdout.flush()
