import re
from importlib.metadata import metadata


def test_the_example_runs():
    text = metadata("cmh-dadh").get_payload()
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}
    exec(block, names)  # noqa: S102 - our own README
    codes, kind = names["codes"], names["kind"]
    assert codes.shape == (300, 32)
    agree = (codes[:, None] == codes[None]).mean(axis=2)
    same = kind[:, None] == kind[None]
    assert agree[same].mean() > agree[~same].mean() + 0.2
