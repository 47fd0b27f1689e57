from dataclasses import replace

import pytest
from benchmarks import (
    ROOT,
    Moved,
    add_rows,
    compare,
    describe,
    describe_new,
    main,
    read_rows,
    run,
    scripts,
)

ROW = {
    "benchmark": "step", "case": "batch 128", "way": "ours", "device": "cpu", "processor": "one",
    "threads": "2", "p20_s": "0.9", "p50_s": "1.0", "p80_s": "1.2", "ratio": "2.0",
}  # fmt: skip


def test_a_ratio_moves_where_it_leaves_what_was_recorded_by_more_than_the_spread():
    recorded = [ROW, {**ROW, "ratio": "2.4"}]
    found = {
        ratio: next(compare([{**ROW, "ratio": ratio}], recorded))
        for ratio in ("1.6", "1.7", "2.2", "2.8", "3.0")
    }
    assert {ratio: moved.spread for ratio, moved in found.items()} == dict.fromkeys(found, pytest.approx(0.2))
    # 2.0 / 1.2 = 1.667 and 2.4 * 1.2 = 2.88
    assert [moved.beyond_spread for moved in found.values()] == [True, False, False, False, True]
    assert [round(moved.factor, 3) for moved in found.values()] == [0.8, 0.85, 1.0, 1.167, 1.25]
    assert describe(found["1.6"]) == "MOVED  batch 128, ours: 1.60x, before 2.00 to 2.40x, spread 20%"


def test_other_processors_threads_and_rows_without_a_ratio_are_not_compared():
    others = [{**ROW, "processor": "other"}, {**ROW, "threads": "1"}, {**ROW, "ratio": ""}]
    assert list(compare([ROW], others)) == []
    for none in ("", "nan"):
        assert list(compare([{**ROW, "ratio": none}], [ROW])) == []
        assert list(describe_new([{**ROW, "ratio": none}], [])) == []
    assert list(describe_new([ROW], others)) == ["new    batch 128, ours: 2.00x, nothing recorded before"]
    assert list(describe_new([{**ROW, "ratio": ""}, ROW], [ROW])) == []


def test_a_way_that_takes_no_time_has_no_spread():
    still = {**ROW, "p20_s": "0", "p50_s": "0", "p80_s": "0"}
    assert next(compare([still], [still])) == Moved(tuple(still.values())[:6], 2.0, 2.0, 2.0, 0.0)


def test_every_benchmark_that_writes_a_csv_file_is_run_small():
    paths = {one.path for one in scripts()}
    known = {
        path
        for folder in ("packages", "apps")
        for path in ROOT.glob(f"{folder}/*/benchmarks/benchmark_*.py")
        if any(way in path.read_text() for way in ('"--csv"', "benchmark_parser("))
    }
    assert paths == known


def test_rows_come_back_from_a_small_run_and_a_script_that_fails_is_named(tmp_path, capsys):
    script = scripts()[0]
    path = tmp_path / "cmh-mine" / "benchmarks" / "benchmark_mine.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import sys, pathlib\n"
        f"pathlib.Path(sys.argv[-1]).write_text('{','.join(ROW)}\\n{','.join(ROW.values())}\\n')\n"
    )
    mine = replace(script, path=path, arguments=())
    rows = run(mine)
    assert rows == [ROW]
    add_rows(rows, mine.recorded)
    add_rows(rows, mine.recorded)
    assert read_rows(mine.recorded) == [ROW, ROW]
    path.write_text("raise SystemExit('no such option')")
    assert run(mine) is None
    assert "cmh-mine/benchmark_mine failed:\nno such option" in capsys.readouterr().out


def test_what_moved_is_said_at_the_end_and_is_no_verdict(tmp_path, capsys, monkeypatch):
    path = tmp_path / "cmh-mine" / "benchmarks" / "benchmark_mine.py"
    path.parent.mkdir(parents=True)
    path.touch()
    mine = replace(scripts()[0], path=path, arguments=())
    monkeypatch.setattr("benchmarks.scripts", lambda: [mine])
    for ratio, said in (("2.0", "0 ratios moved beyond their spread"), ("1.0", "1 ratios moved")):
        monkeypatch.setattr("benchmarks.run", lambda _, ratio=ratio: [{**ROW, "ratio": ratio}])
        monkeypatch.setattr("sys.argv", ["benchmarks.py", "cmh-mine", "--record"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        assert said in capsys.readouterr().out
    assert [row["ratio"] for row in read_rows(mine.recorded)] == ["2.0", "1.0"]
