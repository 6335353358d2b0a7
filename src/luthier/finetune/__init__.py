"""Fine-tuning: which parameters of a trained PyTorch model train, when, and how fast.

    plan = finetune.plan(model, "lp_ft", lr=1e-4)
    optimizer = torch.optim.AdamW(plan.groups)
    for epoch in run.steps():
        plan.train(epoch)          # instead of model.train()
        …

`finetune.space("probe", "full", "lp_ft")` makes the strategy a dimension of a search;
`finetune.recommend(…)` names one, with reasons.
"""

from luthier.finetune.advice import Advice as Advice
from luthier.finetune.advice import recommend as recommend
from luthier.finetune.blocks import Block as Block
from luthier.finetune.blocks import blocks as blocks
from luthier.finetune.plan import Plan as Plan
from luthier.finetune.spaces import space as space
from luthier.finetune.strategies import STRATEGIES as STRATEGIES
from luthier.finetune.strategies import from_params as from_params
from luthier.finetune.strategies import plan as plan
