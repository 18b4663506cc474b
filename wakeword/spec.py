"""Frozen dataclasses from TOML and JSON, and back. Unknown keys and wrong types are errors.

Used for the bundle's manifest, the recipe and the service's configuration, so that all of them
refuse a typing mistake in the same words.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union

from wakeword.errors import SpecError, WakewordError, refuse_unknown_keys

T = TypeVar("T")


def parse(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build the frozen dataclass ``cls`` from a table; nested dataclasses and lists of them too.

    Fields with a default may be left out. Raises SpecError naming ``where`` (file and table), the
    key, what was found and what was expected.
    """
    if not isinstance(table, Mapping):
        raise SpecError(f"{where}: expected a table, found {_shown(table)}")
    fields, hints = _fields(typing.cast(Any, cls))
    refuse_unknown_keys(table, fields, where)
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(table[name], hints[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SpecError(f"{where}: {name!r} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise SpecError(f"{where}: {error}") from None


@functools.cache
def _fields(cls: type) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """Fields and types by name. Kept, because a manifest asks for them once a line."""
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls)) if f.init}
    return fields, typing.get_type_hints(cls)


def to_table(spec: Any) -> dict[str, Any]:
    """The plain dict of a spec, without the fields that are None, ready for JSON or TOML."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            items = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return {k: plain(v) for k, v in items.items() if v is not None}
        if isinstance(value, Mapping):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return value

    return typing.cast(dict[str, Any], plain(spec))


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file as a dict; SpecError if it is missing or not TOML."""
    return toml_table(_read_text(path), str(path))


def toml_table(text: str, where: str) -> dict[str, Any]:
    """TOML as a dict; SpecError, naming ``where`` it stood, if it is none."""
    # Imported here, as what only some need is everywhere: a start of the device waits for it.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{where}: not valid TOML: {error}") from None


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object as a dict; SpecError if it is missing or no JSON object."""
    try:
        table = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(table, dict):
        raise SpecError(f"{path}: expected a JSON object, found {_shown(table)}")
    return table


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write the whole file or nothing: a temporary neighbour, flushed to disk, then renamed."""
    import tempfile

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes a private file; a bundle or dataset is as readable as its owner's umask says
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}: not a text file (UTF-8 expected)") from None
    except OSError as error:
        raise WakewordError(f"{path}: cannot be read: {error.strerror}") from None


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (inner,) = [a for a in arguments if a is not type(None)]
        return _convert(value, inner, where)
    if dataclasses.is_dataclass(hint):
        return parse(typing.cast(Any, hint), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise SpecError(f"{where}: expected a list, found {_shown(value)}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(v, arguments[0], f"{where}[{i}]") for i, v in enumerate(value))
        if len(value) != len(arguments):
            raise SpecError(f"{where}: expected {len(arguments)} values, found {len(value)}")
        return tuple(
            _convert(v, a, f"{where}[{i}]")
            for i, (v, a) in enumerate(zip(value, arguments, strict=True))
        )
    if origin is list:
        if not isinstance(value, list):
            raise SpecError(f"{where}: expected a list, found {_shown(value)}")
        return [_convert(v, arguments[0], f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise SpecError(f"{where}: expected a table, found {_shown(value)}")
        return {str(k): _convert(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise SpecError(f"{where}: expected {_NAMES.get(hint, hint)}, found {_shown(value)}")
    return value


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
