"""A recipe's table as TOML text; Python reads TOML but does not write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def toml_text(table: Mapping[str, Any], at: str = "") -> str:
    """TOML that reads back as ``table``; its keys are bare words, as a recipe's are."""
    lines, tables = [], []
    for key, value in table.items():
        if isinstance(value, Mapping):
            tables.append((f"{at}{key}", "[{}]", value))
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            tables += [(f"{at}{key}", "[[{}]]", each) for each in value]
        else:
            lines.append(f"{key} = {_value(value)}")
    for name, heading, each in tables:
        lines += ["", heading.format(name), toml_text(each, f"{name}.").strip()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
