# PyTorch's side of `npm run bench -- --device webgpu`: `gpu.py <device> <json>` with { sizes, trainings, patience } times the
# same work as gpu.ts, without TF32, and prints milliseconds by name as JSON. Exit status 3: no such device.
import json
import sys
import time

try:
    import torch
except ImportError:
    sys.exit(3)
from torch import nn
from torch.nn import functional as F

device, request = sys.argv[1], json.loads(sys.argv[2])
if device == "cuda" and not torch.cuda.is_available():
    sys.exit(3)
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def synchronize():
    if device == "cuda":
        torch.cuda.synchronize()


def measure(run):
    times = []
    end = time.perf_counter() + request["patience"] / 1000
    while len(times) < 3 or (len(times) < 12 and time.perf_counter() < end):
        synchronize()
        start = time.perf_counter()
        result = run()
        if result.numel() == 1:
            result.item()
        synchronize()
        times.append(1000 * (time.perf_counter() - start))
    times = sorted(times[2:])
    return times[len(times) // 2]


def product(n):
    a, b = torch.rand(n, n, device=device), torch.rand(n, n, device=device)
    return lambda: a @ b


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 10),
    )


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, dim_feedforward=512, dropout=0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


networks = {"MLP": mlp, "CNN": cnn, "Transformer": Transformer}


def training(kind, sizes, classes):
    torch.manual_seed(0)
    model = networks[kind]().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.randn(sizes, device=device)
    y = torch.randint(0, classes, [sizes[0]], device=device)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


result = {}
for n in request["sizes"]:
    result[f"matmul {n}"] = measure(product(n))
for t in request["trainings"]:
    result[t["name"]] = measure(training(t["kind"], t["input"], t["classes"]))
print(json.dumps(result))
