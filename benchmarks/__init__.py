"""What Remit costs and how fast it is, measured on this machine."""

import sys
from pathlib import Path

# The package of the shared layer is not installed anywhere: on Lambda it lies on the path, and so it does here.
_LAYER = str(Path(__file__).resolve().parent.parent / "layers" / "shared")
if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)
