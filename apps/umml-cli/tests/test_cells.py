import pytest
from pydantic import ValidationError
from umml_cli.runs.cells import Cell


@pytest.mark.parametrize(
    ("scheme", "percent", "title"),
    [
        ("paired", 0, "paired"),
        ("untrained", 0, "untrained"),
        ("UI", 20, "UI 20%"),
        ("UT", 100, "UT 100%"),
        ("UIT", 60, "UIT 60%"),
        ("SD", 12.5, "SD 12.5%"),
    ],
)
def test_a_cell_keeps_its_name_and_share(scheme, percent, title):
    cell = Cell.of(scheme, percent)
    assert (cell.scheme, cell.percent, cell.title) == (scheme, percent, title)
    assert Cell.model_validate_json(cell.model_dump_json()) == cell


def test_several_schemes_at_once_are_spelled_out():
    cell = Cell(unpaired_images=30, unpaired_text=10, discard=5)
    assert (cell.scheme, cell.title) == ("mixed", "UI 30% + UT 10% + SD 5%")


@pytest.mark.parametrize(
    ("cell", "kept", "with_image", "with_text"),
    [
        (Cell.of("paired"), 200, 200, 200),
        (Cell.of("UI", 20), 200, 200, 160),
        (Cell.of("UT", 20), 200, 160, 200),
        (Cell.of("UIT", 60), 200, 140, 140),
        (Cell.of("UIT", 100), 200, 100, 100),
        (Cell.of("SD", 80), 40, 40, 40),
    ],
)
def test_the_plan_removes_what_the_scheme_says(cell, kept, with_image, with_text):
    plan = cell.plan(200)
    assert plan.kept.sum() == kept
    assert (plan.image_present & plan.kept).sum() == with_image
    assert (plan.text_present & plan.kept).sum() == with_text


def test_discarded_samples_cost_no_training():
    assert Cell.of("SD", 75).kept_share == 0.25
    assert Cell.of("untrained").kept_share == 0
    assert Cell.of("UI", 75).kept_share == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cell(unpaired_images=130), "less than or equal to 100"),
        (lambda: Cell(unpaired_text=-1), "greater than or equal to 0"),
        (lambda: Cell(unpaired_images=60, unpaired_text=50), "make 110% of the training pairs"),
        (lambda: Cell(discard=100), "leaves nothing to train on"),
        (lambda: Cell(trained=False, discard=10), "sees no training pairs"),
        (lambda: Cell.of("UI", 0), "take a percentage above 0"),
        (lambda: Cell.of("paired", 10), "the percentage 0"),
        (lambda: Cell.of("XX", 10), "there is no scheme 'XX'"),
    ],
)
def test_impossible_cells_are_refused(make, message):
    with pytest.raises((ValidationError, ValueError), match=message):
        make()
