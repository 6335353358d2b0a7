"""What is said of studies in words."""

from pathlib import Path

from luthier import Choice, tune
from luthier.api import StudyResult
from luthier.cli.look import end_words, where_of
from luthier.worker.run import LiveRun


@tune(minimize="loss", max_steps=2, space={"a": Choice(1, 2), "b": Choice("x", "y")})
def train(run: LiveRun) -> None:
    for step in run.steps():
        if run.params.a == 2:
            raise ValueError("two")
        run.report(loss=run.params.a / step)


def test_the_end_says_why_it_came_and_what_failed(tmp_path: Path) -> None:
    path = tmp_path / "my store.db"
    result = train.search(trials=8, store=path, executor="inline", name="a b")
    words = end_words(result, str(path), as_json=False)
    assert f"2 trials failed; see luthier show 'a b/{_failed(result)}' --store '{path}'" in words
    assert words.endswith("ended after 4 of 8 trials: the policy had no other point to begin")
    fewer = train.search(trials=3, store=path, executor="inline")
    assert "ended after" not in end_words(fewer, str(path), as_json=False)


def _failed(result: StudyResult) -> int:
    return next(run.trial for run in result.view.runs.values() if run.state.value == "failed")


def test_the_usual_store_needs_no_option() -> None:
    assert where_of("luthier.db") == ""
    assert where_of("a b.db") == " --store 'a b.db'"
