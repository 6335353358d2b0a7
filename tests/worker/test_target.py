from pathlib import Path

from luthier.worker.target import load_target

CODE = """
import luthier

@luthier.tune(minimize="loss", space={{"{name}": luthier.Float(0, 1)}})
def train(run):
    run.report(loss=1)
"""


def test_two_scripts_of_one_name_are_two_scripts(tmp_path: Path) -> None:
    spaces = []
    for name in ("a", "b"):
        path = tmp_path / name / "train.py"
        path.parent.mkdir()
        path.write_text(CODE.format(name=name))
        first, second = load_target(str(path)), load_target(str(path))
        assert first is second
        spaces.append(list(first.space.domains))
    assert spaces == [["a"], ["b"]]
