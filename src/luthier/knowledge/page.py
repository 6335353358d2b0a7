"""An entry as it is read: titled texts and tables, for the terminal and for the docs alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.knowledge.entry import LANGUAGES, Entry, check_language, find, load, of_section
from luthier.knowledge.hyperparameter import Hyperparameter, Range, hyperparameters

# fields of the texts in the order in which they are read; others follow under their own name
_FIELDS = {
    "what": ("", ""),
    "effect": ("Effect on capacity", "对有效容量的影响"),
    "reason": ("Reason", "原因"),
    "why": ("Why", "为什么"),
    "caution": ("Mind", "注意"),
    "chapter": ("The chapter", "书中"),
    "today": ("Today", "今天"),
    "causes": ("Causes", "原因"),
    "fix": ("What to do", "怎么办"),
}
TEMPLATE = "found"  # a rule's sentence about one place: says nothing before it is filled
_WORDS = {
    "en": {
        "place": "Place",
        "ranges": "Ranges",
        "members": "Entries",
        "see": "See also",
        "sources": "Sources",
        "facts": "Facts",
        "aliases": "Also called",
        "columns": ("view", "for", "range", "prior", "source"),
        "any": "any",
        "chapter": "chapter",
        "modern": "today",
        "log": "log scale",
        "linear": "linear scale",
        "live": "may change during training",
        "fixed": "fixed during training",
        "tier": "tier {} of 3, place {} in importance",
        "last": "tuned last",
        "seed": "never searched",
        "batch": "at batch {}, grows {}",
    },
    "zh": {
        "place": "位置",
        "ranges": "范围",
        "members": "条目",
        "see": "参见",
        "sources": "来源",
        "facts": "数据",
        "aliases": "又称",
        "columns": ("观点", "适用", "范围", "先验", "来源"),
        "any": "任意",
        "chapter": "书中",
        "modern": "今天",
        "log": "对数尺度",
        "linear": "线性尺度",
        "live": "训练中可更改",
        "fixed": "训练中不变",
        "tier": "共 3 层级中的第 {} 层级，重要性第 {} 位",
        "last": "最后调整",
        "seed": "不应搜索",
        "batch": "批量 {} 时的值，按 {} 增长",
    },
}
_ZH = {
    "network": "网络参数",
    "optimization": "优化参数",
    "regularization": "正则化",
    "scratch": "从头训练",
    "fine-tuning": "微调",
    "linear": "线性",
    "sqrt": "平方根",
    "low": "低",
    "medium": "中",
    "high": "高",
}
_EN = {"linear": "in proportion", "sqrt": "with the root"}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Part:
    """A heading with text below it, or with a table."""

    heading: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def parts(entry: Entry, lang: str) -> list[Part]:
    """What stands on an entry's page, from the top down; the first has the title as heading."""
    words, texts = _WORDS[lang], dict(entry.texts[lang])
    column = LANGUAGES.index(lang)
    title = texts.pop("title", entry.name)
    texts.pop(TEMPLATE, None)
    found = [Part(f"{entry.id}  {title}", texts.pop("what", ""))]
    made = hyperparameters().get(entry.id)
    if made is not None:
        found.append(Part(str(words["place"]), _place(made, lang)))
    for field, headings in _FIELDS.items():
        if field in texts:
            found.append(Part(headings[column], texts.pop(field)))
    found += [Part(field.capitalize(), text) for field, text in texts.items()]
    if made is not None and made.ranges:
        rows = tuple(_row(one, made, lang) for one in made.ranges)
        found.append(Part(str(words["ranges"]), columns=tuple(words["columns"]), rows=rows))
    elif entry.facts and made is None:
        facts = "; ".join(f"{name} {_fact(value)}" for name, value in entry.facts.items())
        found.append(Part(str(words["facts"]), facts))
    if members := [e for e in of_section(entry.id) if e.id != entry.id]:
        found.append(Part(str(words["members"]), _titles(members, lang)))
    if entry.aliases:
        found.append(Part(str(words["aliases"]), ", ".join(entry.aliases)))
    if entry.see:
        known = load()
        there = [known[word] for word in entry.see if word in known]
        if text := _titles(there, lang):
            found.append(Part(str(words["see"]), text))
    if entry.sources:
        found.append(Part(str(words["sources"]), "; ".join(entry.sources)))
    return found


