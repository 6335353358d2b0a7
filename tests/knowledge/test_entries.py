import re
from pathlib import Path
from typing import Any

import pytest

from luthier.core import errors
from luthier.core.errors import KnowledgeError, LuthierError, OptionError, UnknownNameError
from luthier.knowledge import LANGUAGES, explain, find, load
from luthier.knowledge.entry import index, parse, plain
from luthier.knowledge.hyperparameter import hyperparameters, known, make
from luthier.knowledge.page import TEMPLATE, everything

DOCS = Path(__file__).parent.parent.parent / "docs"

# Every section of the chapter, and every row of its tables and named point of its text.
SECTIONS = {
    "14.1": "14.1", "14.2": "14.2", "14.2b": "hyperparameter_categories", "14.3": "14.3",
    "14.4": "14.4", "14.5": "14.5", "14.6": "14.6", "14.7": "14.7", "14.8": "14.8",
    "14.9": "14.9", "14.10": "14.10", "14.11": "14.11", "14.12": "14.12",
}  # fmt: skip
ROWS = {
    "14.2/parameter": "14.2", "14.2/hyperparameter": "14.2",
    "14.2/network": "hyperparameter_categories", "14.2/network/connection": "connection",
    "14.2/network/n-kernels": "width", "14.2/network/kernel-size": "kernel_size",
    "14.2/network/depth": "depth", "14.2/network/activation": "activation",
    "14.2/optimization": "optimizer", "14.2/regularization": "hyperparameter_categories",
    "14.4/learning-rate": "learning_rate", "14.4/loss/auxiliary": "loss_weight",
    "14.4/loss/multi-task": "task_weight", "14.4/loss/focal": "focal_loss",
    "14.4/loss/focal/gamma": "focal_gamma", "14.4/loss/focal/alpha": "focal_alpha",
    "14.4/batch-size": "batch_size", "14.4/batch-size/batchnorm": "normalization",
    "14.4/momentum": "momentum", "14.4/adam/beta1": "beta1", "14.4/adam/beta2": "beta2",
    "14.4/adam/epsilon": "adam_epsilon", "14.4/weight-decay": "weight_decay",
    "14.4/dropout": "dropout", "14.4/dropout/recurrent": "dropout_recurrent",
    "14.4/dropout/batchnorm": "dropout_batchnorm", "14.4/network": "depth",
    "14.5/learning-rate": "learning_rate", "14.5/learning-rate/schedule": "schedule",
    "14.5/loss": "loss_weight", "14.5/batch-size": "batch_size",
    "14.5/batch-size/n-pair": "npair_loss", "14.5/dropout": "dropout",
    "14.5/weight-decay": "weight_decay", "14.5/momentum": "momentum", "14.5/depth": "depth",
    "14.5/kernel-size": "kernel_size",
    "14.6/learning-rate": "learning_rate", "14.6/learning-rate/fine-tuning": "learning_rate",
    **{f"14.6/learning-rate/{name}": "learning_rate" for name in (
        "sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam", "adamax", "nadam")},
    "14.6/loss": "loss_weight", "14.6/batch-size": "batch_size", "14.6/dropout": "dropout",
    "14.6/weight-decay": "weight_decay", "14.6/kernel-size": "kernel_size",
    "14.7/center": "14.7", "14.7/padding": "14.7",
    "14.8/convolution": "sharing_convolution", "14.8/backbone": "sharing_backbone",
    "14.8/recursive": "sharing_recursive", "14.8/benefits": "14.8",
    **{f"14.9/K{n}": f"K{n}" for n in range(1, 10)},
    **{f"14.10/R{n}": f"R{n}" for n in range(1, 8)},
    "14.11/linear-probe": "linear_probe", "14.11/full": "full_fine_tuning",
    "14.11/lp-ft": "lp_ft", "14.11/gradual": "gradual_unfreezing",
    "14.11/discriminative": "discriminative", "14.11/layer-wise-decay": "layer_wise_decay",
    "14.11/surgical": "surgical", "14.11/bitfit": "bitfit", "14.11/norm-only": "norm_only",
    "14.11/bn-freezing": "bn_freezing", "14.11/lora": "lora", "14.11/adapters": "adapters",
    "14.11/weight-soup": "weight_soup",
    "14.12/panda": "panda", "14.12/caviar": "caviar", "14.12/choice": "14.12",
}  # fmt: skip


def codes() -> list[str]:
    classes: list[Any] = [c for c in vars(errors).values() if isinstance(c, type)]
    return [c.code for c in classes if issubclass(c, LuthierError)]


