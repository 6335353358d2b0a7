"""Every address of the server, on a real study."""

import json
import math
import re
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from starlette.testclient import TestClient

import luthier
from luthier.core.budget import Budget
from luthier.page.book import LOOK_S

from .conftest import STUDY, client_of, make_store

AT = f"/api/v1/studies/{quote(STUDY, safe='')}"


def get(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    # strictly JSON: json.loads itself would take NaN
    return json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"bare {name}"))


def best_run(client: TestClient) -> dict[str, Any]:
    return get(client, f"{AT}/runs", limit=1)["rows"][0]


def test_me(owner: TestClient, viewer: TestClient) -> None:
    me = get(owner, "/api/v1/me")
    assert (me["role"], me["read_only"], me["store"]) == ("owner", False, "luthier.db")
    assert me["token"]
    assert get(viewer, "/api/v1/me")["token"] == ""


def test_studies(owner: TestClient, store: Path) -> None:
    (study,) = get(owner, "/api/v1/studies")
    best = luthier.open(store).best
    assert study["name"] == STUDY
    assert study["best"] == {"run": best.run.id, "value": best.value, "step": best.step}
    assert sum(study["states"].values()) == study["n_trials"] >= 16
    one = get(owner, AT)
    assert one["policy"] == "asha"
    assert one["live"] == ["lr"]
    assert one["metrics"] == ["val_loss", "odd", "train_loss"]
    lr, width, kind, extra = one["space"]
    assert (lr["kind"], lr["log"], lr["low"], lr["term"]) == ("float", True, 1e-4, "learning_rate")
    assert lr["recommended"][0] < lr["recommended"][1]
    assert kind["choices"] == ["<b>a</b>", "b b", [1, 2]]
    assert (width["kind"], extra["active_if"]) == ("int", "kind = b b")
    assert one["budget"]["trials"] == 16


def test_runs(owner: TestClient, store: Path) -> None:
    view = luthier.open(store).view
    found = get(owner, f"{AT}/runs", limit=1000)
    assert found["total"] == len(found["rows"]) == len(view.runs)
    values = [row["best"] for row in found["rows"] if row["best"] is not None]
    assert values == sorted(values)
    for row in found["rows"]:
        run = view.runs[row["id"]]
        assert (row["state"], row["step"], row["trial"]) == (run.state, run.step, run.trial)
        assert row["best"] == (None if math.isnan(run.curve.best_loss) else run.curve.best_loss)
    failed = next(row for row in found["rows"] if row["trial"] == 5)
    assert failed["error"] == "ValueError: </script> is no number"
    odd = next(row for row in found["rows"] if row["trial"] == 3)
    assert odd["last"] in ("NaN", "Infinity", "-Infinity") or odd["step"] < 5
    page = get(owner, f"{AT}/runs", limit=3, offset=2)
    assert [r["id"] for r in page["rows"]] == [r["id"] for r in found["rows"][2:5]]


@pytest.mark.parametrize("sort", ["id", "trial", "state", "step", "train_s", "best", "last",
                                  "p.lr", "p.kind", "p.extra"])  # fmt: skip
def test_sorting(owner: TestClient, sort: str) -> None:
    up, down = (get(owner, f"{AT}/runs", limit=1000, sort=sort, down=d)["rows"] for d in ("0", "1"))
    name = sort.removeprefix("p.")

    def values(rows: list[dict[str, Any]]) -> list[Any]:
        found = [row["params"].get(name) if sort != name else row[name] for row in rows]
        return [v for v in found if isinstance(v, int | float)]

    assert values(up) == sorted(values(up))
    assert values(down) == sorted(values(down), reverse=True)
    assert {r["id"] for r in up} == {r["id"] for r in down}


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ("lr>1e-2", lambda r: r["params"]["lr"] > 1e-2),
        ("lr >= 1e-3 AND width<30", lambda r: r["params"]["lr"] >= 1e-3
         and r["params"]["width"] < 30),
        ("kind='b b' and extra<0.5", lambda r: r["params"].get("extra", 1) < 0.5),
        ("state!=paused", lambda r: r["state"] != "paused"),
        ("best<1", lambda r: r["best"] is not None and r["best"] < 1),
    ],
)  # fmt: skip
def test_where(owner: TestClient, where: str, passes: Any) -> None:
    rows = get(owner, f"{AT}/runs", limit=1000)["rows"]
    found = get(owner, f"{AT}/runs", limit=1000, where=where)
    assert {r["id"] for r in found["rows"]} == {r["id"] for r in rows if passes(r)}
    assert found["total"] == len(found["rows"])


@pytest.mark.parametrize("where", ["lr>", "lr>1 or best<2", "nobody=1", "lr>1 and", "()", "lr>1 x"])
def test_where_that_cannot_be_read(owner: TestClient, where: str) -> None:
    answer = owner.get(f"{AT}/runs", params={"where": where})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_text_and_state(owner: TestClient) -> None:
    found = get(owner, f"{AT}/runs", text="</SCRIPT> number")
    assert [row["trial"] for row in found["rows"]] == [5]
    rows = get(owner, f"{AT}/runs", state="completed,failed")["rows"]
    assert {row["state"] for row in rows} == {"completed", "failed"}


