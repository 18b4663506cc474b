"""C source text: arrays, names, templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export.errors import ExportError

TEMPLATES = Path(__file__).parent / "templates"

_TYPES = {"int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "uint8": "uint8_t"}
_TYPES |= {"uint16": "uint16_t", "uint32": "uint32_t"}
_KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
    "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void", "volatile", "while",
))  # fmt: skip


def array(name: str, values: npt.NDArray[Any], static: bool = False) -> str:
    """The definition of a constant array, in lines of at most 100 characters."""
    flat = values.ravel()
    storage = "static const" if static else "const"
    kind = _TYPES[flat.dtype.name]
    return f"{storage} {kind} {name}[{flat.size}] = {{\n{_lines(flat.tolist())}\n}};\n"


def _lines(numbers: Iterable[int]) -> str:
    lines, line = [], "   "
    for number in numbers:
        text = f" {_literal(number)},"
        if len(line) + len(text) > 99:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join([*lines, line])


def _literal(number: int) -> str:
    # -2147483648 is the negation of a number that does not fit an int
    return str(number) if number != np.iinfo(np.int32).min else "(-2147483647 - 1)"


def identifier(name: str, what: str) -> str:
    """``name`` if C can take it; raises ExportError with a name that would do."""
    taken = re.match(
        "ww_|wakeword", name, re.IGNORECASE
    )  # by the library's own files and functions
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and name not in _KEYWORDS and not taken:
        return name
    if taken:
        raise ExportError(
            f"{what} {name!r} begins like the library's own names (wakeword, ww_); "
            f"rename the bundle's two files, for example to my_{name.lower()}"
        )
    better = re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII).strip("_").lower() or "model"
    if better in _KEYWORDS or better[0].isdigit():
        better = f"wake_{better}"
    raise ExportError(
        f"{what} {name!r} is no C identifier (letters, digits, _; no keyword); "
        f"rename the bundle's two files, for example to {better}"
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its ``@NAME@`` marks replaced; every mark must have a value."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_0-9]+)@", lambda mark: values[mark.group(1)], text)


def defines(values: Mapping[str, int | str]) -> str:
    """``#define`` lines."""
    return "\n".join(f"#define {name} {value}" for name, value in values.items())


def string(text: str) -> str:
    """A C string literal, UTF-8, whatever is in it."""
    safe = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in safe else f"\\{b:03o}" for b in text.encode()) + '"'
