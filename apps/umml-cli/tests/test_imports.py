"""What a command loads: a single training needs no grid, no tables and no figures."""

import subprocess
import sys

LOADED = """
import sys
from umml_cli.main import app
try:
    app(sys.argv[1:], standalone_mode=False)
finally:
    print(*(name for name in sys.modules if name.startswith(("umml_cli", "matplotlib", "torch"))))
"""


def loaded(*arguments, cwd):
    """Modules of the app, of matplotlib and of torch that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], cwd=cwd, check=True, capture_output=True, text=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_a_training_loads_neither_the_grid_nor_tables_nor_figures(tmp_path):
    names = loaded("train", "emoji", "--preset", "small", "--epochs", "1", cwd=tmp_path)
    assert "umml_cli.runs.perform" in names
    assert not {name for name in names if name.startswith(("umml_cli.grid", "umml_cli.results"))}
    reports = ("gallery", "page_templates", "run_pages", "run_report", "run_table")
    assert {name for name in names if name.startswith("umml_cli.report.")} == {
        f"umml_cli.report.{name}" for name in reports
    }
    assert "matplotlib" not in names


TRAINED = """
import sys, typing
import numpy as np
from cmh_train import TrainingData, available_methods, build_method, encode_dataset, fit, make_config
generator = np.random.default_rng(0)
data = TrainingData.from_arrays(
    image=generator.random((40, 6), dtype=np.float32),
    text=generator.random((40, 5), dtype=np.float32),
    label=np.eye(4, dtype=np.uint8)[np.arange(40) % 4],
)
for name, spec in available_methods().items():
    choice = spec.config_type.model_fields.get("optimiser")
    for optimiser in typing.get_args(choice.annotation) if choice else [None]:
        options = {"batch_size": 20} | ({"optimiser": optimiser} if choice else {})
        for epochs in (1, 2):  # the second continues from the checkpoint
            method = build_method(name, make_config(name, preset="small", options=options), data.spec, 0)
            checkpoint = f"{name}-{optimiser}.safetensors"
            fit(method, data, epochs=epochs, batch_size=20, checkpoint=checkpoint)
        encode_dataset(method, "image", data.image)
        assert "torch._dynamo" not in sys.modules, f"{name} imports the compiler ({optimiser=})"
print(*available_methods())
"""


def test_no_method_imports_the_compiler_of_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TRAINED], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"dadh", "agah", "jdsh", "mtfh", "dchmt"} <= set(done.stdout.split())


def test_a_list_of_methods_loads_no_run(tmp_path):
    names = loaded("methods", cwd=tmp_path)
    rooms = ("umml_cli.grid", "umml_cli.results", "umml_cli.report", "umml_cli.runs")
    assert not {name for name in names if name.startswith(rooms)}


PRELOADED = """
import sys, threading
import umml_cli.grid.preload
print(threading.active_count(), *{name.partition(".")[0] for name in sys.modules}, *sys.modules)
"""


def test_workers_are_forked_from_a_process_that_has_what_runs_need_and_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    n_threads, *names = done.stdout.split()
    assert n_threads == "1"
    assert {"umml_cli.runs.perform", "torch.optim", "numba"} <= set(names)
    assert "torch._dynamo" not in names
    others = {"matplotlib", "pandas", "PIL", "fastapi", "uvicorn", "jinja2", "rich", "typer", "ray"}
    assert not (others | {"cmh_features", "cmh_search", "torch.utils.tensorboard"}) & set(names)
    rooms = ("umml_cli.results", "umml_cli.report", "umml_cli.search", "umml_cli.commands")
    assert not {name for name in names if name.startswith(rooms)}
