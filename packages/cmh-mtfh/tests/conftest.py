"""Makes the restatement of the formulas importable wherever this folder lies."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
