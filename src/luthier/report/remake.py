"""How to repeat the study and its best run; where it was made."""

import json
import shlex
from pathlib import Path

from luthier.report.case import Case
from luthier.report.document import Block, Code, Paragraph, Section, Table
from luthier.report.players import command


def remake(case: Case) -> Section:
    """Commands, parameters, seeds."""
    w, study, recipe = case.words, case.study, case.recipe
    target = str(recipe.get("target") or "")
    blocks: list[Block] = []
    if imported := recipe.get("imported"):
        said = w("remake_from", tool=imported["from"], name=imported["study"])
        blocks.append(Paragraph(said))
    elif not target or target.startswith("pickle:"):
        blocks.append(Paragraph(w("remake_hand")))
    else:
        script, colon, name = target.rpartition(":")
        line, whole = command(study, recipe, f"{Path(script).name}{colon}{name}")
        blocks += [Paragraph(w("remake_study")), Code(line)]
        if not whole:
            policy = json.dumps(recipe.get("policy"), indent=2)
            blocks += [Paragraph(w("remake_options")), Code(policy)]
    if case.standing is not None:
        run = case.standing.best
        if target:
            lines = [["luthier", "replay", f"{study.name}/{run.id}"],
                     ["luthier", "best", study.name, "--export", "best"]]  # fmt: skip
            text = "\n".join(shlex.join(line) + case.store_option for line in lines)
            blocks += [Paragraph(w("remake_best")), Code(text)]
        params = json.dumps(case.best_params, indent=2, ensure_ascii=False)
        blocks += [Paragraph(w("remake_params")), Code(params)]
        if not imported:
            seed = study.trial_seed(run.trial) if run.seed is None else run.seed
            blocks.append(Paragraph(w("seeds", study=study.seed, trial=seed)))
    return Section("remake", w("remake"), tuple(blocks))


def environment(case: Case) -> Section:
    """Versions and machine, as recorded when the study was created."""
    w = case.words
    recorded = case.recipe.get("environment") or {}
    rows = tuple((str(name), str(value)) for name, value in recorded.items())
    said = Paragraph(w("environment_words" if rows else "environment_none"))
    blocks: tuple[Block, ...] = (said, Table(("", ""), rows)) if rows else (said,)
    return Section("environment", w("environment"), blocks)
