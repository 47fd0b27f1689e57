import re
from importlib.metadata import metadata
from pathlib import Path


def test_the_example_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    beside = Path(__file__).parents[1] / "README.md"
    text = beside.read_text("utf-8") if beside.exists() else metadata("cmh-metrics").get_payload()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own README
    assert "mAP" in capsys.readouterr().out
