import re
from pathlib import Path


def test_the_example_of_the_readme_runs():
    (code,) = re.findall(
        r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL
    )
    exec(code, {})  # noqa: S102 - our own text
