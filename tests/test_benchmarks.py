"""What a benchmark or an example imports is there: neither is run by the tests.

Peers run in environments of their own and may import Luthier nowhere, numpy alone at their head,
and inside of functions what `search_venvs.py` says their environment has, all of it.
"""

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted([*BENCHMARKS.glob("*.py"), *(ROOT / "examples").glob("*.py")])
PEERS = sorted((BENCHMARKS / "peers").glob("*.py"))


@pytest.mark.parametrize("script", [*SCRIPTS, *PEERS], ids=lambda path: path.name)
def test_imports_from_luthier_resolve(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("luthier"):
            continue
        module = importlib.import_module(node.module or "")
        for alias in node.names:
            if not hasattr(module, alias.name):  # a submodule, then
                importlib.import_module(f"{node.module}.{alias.name}")


@pytest.mark.parametrize("script", [*SCRIPTS, *PEERS], ids=lambda path: path.name)
def test_imports_from_beside_resolve(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text())):
        beside = script.parent / f"{str(getattr(node, 'module', '')).replace('.', '/')}.py"
        if isinstance(node, ast.ImportFrom) and beside.exists():
            defined = _defined(beside)
            assert {alias.name for alias in node.names} <= defined, f"{script.name}: {node.module}"


@pytest.mark.parametrize("script", PEERS, ids=lambda path: path.name)
def test_a_peer_imports_what_its_environment_has(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    venvs = importlib.import_module("search_venvs").VENVS
    tree = ast.parse(script.read_text())
    common = {*sys.stdlib_module_names, "numpy", *(path.stem for path in PEERS)}
    head = {name.partition(".")[0] for node in tree.body for name in _imported(node)}
    assert head <= common
    foreign = {n.partition(".")[0] for node in ast.walk(tree) for n in _imported(node)} - common
    said = {name for venv in venvs.values() if venv.script == script.name for name in venv.imports}
    assert foreign == said
    for node in ast.walk(tree):  # Optuna is here, for the tests of Luthier's own adapter
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("optuna"):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_every_peer_has_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    venvs = importlib.import_module("search_venvs").VENVS
    scripts = {path.name for path in PEERS if path.stem.endswith("_peer")}
    assert {venv.script for venv in venvs.values()} == scripts


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""


def _defined(path: Path) -> set[str]:
    """Names that a module has at its head."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return found
