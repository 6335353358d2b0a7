import math
from pathlib import Path

import numpy as np

from luthier.contracts import Assignment
from luthier.core.event import Ended, Heard, Reported, Started
from luthier.core.paths import RunPaths
from luthier.core.space import make_space
from luthier.core.study import Run, Study
from luthier.worker.run import LiveRun
from luthier.worker.wire import REPORT, WireReader, WireWriter


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run" / "wire.jsonl"
    assert WireReader("0.0", path).read() == []
    writer = WireWriter(path)
    writer.say("started", 0, True, {})
    writer.say(REPORT, 1, 0.1, {"a": 1.0, "b": math.nan})
    writer.say(REPORT, 2, 0.2, {"a": math.inf, "b": 2.0})
    writer.say(REPORT, 2.5, 0.3, {"a": 3.0})
    reader = WireReader("0.0", path)
    started, both, one, heard = reader.read()
    assert isinstance(started, Started)
    assert isinstance(both, Reported)
    assert both.metrics == ("a", "b")
    np.testing.assert_array_equal(both.rows, [[1, 0.1, 1, math.nan], [2, 0.2, math.inf, 2]])
    assert isinstance(one, Reported)
    assert one.rows.tolist() == [[2.5, 0.3, 3.0]]
    assert heard == Heard("0.0", path.stat().st_size)
    assert reader.read() == []
    writer.say("end", "completed", 3, 0.5, "done", "")
    later = WireReader("0.0", path, reader.n_bytes).read()
    assert isinstance(later[0], Ended)
    assert len(later) == 2
    writer.close()


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    path.write_bytes(b'["r",1,0.1,{"a":1.0}]\n["r",2,0.')
    reader = WireReader("0.0", path)
    assert len(reader.read()) == 2
    writer = WireWriter(path)
    writer.say(REPORT, 3, 0.3, {"a": 3.0})
    writer.close()
    again, _ = reader.read()
    assert isinstance(again, Reported)
    assert again.rows[:, 0].tolist() == [3]


def test_a_loop_without_steps_says_once_that_it_began(tmp_path: Path) -> None:
    study = Study("s", make_space({}), "loss")
    run = Run("0.0", 0, {}, math.inf)
    assignment = Assignment(study, run, None, 0, RunPaths(tmp_path))
    wire = WireWriter(assignment.paths.wire)
    live = LiveRun(assignment, wire=wire)
    for _ in range(3):
        live.report(loss=1.0)
    wire.close()
    started, reported, _ = WireReader("0.0", assignment.paths.wire).read()
    assert started == Started("0.0", 0, False, {})
    assert isinstance(reported, Reported)
    assert reported.rows[:, 0].tolist() == [1, 2, 3]
