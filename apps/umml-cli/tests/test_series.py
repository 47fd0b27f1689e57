import pytest
from umml_cli.report.terminal_tables import entry
from umml_cli.results.series import Score, Series, collect, runs_csv, summary_csv
from umml_cli.runs.cells import Cell
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import BestEpoch, RunResult


def make_series(**maps):
    """`UI60=(0.3, 0.4)` is the mAP of image to text and of text to image."""
    cells = {"paired": Cell.of("paired"), "untrained": Cell.of("untrained")}
    scores = {}
    for name, values in maps.items():
        scheme = name.rstrip("0123456789")
        cell = cells.get(name) or Cell.of(scheme, int(name.removeprefix(scheme)))
        scores |= {
            (cell, task): Score.of([value]) for task, value in zip(("i2t", "t2i"), values, strict=True)
        }
    return Series("emoji", "dadh", 64, scores)


def make_result(cell, seed, i2t, t2i, **options):
    specification = RunSpecification(
        dataset="emoji",
        data_digest="0",
        method="dadh",
        method_version="0.1.0",
        **{"bits": 64, "epochs": 1, "batch_size": 8}
        | {name: options.pop(name) for name in ("bits", "epochs", "batch_size") if name in options},
        options=options,
        cell=cell,
        seed=seed,
    )
    return RunResult(
        specification=specification,
        map={"i2t": i2t, "t2i": t2i},
        best=BestEpoch(epoch=1, map={"i2t": min(i2t + 0.01, 1.0), "t2i": min(t2i + 0.02, 1.0)}),
        definition="all, ties expected",
        epochs=1,
        seconds={},
        training_pairs={},
        plan_digest="0",
        environment={},
    )


def test_comparisons_by_hand():
    series = make_series(paired=(0.8, 0.5), UI60=(0.6, 0.5), SD60=(0.5, 0.55), untrained=(0.2, 0.1))
    cell = Cell.of("UI", 60)
    assert series.change_percent(cell, "i2t") == pytest.approx(-25)
    assert series.times_untrained(cell, "t2i") == pytest.approx(5)
    assert series.gain_over_discarding(cell, "i2t") == pytest.approx(20)
    assert series.gain_over_discarding(cell, "t2i") == pytest.approx(-100 / 11)
    assert series.is_best_of_share(cell, "i2t")
    assert not series.is_best_of_share(cell, "t2i")
    assert series.is_best_of_share(Cell.of("SD", 60), "t2i")


def test_a_reconstruction_is_never_named_without_the_word():
    assert Series("emoji", "cfrh", 64, {}).title == "CFRH (reconstructed) on emoji, 64 bits"
    assert Series("emoji", "dadh", 64, {}).title == "DADH on emoji, 64 bits"
    specification = make_result(Cell.of("paired"), 0, 0.5, 0.5).specification
    assert specification.title == "dadh · emoji · paired · seed 0"
    reconstructed = specification.model_copy(update={"method": "cfrh"})
    assert reconstructed.title == "cfrh (reconstructed) · emoji · paired · seed 0"


def test_nothing_kept_of_a_hundred_percent_is_an_untrained_network():
    series = make_series(paired=(0.8, 0.8), UIT100=(0.4, 0.4), untrained=(0.2, 0.1))
    assert series.gain_over_discarding(Cell.of("UIT", 100), "i2t") == pytest.approx(100)


def test_a_comparison_without_its_other_side_is_left_out():
    series = make_series(UI40=(0.6, 0.5), SD60=(0.5, 0.5))
    cell = Cell.of("UI", 40)
    assert series.change_percent(cell, "i2t") is None
    assert series.times_untrained(cell, "i2t") is None
    assert series.gain_over_discarding(cell, "i2t") is None
    assert not series.is_best_of_share(cell, "i2t")
    assert entry(series, cell, "i2t").change == ""


