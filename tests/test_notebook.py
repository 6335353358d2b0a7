"""Studies and runs in a notebook's cell."""

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

import luthier
from luthier.api import StudyResult, open_study


@pytest.fixture
def study(tmp_path: Path) -> StudyResult:
    """Seven trials of a study whose texts are hostile."""
    asked = luthier.create(
        space={"<b>lr": luthier.Float(1e-4, 1.0, log=True),
               "kind": luthier.Choice("<script>", "&")},
        maximize="acc<i>", max_steps=3, trials=7, store=tmp_path / "s.db", name="s<u>",
        policy="random",
    )  # fmt: skip
    for number in range(7):
        task = asked.ask()
        assert task is not None
        for step in (1, 2, 3):
            value = math.nan if number == 0 else number + step / 10
            asked.report(task, step, **{"acc<i>": value})
        asked.tell(task)
    asked.close()
    return open_study(tmp_path / "s.db")


def parsed(html: str) -> ElementTree.Element:
    assert len(html) < 20_000
    return ElementTree.fromstring(html)


def texts(html: str) -> str:
    return " ".join(parsed(html).itertext())


def test_a_study_shows_counts_best_and_a_curve(study: StudyResult) -> None:
    html = study._repr_html_()
    assert "study s<u>: maximize acc<i>" in texts(html)
    assert "7 trials (7 completed)" in texts(html)
    assert "… and 2 more" in texts(html)
    rows = parsed(html).findall(".//tr")
    assert [cell.text for cell in rows[1]][:2] == ["6", "6.3"]
    assert parsed(html).find(".//{http://www.w3.org/2000/svg}path") is not None
    assert "<script>" not in html
    assert repr(study) == "<study 's<u>': 7 trials (7 completed); best acc<i> 6.3 in trial 6>"


def test_a_run_and_the_best(study: StudyResult) -> None:
    html = study.best._repr_html_()
    assert "best s<u>/6: completed at step 3" in texts(html)
    assert "best acc<i> 6.3 at step 3; 6.1 → 6.3" in texts(html)
    assert "<script>" not in html
    assert repr(study.best).startswith("<best s<u>/6: completed at step 3; best acc<i> 6.3; <b>lr=")
    hand = study.run(0)
    assert "nothing but NaN and infinities" in texts(hand._repr_html_())
    assert repr(hand).startswith("<run s<u>/0: completed")


def test_an_empty_study(tmp_path: Path) -> None:
    luthier.create(space={"x": luthier.Float(0, 1)}, minimize="loss", store=tmp_path / "e.db",
                   trials=1, name="e").close()  # fmt: skip
    empty = open_study(tmp_path / "e.db")
    assert repr(empty) == "<study 'e': 0 trials>"
    assert "no reports" in texts(empty._repr_html_())
