import re
from importlib.metadata import metadata


def test_the_example_runs():
    text = metadata("cmh-train").get_payload()
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}
    exec(block, names)  # noqa: S102 - our own README
    assert names["codes"].shape == (100, 16)
    losses = names["result"].losses["total"]
    assert losses[-1] < losses[0]
