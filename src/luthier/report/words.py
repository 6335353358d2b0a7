"""The words of a report in English and Chinese: `Words(lang)("key", name=value, …)`."""

from dataclasses import dataclass
from typing import final

from luthier.core.errors import OptionError

LANGUAGES = ("en", "zh")

_WORDS: dict[str, tuple[str, str]] = {
    # the page
    "title": ("Study {name}", "研究 {name}"),
    "subtitle": ("{goal} {metric} · begun {date} · {state} · Luthier {version}",
                 "{goal} {metric} · 开始于 {date} · {state} · Luthier {version}"),
    "minimize": ("minimize", "最小化"),
    "maximize": ("maximize", "最大化"),
    "open": ("not finished", "尚未结束"),
    "closed_finished": ("finished", "已完成"),
    "closed_failed": ("failed", "失败"),
    "closed_budget-end": ("the budget is spent", "预算用完"),
    "closed_imported from Optuna": ("imported from Optuna", "导入自 Optuna"),
    "nothing": ("No run has reported a number yet.", "还没有任何运行报告过数值。"),
    # cards
    "card_best": ("best {metric}", "最佳 {metric}"),
    "card_best_words": ("trial {trial}, step {step}", "试验 {trial}，第 {step} 步"),
    "card_sure": ("sure that it is the best", "它确为最佳的把握"),
    "card_sure_words": ("among {n} trials with a number", "在 {n} 个有数值的试验中"),
    "unknown": ("unknown", "未知"),
    "card_trials": ("trials", "试验"),
    "card_time": ("time of tuning", "调参用时"),
    "card_time_words": ("{time} of training", "训练 {time}"),
    "card_saved": ("steps saved by leaving early", "提前停止省下的步数"),
    "card_saved_words": ("of {n} in full", "若全部训练完为 {n} 步"),
    # question
    "question": ("Question", "问题"),
    "asked": ("Which point of this space gives the {end} {metric}?",
              "这个空间里的哪一点使 {metric} {end}？"),
    "lowest": ("lowest", "最低"),
    "highest": ("highest", "最高"),
    "full": ("A full training has {n} steps.", "一次完整训练为 {n} 步。"),
    "name": ("parameter", "参数"),
    "values": ("values", "取值"),
    "prior": ("prior (confidence)", "先验（信心）"),
    "tier": ("tier", "重要级"),
    "advised": ("recommended (tier)", "推荐取值（重要级）"),
    "remarks": ("remarks", "备注"),
    "fixed": ("{value} (fixed)", "{value}（固定）"),
    "log": ("{low} to {high}, logarithmic", "{low} 至 {high}，对数"),
    "linear": ("{low} to {high}", "{low} 至 {high}"),
    "stepped": ("{low} to {high}, step {step}", "{low} 至 {high}，步长 {step}"),
    "live": ("may change while training", "训练中可改"),
    "when": ("only when {condition}", "仅当 {condition}"),
    "in": ("{name} is {values}", "{name} 为 {values}"),
    "comma": (", ", "、"),
    "wrong_prior": (
        "The prior for {name} looks wrong: {stated}; {n} of the best {of} trials lie at "
        "{there}.",
        "{name} 的先验看来不对：{stated}；最好的 {of} 个试验中有 {n} 个位于 {there}。"),
    "wrong_range": (
        "The range for {name} looks too narrow: it ends at {stated}; {n} of the best {of} "
        "trials lie at {there}.",
        "{name} 的范围看来太窄：止于 {stated}；最好的 {of} 个试验中有 {n} 个位于 {there}。"),
    "low": ("low", "低"),
    "medium": ("medium", "中"),
    "high": ("high", "高"),
    "advised_words": (
        "Recommended: the hull of what the knowledge base has for training from scratch"
        "{optimizer}, whatever the network; luthier explain NAME has each case with its source. "
        "Tier 1 is to be tuned first.",
        "推荐取值：知识库中从头训练{optimizer}、不限网络类型的各范围之并；"
        "luthier explain 参数名 给出各种情形及出处。重要级 1 应最先调。"),
    "with_optimizer": (" with {name}", "（{name}）"),
    "constraints": ("Constraints: {rules}.", "约束：{rules}。"),
    # budget
    "budget": ("Budget and what was spent", "预算与花费"),
    "given": ("budget", "预算"),
    "spent": ("spent", "花费"),
    "budget_time": ("time of tuning", "调参时间"),
    "budget_trials": ("trials", "试验数"),
    "budget_steps": ("training steps, all runs together", "训练步数（全部运行合计）"),
    "budget_train": ("time of training, all runs together", "训练时间（全部运行合计）"),
    "no_limit": ("no limit", "不限"),
    "how": ("Searched by {policy}; workers: {workers}.",
            "搜索策略 {policy}；工作进程 {workers} 个。"),
    "ended": ("Ended: {why}.", "结束原因：{why}。"),
    "states": ("How the trials stand: {states}.", "各试验状态：{states}。"),
    # best
    "best": ("The best trial", "最佳试验"),
    "best_words": ("Trial {trial} (run {run}): {metric} {value} at step {step} of {of}.",
                   "试验 {trial}（运行 {run}）：{metric} 为 {value}，"
                   "在第 {step} 步（共 {of} 步）。"),
    "second_words": ("The runner-up, trial {trial}, came to {value}; the difference is {gap}.",
                     "第二名为试验 {trial}，达到 {value}，相差 {gap}。"),
    "no_second": ("There is no other trial with a number to compare it with.",
                  "没有其他有数值的试验可比。"),
    "sure_words": ("The chance that it is the best of the {n} trials that have a number is {p}.",
                   "在 {n} 个有数值的试验中，它确为最佳的概率为 {p}。"),
    "noise_repeats": ("The noise of one training is {noise}, from repeats of the same points with "
                      "other seeds.",
                      "单次训练的噪声为 {noise}，由同一点以其他种子重复训练得出。"),
    "noise_reports": (
        "The noise of one report is {noise}. What another seed would change is not in it: too few "
        "points were trained twice. To know more, repeat the first two: {command}",
        "单次报告的噪声为 {noise}。换种子带来的变化不在其中：重复训练过的点太少。"
        "想知道更多，可重复前两名：{command}"),
    "noise_unknown": (
        "How sure that is cannot be told: the curves are too short, or too coarse, to see their "
        "noise. Repeat the first two: {command}",
        "把握有多大无从得知：曲线太短或太粗，看不出噪声。可重复前两名：{command}"),
    "sure_method": (
        "Method: the value of a run is the mean of the reports at its best step and beside it; its "
        "error comes from that noise; values are drawn towards their common mean by as much as "
        "noise explains of their spread, because the best of many looks better than it is; the "
        "chance is the share of {n} draws in which this run stays ahead. Runs that were left early "
        "count as far as they came.",
        "方法：运行的取值为其最佳步及相邻报告的平均，误差来自上述噪声；"
        "因为众多之中的最佳总显得偏好，各值按噪声在其离散中的占比向共同均值收缩；"
        "概率为 {n} 次抽样中该运行保持领先的比例。提前停止的运行按其所到之处计。"),
    "curve_best": ("{metric} of the best trial and the runner-up", "最佳试验与第二名的 {metric}"),
    "best_values": ("Its parameters at that step; {names} changed later, see below.",
                    "当时的参数；{names} 此后有改动，见下文。"),
    "curve_alone": ("{metric} of the best trial; dotted lines are changes, by their number below.",
                    "最佳试验的 {metric}；点线为改动，编号见下文。"),
    "head_params": ("parameters", "参数"),
    "curve_other": ("{metric} of the best trial", "最佳试验的 {metric}"),
    "trial": ("trial {n}", "试验 {n}"),
    "step": ("step", "步"),
    # curves
    "curves": ("All trials", "全部试验"),
    "all_curves": ("{metric} of {shown} of {n} trials. Ends that lie far off are cut.",
                   "{n} 个试验中 {shown} 个的 {metric}。偏离太远的部分被截去。"),
    "others": ("others", "其他"),
    "leading": ("best tenth", "前十分之一"),
    "failed": ("failed", "失败"),
    "table_trials": ("The first {shown} of {n} trials.", "{n} 个试验中的前 {shown} 个。"),
    "table_probes": ("Probes of the autopilot, {shown} of {n}: short trainings at other values, "
                     "of which the best went on. They are no rivals.",
                     "自动驾驶的探测，{n} 个中的 {shown} 个：在其他取值上的短训练，"
                     "最好的一个继续训练。它们不参与比较。"),
    "head_trial": ("trial", "试验"),
    "head_at": ("at step", "所在步"),
    "head_steps": ("steps", "步数"),
    "head_state": ("state", "状态"),
    "state_pending": ("pending", "等待"),
    "state_running": ("running", "运行中"),
    "state_paused": ("paused", "暂停"),
    "state_completed": ("completed", "完成"),
    "state_stopped": ("stopped", "停止"),
    "state_failed": ("failed", "失败"),
    "state_lost": ("lost", "丢失"),
    "errors": ("Errors of runs that failed:", "失败运行的错误："),
    # importance
    "importance": ("Which parameters matter", "哪些参数重要"),
    "importance_words": (
        "Share of the variance of {metric} that goes when the parameter is known, interactions "
        "included, with its standard error. Shares may add up to more than 1.",
        "已知该参数后 {metric} 方差减少的份额（含交互），附标准误差。各份额之和可以大于 1。"),
    "importance_method": (
        "Method: total effect on a random forest of normal scores, error by bootstrap.",
        "方法：正态得分随机森林上的总效应，用自助法估计误差。"),
    "importance_few": (
        "Nothing is said about {n} trials with reports: at least {least} are needed.",
        "仅 {n} 个有报告的试验，不足以判断：至少需要 {least} 个。"),
    "importance_caption": ("{metric} by {name}; the best trial in orange.",
                           "{metric} 与 {name}；橙色为最佳试验。"),
    # stopping
    "stopping": ("What was left early, and what that saved", "提前停止与节省"),
    "stop_none": ("No run was left before its last step.", "没有运行被提前停止。"),
    "stop_words": (
        "Left before step {full}: {n}; trained to the end: {finished}. Training all "
        "of them to the end would have taken {saved} more steps, {share} of {all}, about {time}.",
        "{n} 个运行在第 {full} 步之前停止，{finished} 个训练到底。若全部训练到底，"
        "还需 {saved} 步（共 {all} 步的 {share}），约 {time}。"),
    "stop_cost": (
        "The chance that one of them would have beaten the best is {p}; training them all would "
        "be expected to gain {missed} in {metric} (in one case of ten at least {missed_90}).",
        "其中有运行会超过最佳者的概率为 {p}；若都训练到底，{metric} 预期改善 {missed}"
        "（十次中有一次至少 {missed_90}）。"),
    "stop_unknown": (
        "What it may have cost cannot be told: that needs {least} runs trained to the end, not "
        "{finished}.",
        "可能的代价无从得知：只有 {finished} 个运行训练到底，需要 {least} 个。"),
    "stop_silent": (
        "What it may have cost cannot be told: what was left had reported nothing.",
        "可能的代价无从得知：停止的运行尚无报告。"),
    "stop_table": ("Most likely to have been better:", "最可能更好的："),
    "head_left": ("left at step", "停于步"),
    "head_recorded": ("chance then", "当时概率"),
    "head_now": ("chance now", "现在概率"),
    "head_reason": ("reason", "原因"),
    # diary
    "diary": ("Changes while training", "训练中的改动"),
    "diary_none": ("No run was changed while it trained.", "没有运行在训练中被改动。"),
    "diary_counts": ("Actions in all: {counts}.", "动作合计：{counts}。"),
    "diary_more": ("The newest {shown} of {n}; luthier diary RUN shows all.",
                   "共 {n} 条，此处为最新 {shown} 条；luthier diary 运行 可看全部。"),
    "head_number": ("#", "#"),
    "head_run": ("run", "运行"),
    "head_step": ("step", "步"),
    "head_who": ("who", "谁"),
    "head_what": ("what", "做了什么"),
    "head_why": ("why", "为何"),
    "head_came": ("came of it", "结果"),
    "refused": ("refused: {why}", "被拒绝：{why}"),
    "asked_only": ("not answered", "未答复"),
    "helped": ("helped", "有益"),
    "hurt": ("hurt", "有害"),
    "could not tell": ("could not tell", "看不出"),
    "too early": ("too early to tell", "为时过早"),
    "verdict": ("{outcome}: {metric} {observed} against {expected} expected{error}",
                "{outcome}：{metric} {observed}，预期 {expected}{error}"),
    "diary_method": (
        "The verdict compares the reports after a change with the forecast from before it; two "
        "standard errors count as a difference.",
        "判定方法：把改动后的报告与改动前的预测相比，相差两个标准误差才算有别。"),
    # findings
    "findings": ("What was found before the start", "开始前的检查"),
    "lint_recorded": ("As recorded when the study was created.", "为创建研究时的记录。"),
    "lint_again": ("Nothing was recorded; this is what the script as it is today gives.",
                   "当时没有记录；以下为脚本现状的检查结果。"),
    "lint_none": ("Nothing was found.", "没有发现问题。"),
    "lint_no_script": (
        "Nothing was recorded, and the script is not there to be looked at again.",
        "当时没有记录，脚本也不在，无法重新检查。"),
    "lint_failed": ("Nothing was recorded, and the script could not be looked at again: {why}",
                    "当时没有记录，重新检查脚本也未成功：{why}"),
    "head_severity": ("severity", "程度"),
    "head_rule": ("rule", "规则"),
    "head_where": ("where", "位置"),
    "head_found": ("found", "发现"),
    "error": ("error", "错误"),
    "warning": ("warning", "警告"),
    "info": ("note", "提示"),
    # remake
    "remake": ("How to repeat it", "如何重现"),
    "remake_study": ("The whole study, in the folder of the script:",
                     "整个研究（在脚本所在目录）："),
    "remake_options": (
        "The policy had options that the command line does not take; from Python: "
        "policy=luthier.registry.from_recipe(…) with",
        "策略带有命令行没有的选项；可在 Python 中用 "
        "policy=luthier.registry.from_recipe(…)，其内容为"),
    "remake_hand": ("The study was trained by a loop of its own; there is no command for it.",
                    "该研究由用户自己的循环训练，没有对应的命令。"),
    "remake_from": ("It was imported from {tool}, study {name}.", "导入自 {tool} 的研究 {name}。"),
    "remake_best": ("The best trial once more, with the same seed, and its checkpoint:",
                    "以相同种子重训最佳试验，并取出其检查点："),
    "remake_params": ("Its parameters:", "其参数："),
    "seeds": ("Seed of the study: {study}; of the best trial: {trial}. With one worker the same "
              "seed gives the same search; with several, what finishes first decides.",
              "研究的种子：{study}；最佳试验的种子：{trial}。单工作进程时相同种子给出相同搜索；"
              "多个时取决于谁先完成。"),
    "environment": ("Environment", "环境"),
    "environment_words": ("Where the study was created.", "创建研究时的环境。"),
    "environment_none": ("Not recorded.", "没有记录。"),
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Words:
    """The words in one language; OptionError for one that is not known."""

    lang: str

    def __post_init__(self) -> None:
        if self.lang not in LANGUAGES:
            raise OptionError(f"lang={self.lang!r}; expected one of {LANGUAGES}.")

    def __call__(self, key: str, **values: object) -> str:
        """The text of that name with the values put in."""
        text = _WORDS[key][LANGUAGES.index(self.lang)]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        """Whether there are words of that name."""
        return key in _WORDS