def test_every_error_has_one_entry_and_every_entry_an_error() -> None:
    assert sorted(codes()) == sorted(e.id for e in load().values() if e.kind == "error")
    assert len(set(codes())) == len(codes())


@pytest.mark.parametrize(("place", "id_"), [*SECTIONS.items(), *ROWS.items()])
def test_every_section_and_row_of_the_chapter_opens_its_entry(place: str, id_: str) -> None:
    assert find(place).id == id_


def test_no_row_of_an_entry_is_unlisted() -> None:
    rows = [row for entry in load().values() for row in entry.rows]
    assert len(rows) == len(set(rows))
    assert {row for row in rows if row not in ROWS} == {"14.4/optimizer-parameters"}


def test_both_languages_say_every_text() -> None:
    for entry in load().values():
        assert entry.texts["en"].keys() == entry.texts["zh"].keys()
        assert any("\u4e00" <= c <= "\u9fff" for c in "".join(entry.texts["zh"].values())), entry.id
        for field, text in entry.texts["en"].items():
            assert not re.search("[\u4e00-\u9fff]", text), (entry.id, field)
            # a number in one language stands in the other too
            numbers = [set(re.findall(r"\d+\.\d+", entry.texts[lang][field])) for lang in LANGUAGES]
            assert numbers[0] == numbers[1], (entry.id, field, numbers)


def test_every_name_opens_one_entry() -> None:
    """An alias belongs to one entry; an id or a name is no other entry's alias."""
    of: dict[str, str] = {}
    for entry in load().values():
        if entry.kind not in ("hyperparameter", "concept"):
            continue
        for word in {plain(w) for w in (entry.id, entry.name, *entry.aliases)}:
            assert of.setdefault(word, entry.id) == entry.id, (word, entry.id, of[word])
            assert find(word).id == entry.id
    for word, id_ in index().items():
        assert find(word.upper().replace("_", "-")).id == id_


def test_references_lead_somewhere() -> None:
    for entry in load().values():
        for word in entry.see:
            # rules and diagnoses have files of their own
            assert word in load() or re.fullmatch(r"L\d\d|D\d\d", word), (entry.id, word)
        assert entry.sources or entry.kind not in ("hyperparameter", "concept"), entry.id


def test_ranges_are_sane() -> None:
    for one in hyperparameters().values():
        assert one.ranges or not one.searchable
        for r in one.ranges:
            assert r.source
            assert (r.low or 0.0) >= 0
            assert (r.high or 0.0) <= 1024
        # nothing that fits a case equally well: the choice would hang on the order in the file
        for view in ("chapter", "modern"):
            keys = [(r.optimizer, r.family, r.setting) for r in one.ranges if r.view == view]
            assert len(keys) == len(set(keys)), (one.id, view)
    lr = hyperparameters()["learning_rate"]
    for optimizer, interval in {"sgd": (1e-2, 1e-1), "momentum": (1e-3, 1e-2),
                                "adagrad": (1e-3, 1e-2), "adadelta": (1e-2, 1e-1),
                                "rmsprop": (1e-3, 1e-2), "adam": (1e-3, 1e-2),
                                "adamax": (1e-3, 1e-2), "nadam": (1e-3, 1e-2)}.items():  # fmt: skip
        scratch = lr.range("chapter", optimizer, "cnn", "scratch")
        tuned = lr.range("chapter", optimizer, "cnn", "fine-tuning")
        assert scratch is not None
        assert (scratch.low, scratch.high) == interval
        assert tuned is not None
        assert tuned.low == pytest.approx(interval[0] / 100)
        assert tuned.high == pytest.approx(interval[1] / 10)


def test_importance_follows_the_chapter() -> None:
    tiers = {name: hyperparameters()[name].tier for name in (
        "learning_rate", "loss_weight", "focal_gamma", "batch_size", "momentum", "beta1", "beta2",
        "adam_epsilon", "weight_decay", "dropout", "depth", "kernel_size", "width")}  # fmt: skip
    assert [n for n, t in tiers.items() if t == 1] == [
        "learning_rate",
        "loss_weight",
        "focal_gamma",
    ]
    assert [n for n, t in tiers.items() if t == 2] == ["batch_size", "momentum"]
    assert next(iter(hyperparameters())) == "learning_rate"
    assert [one.id for one in hyperparameters().values() if one.last] == ["depth"]