def test_nothing_is_a_multiple_of_zero():
    series = make_series(paired=(0.0, 0.5), UI60=(0.0, 0.5), SD60=(0.1, 0.0), untrained=(0.0, 0.1))
    cell = Cell.of("UI", 60)
    assert (series.change_percent(cell, "i2t"), series.change_percent(cell, "t2i")) == (None, 0)
    assert series.times_untrained(cell, "i2t") is None
    assert series.gain_over_discarding(cell, "t2i") is None
    assert entry(series, cell, "i2t").change == ""


def test_the_table_names_the_better_of_unpaired_and_discarded():
    series = make_series(paired=(0.8, 0.5), UI60=(0.6, 0.5), SD60=(0.5, 0.55))
    cell = Cell.of("UI", 60)
    assert entry(series, cell, "i2t").against_discarding == "unpaired +20%"
    assert entry(series, cell, "t2i").against_discarding == "discarded -9%"


def test_seeds_give_mean_and_interval():
    cell = Cell.of("UI", 20)
    (series,) = collect([make_result(cell, 0, 0.1, 0.5), make_result(cell, 1, 0.3, 0.5)])
    score = series.scores[cell, "i2t"]
    assert (score.mean, score.seeds) == (pytest.approx(0.2), 2)
    assert score.deviation == pytest.approx(0.02**0.5)
    assert score.half_width == pytest.approx(12.706 * 0.1)  # Student's t, one degree of freedom
    assert score.text("interval") == "0.200 ±1.271"
    assert score.text("sd") == "0.200 ±0.141"


def test_runs_with_other_options_are_no_seeds_of_one_another():
    cell = Cell.of("UI", 20)
    results = [
        make_result(cell, 0, 0.1, 0.5, margin=0.4, epochs=3),
        make_result(cell, 0, 0.3, 0.5, margin=0.5, epochs=3),
        make_result(cell, 1, 0.2, 0.5, margin=0.4, epochs=3),
    ]
    first, second = collect(results)
    assert [series.scores[cell, "i2t"].seeds for series in (first, second)] == [2, 1]
    assert first.scores[cell, "i2t"].mean == pytest.approx(0.15)
    assert (first.variant, second.variant) == ("margin 0.4", "margin 0.5")
    assert second.title == "DADH on emoji, 64 bits (margin 0.5)"
    (alone,) = collect(results[1:2])
    assert (alone.variant, alone.title) == ("", "DADH on emoji, 64 bits")


def test_summary_holds_one_row_for_each_cell_and_task_and_names_the_epoch():
    paired = Cell.of("paired")
    results = [
        make_result(Cell.of("UIT", 60), 0, 0.25, 0.5),
        make_result(paired, 0, 0.4, 1.0),
        make_result(paired, 1, 0.6, 1.0),
    ]
    assert summary_csv(collect(results)) == (
        "dataset,method,bits,variant,scheme,percent,task,selection,seeds,map,map_sd,map_half_width\n"
        "emoji,dadh,64,,UIT,60,i2t,last,1,0.250000,,\n"
        "emoji,dadh,64,,UIT,60,t2i,last,1,0.500000,,\n"
        "emoji,dadh,64,,paired,0,i2t,last,2,0.500000,0.141421,1.270600\n"
        "emoji,dadh,64,,paired,0,t2i,last,2,1.000000,0.000000,0.000000\n"
    )
    assert ",paper,1,0.260000," in summary_csv(collect(results, selection="paper"))


def test_the_best_epoch_stands_in_a_table_only_by_name():
    results = [make_result(Cell.of("paired"), 0, 0.5, 0.6)]
    key = Cell.of("paired"), "t2i"
    assert collect(results)[0].scores[key].mean == 0.6
    assert collect(results, selection="paper")[0].scores[key].mean == pytest.approx(0.62)


def test_a_row_for_every_run_has_both_epochs():
    head, row = runs_csv([make_result(Cell.of("UI", 20), 3, 0.5, 0.6)]).splitlines()
    named = dict(zip(head.split(","), row.split(","), strict=True))
    assert (named["seed"], named["last_i2t"], named["best_t2i"]) == ("3", "0.500000", "0.620000")