def test_curves(owner: TestClient, store: Path) -> None:
    view = luthier.open(store).view
    best = best_run(owner)["id"]
    (found,) = get(owner, f"{AT}/curves", runs=best)["curves"]
    assert found["x"] == view.runs[best].curve.steps.tolist()
    assert found["y"] == view.runs[best].curve.values.tolist()
    sister = get(owner, f"{AT}/curves", runs=best, metric="train_loss", x="time")
    assert sister["x"] == "time"
    assert sister["curves"][0]["y"] == (view.runs[best].curve.values / 2).tolist()
    assert np.all(np.diff(sister["curves"][0]["x"]) >= 0)
    odd = get(owner, f"{AT}/curves", runs=best, metric="odd")["curves"][0]["y"]
    assert set(odd) == {"NaN"}
    top = get(owner, f"{AT}/curves", top=3)["curves"]
    assert top[0]["run"] == best
    assert len(top) == 3


def test_points_progress_importance(owner: TestClient, store: Path) -> None:
    view = luthier.open(store).view
    points = get(owner, f"{AT}/points")
    n = len(view.current())
    assert points["total"] == n == len(points["best"])
    assert all(len(column) == n for column in points["params"].values())
    few = get(owner, f"{AT}/points", limit=4)
    assert len(few["runs"]) == 4
    assert few["total"] == n
    best = view.best()
    assert best is not None
    assert best.curve.best_loss in few["best"]
    progress = get(owner, f"{AT}/progress")
    assert progress["best"] == sorted(progress["best"], reverse=True)
    assert progress["best"][-1] == best.curve.best_loss
    assert progress["run"][-1] == best.id
    assert np.all(np.diff(progress["steps"]) > 0)
    importance = get(owner, f"{AT}/importance")
    assert importance["rows"][0]["name"] == "lr"
    assert {row["name"] for row in importance["rows"]} == {"lr", "width", "kind", "extra"}


def test_what_of_the_space_looks_wrong(tmp_path: Path) -> None:
    wrong = luthier.Float(1e-8, 1.0, log=True, prior=1e-7)

    @luthier.tune(minimize="loss", max_steps=1, space={"lr": wrong})
    def train(run: luthier.LiveRun) -> None:
        for _ in run.steps():
            run.report(loss=(math.log10(run.params.lr) + 1.5) ** 2)

    train.search(trials=30, policy="full", sampler="sobol", executor="inline", name="a",
                 store=tmp_path / "a.db", lint=False)  # fmt: skip
    with client_of(tmp_path / "a.db", "viewer") as client:
        (found,) = get(client, "/api/v1/studies/a/importance")["misjudged"]
    assert (found["name"], found["what"], found["stated"]) == ("lr", "prior", 1e-7)
    assert 1e-4 < found["lowest"] < found["highest"] < 1.0


def test_one_run(owner: TestClient, store: Path) -> None:
    result = luthier.open(store)
    entries = get(owner, f"{AT}/actions", limit=1000)["entries"]
    changed = next(e for e in entries if e["reason"] == "<img src=x>")
    assert (changed["kind"], changed["author"], changed["state"]) == ("change", "human", "obeyed")
    assert changed["after"]["lr"] == 0.5
    run = get(owner, f"{AT}/runs/{changed['run']}")
    (live,) = run["live"]
    assert (live["name"], live["value"]) == ("lr", 0.25)
    assert [e["number"] for e in run["entries"]] == [
        e.number for e in result.store.diary() if e.run_id == changed["run"]
    ]
    assert any(e["kind"] == "roll_back" for e in run["entries"])
    assert run["checkpoints"][0]["n_bytes"] > 0
    assert run["metrics"] == ["val_loss", "train_loss", "odd"]
    newer = get(owner, f"{AT}/actions", after=entries[-3]["number"])["entries"]
    assert [e["number"] for e in newer] == [e["number"] for e in entries[-2:]]
    failed = next(r for r in get(owner, f"{AT}/runs", limit=99)["rows"] if r["trial"] == 5)
    assert "Traceback" in get(owner, f"{AT}/runs/{failed['id']}")["error"]


def test_curves_of_one_run(owner: TestClient, store: Path) -> None:
    result = luthier.open(store)
    best = best_run(owner)["id"]
    found = get(owner, f"{AT}/runs/{best}/curves")
    assert set(found["metrics"]) == {"val_loss", "train_loss", "odd"}
    assert found["metrics"]["val_loss"]["y"] == result.view.runs[best].curve.values.tolist()
    only = get(owner, f"{AT}/runs/{best}/curves", metrics="odd", points=4)
    assert set(only["metrics"]) == {"odd"}
    assert found["forecast"] is None  # nothing is left to tell


