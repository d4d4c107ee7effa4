"""Metrics on disk: tables and event files that survive being cut short and continued."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mesozoic.run.sinks.csv_sink import CsvSink
from mesozoic.run.sinks.tensorboard_sink import TensorBoardSink


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path) -> None:
    sink = CsvSink(path)
    for step in (64, 128, 192):
        sink.write(step, {"loss": step / 2, "reward": 1.0})
    sink.close("finished")


def test_a_new_metric_becomes_a_column_and_old_rows_stay(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "t.csv")
    sink.write(1, {"a": 0.1})
    sink.write(2, {"b, with comma": 2.0})
    sink.write(3, {"a": 0.3, "b, with comma": 3.0})
    assert table(tmp_path / "t.csv") == [
        {"step": "1", "a": "0.1", "b, with comma": ""},
        {"step": "2", "a": "", "b, with comma": "2.0"},
        {"step": "3", "a": "0.3", "b, with comma": "3.0"},
    ]


def test_every_row_is_on_disk_at_once(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "t.csv")
    sink.write(1, {"a": 1 / 3})
    assert float(table(tmp_path / "t.csv")[0]["a"]) == 1 / 3


def test_a_resumed_table_drops_later_rows_and_goes_on(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv")
    sink = CsvSink(tmp_path / "t.csv", resume_step=128)
    sink.write(192, {"reward": 9.0, "loss": 8.0})
    assert [tuple(row.values()) for row in table(tmp_path / "t.csv")] == [
        ("64", "32.0", "1.0"),
        ("128", "64.0", "1.0"),
        ("192", "8.0", "9.0"),
    ]


def test_a_fresh_start_begins_an_empty_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv")
    CsvSink(tmp_path / "t.csv")
    assert table(tmp_path / "t.csv") == []


def test_a_torn_last_line_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for size in range(last, len(whole)):
        path.write_bytes(whole[:size])
        CsvSink(path, resume_step=128)
        assert [row["step"] for row in table(path)] == ["64", "128"], whole[last:size]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"a,b\n1,2\n", b"step,loss\n\x00,1\nx,2\n\xb2,3\n"])
def test_a_table_that_is_none_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    CsvSink(path, resume_step=64).write(128, {"loss": 1.0})
    assert table(path) == [{"step": "128", "loss": "1.0"}]


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def write_events(folder: Path, steps: tuple[int, ...], offset: float, resume_step: int = 0) -> None:
    sink = TensorBoardSink(folder, resume_step)
    for step in steps:
        sink.write(step, {"stage1/reward/alive": step + offset, "eval/score": 0.5})
    sink.close("finished")


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    write_events(tmp_path, (64, 128), 0.25)
    assert scalars(tmp_path, "stage1/reward/alive") == [(64, 64.25), (128, 128.25)]
    assert scalars(tmp_path, "eval/score") == [(64, 0.5), (128, 0.5)]


@pytest.mark.parametrize(("resume_step", "kept"), [(128, [(64, 64.0), (128, 128.0)]), (0, [])])
def test_tensorboard_forgets_events_that_are_made_again(
    tmp_path: Path, resume_step: int, kept: list[tuple[int, float]]
) -> None:
    write_events(tmp_path, (64, 128, 192), 0.0)
    write_events(tmp_path, (192, 256), 0.5, resume_step)
    assert scalars(tmp_path, "stage1/reward/alive") == [*kept, (192, 192.5), (256, 256.5)]
