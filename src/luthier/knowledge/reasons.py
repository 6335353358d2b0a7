"""Why actions are taken and runs end: the codes of policies and guards, in words."""

REASONS = {  # code: English, Chinese
    "new-point": ("new point of the space", "空间中的新点"),
    "nothing-yet": ("has reported nothing yet", "尚无报告"),
    "promoted": ("promoted", "晋级"),
    "best-goes-on": ("the best goes on", "最好的继续"),
    "most-promising": ("most promising", "最有希望"),
    "less-promising": ("others look more promising", "其他训练更有希望"),
    "looks-poor": ("looks poor, may turn out well later", "看似较差：看它后来是否变好"),
    "may-surprise": ("chosen against the odds: may surprise", "模型不看好，但可能出人意料"),
    "default-first": ("the stated default leads: it goes on first", "给定的默认点领先，先训练到底"),
    "may-take-off": ("sits still, may take off late", "尚未起步，也许稍后会下降"),
    "prior-doubted": ("new point; a prior is doubted", "新的点；先验受到怀疑"),
    "early-deceives": ("new point; early losses deceive here", "新的点；此处早期损失不可信"),
    "outside-best": ("outside the best of its rung", "未进入本级前列"),
    "below-median": ("below the median", "低于中位数"),
    "slice-end": ("waits to go on", "等待继续"),
    "done": ("trained to the end", "训练到底"),
    "next-interval": ("next interval", "下一区间"),
    "replaced": ("replaced by a better one", "被更好的取代"),
    "exploit": ("copied from a better one", "从更好的复制"),
    "schedule": ("as the schedule says", "按计划"),
    "by-hand": ("by hand", "手动"),
    "on-the-page": ("on the page", "在网页上"),
    "tuner-lost": ("the tuner was lost", "失去调优器"),
    "checkpoint-damaged": ("checkpoint damaged", "检查点损坏"),
    "released": ("released", "解除保护"),
    "goes-on": ("goes on", "继续"),
    "retry": ("tried again", "重试"),
    "disk-limit": ("limit of the disk", "达到磁盘限额"),
    "disk-full": ("disk full", "磁盘已满"),
    "out-of-memory": ("out of memory", "内存不足"),
    "timeout": ("trained too long", "训练超时"),
    "killed": ("process killed", "进程被杀"),
    "exited": ("process ended", "进程退出"),
    "human": ("by a person", "由人决定"),
    "resumed": ("resumed", "恢复"),
    "budget-end": ("the budget is spent", "预算用完"),
    "interrupted": ("interrupted", "被中断"),
    "plateau": ("it no longer improves", "不再改进"),
    "share-end": ("its share of the budget is spent", "分到的预算用完"),
    "raised-on": ("it is raised on", "继续养育"),
    "only-looked": ("only measured", "仅作测量"),
}


def reason_words(reason: str, lang: str = "en") -> str:
    """The words for a code; what a person wrote stays."""
    words = REASONS.get(reason)
    return words[lang == "zh"] if words else reason