def test_a_run_in_the_middle_has_a_forecast(cut_short: TestClient) -> None:
    run = get(cut_short, f"{AT}/runs/3.0")
    assert (run["state"], run["step"]) == ("paused", 7)
    found = get(cut_short, f"{AT}/runs/3.0/curves")
    assert found["metrics"]["val_loss"]["y"][4:] == ["-Infinity", "NaN", "Infinity"]
    forecast = found["forecast"]
    assert (forecast["x"][0], forecast["x"][-1]) == (7, 9)
    assert all(a <= b for a, b in zip(forecast["low"], forecast["high"], strict=True))


def test_findings_speak_two_languages(cut_short: TestClient) -> None:
    found = get(cut_short, f"{AT}/runs/3.0/diagnoses")
    assert "D01" in {one["id"] for one in found}
    for one in found:
        for words in (one["name"], one["words"], *(c["words"] for c in one["causes"])):
            assert set(words) == {"en", "zh"}
            assert re.search("[\u4e00-\u9fff]", words["zh"])


def test_lineage(owner: TestClient) -> None:
    nodes = get(owner, f"{AT}/lineage")["nodes"]
    assert all(node["kind"] == "start" for node in nodes if node["parent"] is None)


def test_knowledge(owner: TestClient) -> None:
    entries = get(owner, "/api/v1/knowledge")
    assert {"hyperparameter", "concept", "lint", "diagnosis", "error"} <= {
        e["kind"] for e in entries
    }
    for entry in entries:
        for lang in ("en", "zh"):
            page = get(owner, f"/api/v1/knowledge/{quote(entry['name'], safe='')}", lang=lang)
            assert page["name"] == entry["name"]
            assert page["sections"]
    missing = owner.get("/api/v1/knowledge/lerning_rate")
    assert missing.status_code == 404
    assert "learning_rate" in missing.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/api/v1/studies/nobody", f"{AT}/runs/99.0", f"{AT}/tickets/x",
                                  f"{AT}/runs/..%2F..%2Fetc", "/static/../app.py",
                                  "/static/%2e%2e/app.py", "/api/v1/nothing"])  # fmt: skip
def test_what_is_not_there(owner: TestClient, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


def test_the_page_and_its_files(owner: TestClient) -> None:
    index = owner.get("/")
    assert index.headers["content-type"].startswith("text/html")
    assert "<style" not in index.text
    assert " style=" not in index.text
    for name in re.findall(r'(?:src|href)="(static/[^"]+)"', index.text):
        answer = owner.get(f"/{name}")
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]
        old = name.replace(name.split("/")[1], "0123456789ab")
        assert owner.get(f"/{old}").headers["cache-control"] == "no-cache"


def test_acting_and_what_came_of_it(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    with client_of(path, "owner") as owner:
        token = get(owner, "/api/v1/me")["token"]
        rows = get(owner, f"{AT}/runs", state="paused")["rows"]
        run = rows[0]["id"]

        def ask(**body: Any) -> Any:
            return owner.post(
                f"{AT}/runs/{run}/actions", json=body, headers={"X-Luthier-Token": token}
            )

        posted = ask(kind="change", params={"lr": 0.01}, because="calmer")
        assert posted.status_code == 202
        fate = get(owner, f"{AT}/tickets/{posted.json()['ticket']}")
        assert fate["state"] == "obeyed"
        assert get(owner, f"{AT}/runs/{run}")["params"]["lr"] == 0.01
        refused = ask(kind="change", params={"width": 8})
        told = get(owner, f"{AT}/tickets/{refused.json()['ticket']}")
        assert (told["state"], bool(told["why"])) == ("refused", True)
        waits = ask(kind="resume")
        assert get(owner, f"{AT}/tickets/{waits.json()['ticket']}")["state"] == "waiting"
        for body in (
            {"kind": "explode"}, {"kind": "change"}, {"kind": "roll_back", "to": 1234},
            {"kind": "roll_back"}, {"kind": "pause", "more": 1}, {"kind": "fork", "at": "nowhere"},
            {"kind": "change", "params": {"because": 1}},
        ):  # fmt: skip
            answer = ask(**body)
            assert answer.status_code == 422, body
            assert answer.json()["error"]["message"]


def test_a_store_in_the_place_of_another(tmp_path: Path) -> None:
    path = make_store(tmp_path / "a", trials=6)
    with client_of(path, "owner") as owner:
        assert get(owner, AT)["n_trials"] == 6
        shutil.rmtree(tmp_path / "a")
        assert get(owner, "/api/v1/studies") == []
        assert owner.get(AT).status_code == 404
        make_store(tmp_path / "a", trials=7)
        assert get(owner, AT)["n_trials"] == 7


def test_a_study_that_grows_is_followed(tmp_path: Path) -> None:
    path = make_store(tmp_path, trials=4)
    with client_of(path, "owner") as owner:
        before = get(owner, f"{AT}/runs")
        luthier.resume(path, STUDY, budget=Budget(n_trials=9))
        time.sleep(LOOK_S)  # it looks no more often, however many ask
        assert get(owner, "/api/v1/studies")[0]["n_trials"] > 4
        after = get(owner, f"{AT}/runs")
        assert after["revision"] > before["revision"]
        assert after["total"] > before["total"]
