"""What was found in a project as a JSON document."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from pathlib import Path
from typing import Any

from nuages.errors import Origin


def to_json(value: Any) -> Any:
    """Return plain JSON data for a model value: dataclasses as objects, paths and origins as strings."""
    if isinstance(value, Origin):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [to_json(item) for item in sorted(value, key=repr)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # What JSON has no word for (bytes, complex …) is shown as Python writes it.
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)