def explain(word: str, lang: str = "en") -> str:
    """An entry as plain text; UnknownNameError names the nearest entries."""
    check_language(lang)
    lines: list[str] = []
    for number, part in enumerate(parts(find(word), lang)):
        if part.columns:
            lines += [f"{part.heading}:", *("  " + "  ".join(filter(None, r)) for r in part.rows)]
        elif number == 0:
            lines += [part.heading, part.text]
        else:
            lines.append(f"{part.heading}: {part.text}" if part.heading else part.text)
    return "\n\n".join(lines)


def markdown(entry: Entry, lang: str, level: int = 3) -> str:
    """An entry as Markdown under a heading of that level."""
    lines: list[str] = []
    for number, part in enumerate(parts(entry, lang)):
        if number == 0:
            lines += [f"{'#' * level} {part.heading.replace('  ', ' · ', 1)}", part.text]
        elif part.columns:
            table = [part.columns, tuple("---" for _ in part.columns), *part.rows]
            lines += [f"**{part.heading}.**", "\n".join("| " + " | ".join(r) + " |" for r in table)]
        else:
            lines.append(f"**{part.heading}.**{_listed(part.text)}")
    return "\n\n".join(lines)


def _listed(text: str) -> str:
    """Several lines are a list."""
    lines = text.strip().splitlines()
    return f" {text}" if len(lines) < 2 else "\n\n" + "\n".join(f"- {line}" for line in lines)


def everything() -> str:
    """All entries on one Markdown page, English and Chinese under each other."""
    kinds: dict[str, list[Entry]] = {}
    for entry in [*(one.entry for one in hyperparameters().values()), *load().values()]:
        if entry not in kinds.setdefault(entry.kind, []):
            kinds[entry.kind].append(entry)
    blocks = [
        "# Knowledge",
        "Written by `luthier explain --all`: every entry, in English and in Chinese (中文). "
        "`luthier explain ID` shows one of them.",
    ]
    for kind in sorted(kinds, key=lambda kind: (kind != "hyperparameter", kind != "concept", kind)):
        blocks.append(f"## {kind.capitalize()}")
        blocks += ["\n\n".join(_both(entry)) for entry in kinds[kind]]
    return "\n\n".join(blocks) + "\n"


def _both(entry: Entry) -> list[str]:
    chinese = markdown(entry, "zh", level=4)
    kept = [block for block in chinese.split("\n\n") if not block.startswith("|")]
    dropped = tuple(f"**{_WORDS['zh'][word]}" for word in ("sources", "aliases", "ranges", "see"))
    return [markdown(entry, "en"), *(b for b in kept if not b.startswith(dropped))]


def range_words(one: Range, scale: str) -> str:
    """The values of a range, and how they are spread."""
    if one.options:
        return ", ".join(map(_fact, one.options))
    words = f"{_number(one.low)} … {_number(one.high)}"
    return f"{words} (log)" if (one.scale or scale) == "log" else words


def _row(one: Range, of: Hyperparameter, lang: str) -> tuple[str, ...]:
    words = _WORDS[lang]
    cases = (", ".join(one.optimizer), ", ".join(one.family), _said(one.setting, lang))
    prior = "" if one.prior is None else f"{_fact(one.prior)} ({_said(one.confidence, lang)})"
    source = one.source
    if one.batch_size is not None:
        rule = _said(one.batch_rule, lang)
        source += f"; {str(words['batch']).format(one.batch_size, rule)}"
    return (
        str(words[one.view]),
        "; ".join(filter(None, cases)) or str(words["any"]),
        range_words(one, of.scale),
        prior,
        source,
    )


def _place(of: Hyperparameter, lang: str) -> str:
    words = _WORDS[lang]
    said = [_said(of.category, lang), str(words["tier"]).format(of.tier, of.order)]
    if not of.searchable:
        return "; ".join([said[0], str(words["seed"])])
    said += [str(words["last"])] * of.last
    said += [str(words[of.scale])] * (of.domain != "choice")
    said.append(str(words["live" if of.live else "fixed"]))
    return "; ".join(said)


def _said(word: str, lang: str) -> str:
    return (_ZH if lang == "zh" else _EN).get(word, word)


def _titles(entries: Sequence[Entry], lang: str) -> str:
    return "; ".join(f"{entry.id} ({entry.title(lang)})" for entry in entries)


def _fact(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_fact, value))
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
