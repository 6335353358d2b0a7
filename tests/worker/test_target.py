from pathlib import Path

import pytest

from luthier.core.errors import DomainError, TargetError
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


def test_an_error_in_the_space_keeps_its_own_words_and_says_where_it_stands(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wrong.py"
    path.write_text("import luthier\n\nspace = {'lr': luthier.Float(1.0, 0.1)}\n")
    with pytest.raises(DomainError, match=r"^wrong\.py, line 3: low=1\.0, high=0\.1"):
        load_target(str(path))


def test_a_folder_is_no_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".", str(tmp_path)):
        with pytest.raises(TargetError, match="is a folder"):
            load_target(folder)


def test_a_package_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_package_to_tune").mkdir()
    (tmp_path / "a_package_to_tune" / "__init__.py").write_text(CODE.format(name="a"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(load_target("a_package_to_tune").space.domains) == ["a"]