def test_names_people_use() -> None:
    for name, id_ in {"lr": "learning_rate", "LR": "learning_rate", "wd": "weight_decay",
                      "batch-size": "batch_size", "学习率": "learning_rate", "eps": "adam_epsilon",
                      "n_layers": "depth", "lora_r": "lora_rank"}.items():  # fmt: skip
        found = known(name)
        assert found is not None
        assert found.id == id_
    assert known("no such thing") is None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_entry_is_explained(lang: str) -> None:
    for entry in load().values():
        text = explain(entry.id, lang)
        for field, said in entry.texts[lang].items():
            assert (said in text) == (field != TEMPLATE)


def test_unknown_word_and_language() -> None:
    with pytest.raises(UnknownNameError, match="E101"):
        explain("E111")
    with pytest.raises(UnknownNameError, match="dropout"):
        explain("drpout")
    with pytest.raises(UnknownNameError, match="hyperparameter"):
        explain("qqqqqqq")
    with pytest.raises(OptionError, match="fr"):
        explain("E101", "fr")


GOOD = '[X1]\nname = "x"\nen.what = "a"\nzh.what = "甲"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[X1", "no TOML"),
        ("x = 1", "expected a table"),
        ('[X1]\nname = "x"\nen.what = "a"', "'zh'"),
        (GOOD + 'en.fix = "b"', "fix"),
        (GOOD + "en.fix = 1\nzh.fix = 1", "expected a text"),
        (GOOD + "see = 3", "list of texts"),
    ],
)
def test_files_that_break_the_schema(text: str, said: str) -> None:
    with pytest.raises(KnowledgeError, match=said):
        parse(text, "x.toml")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "ranges"),
        ('ranges = [{view="old", low=0, high=1, source="s"}]', "view"),
        ('ranges = [{view="modern", low=2, high=1, source="s"}]', "low < high"),
        ('ranges = [{view="modern", low=0, high=1, prior=2, source="s"}]', "prior"),
        ('scale = "log"\nranges = [{view="modern", low=0, high=1, source="s"}]', "log scale"),
        ('ranges = [{view="modern", options=[1, 2], prior=3, source="s"}]', "none of"),
        ('ranges = [{view="modern", source="s"}]', "options"),
        ('ranges = [{view="modern", low=0, high=1}]', "source"),
        ('ranges = [{view="modern", low=0, high=1, source="s", optimizer=["x"]}]', "optimizer"),
        ("colour = 1\nranges = []", "colour"),
        ("tier = 4\nranges = []", "tier"),
    ],
)
def test_hyperparameters_that_break_the_schema(more: str, said: str) -> None:
    base = GOOD + 'category = "network"\norder = 1\ndomain = "float"\n'
    text = base + ("" if "tier" in more else "tier = 1\n") + more
    with pytest.raises(KnowledgeError, match=said):
        make(parse(text, "hyperparameter-x.toml")["X1"])


def test_the_page_in_the_docs_is_up_to_date() -> None:
    """Write it again with: luthier explain --all > docs/knowledge.md."""
    assert (DOCS / "knowledge.md").read_text(encoding="utf-8") == everything()


def test_the_map_of_the_chapter_has_every_row_and_leads_somewhere() -> None:
    lines = (DOCS / "chapter.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if "|" in line]
    table = {row[0]: row[1:] for row in cells if re.match(r"14\.\d", row[0])}
    assert table.keys() == SECTIONS.keys() | ROWS.keys()
    source = DOCS.parent / "src" / "luthier"
    for place, (entry, became, code, rules, diagnoses) in table.items():
        assert find(place).id == entry == {**SECTIONS, **ROWS}[place]
        assert len(became) > 5, place
        assert re.fullmatch(r"–|L\d\d(, L\d\d)*", rules), place
        assert re.fullmatch(r"–|D\d\d(, D\d\d)*", diagnoses), place
        for word in re.findall(r"[LD]\d\d", f"{rules} {diagnoses}"):
            kinds = {entry.kind for entry in load().values()}
            if {"L": "lint", "D": "diagnosis"}[word[0]] in kinds:
                find(word)
        for path in re.findall(r"[\w/-]+\.(?:py|toml)", code):
            there = source / path, DOCS.parent / path, source / "knowledge" / "data" / path
            assert any(p.exists() for p in there), (place, path)
        for word in re.findall(r"`luthier explain ([\w.-]+)`", became):
            find(word)
        for name in re.findall(r"include=\[\"(\w+)\"\]", became):
            assert known(name), (place, name)
