"""Runs in each Python that `firesuite exec` starts, before its own code: firebase_admin's messages go to the FCM sink.

`exec` puts this directory onto PYTHONPATH. The interpreter may be one without firesuite; and a sitecustomize of its
own, which this one hides, runs as ever.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


def _run(spec: Any) -> Any:
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_run(importlib.util.spec_from_file_location("firesuite_fcm_admin", _HERE.parent / "fcm" / "admin.py")).connect_all()

_others = [path for path in sys.path if Path(path).resolve() != _HERE]
if (_hidden := importlib.machinery.PathFinder.find_spec("sitecustomize", _others)) is not None:
    _run(_hidden)
