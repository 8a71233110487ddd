"""What an interface file exposes, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, Literal, Optional, Union

__all__ = ["Exposed", "read_interface"]

_EXPOSE = "expose"
_PLAIN: dict[str, Any] = {
    "Any": Any, "None": None, "bool": bool, "dict": dict, "float": float, "int": int, "list": list, "str": str,
    "Dict": dict, "List": list,
}  # fmt: skip
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """One exposed function.

    Attributes:
        name: Its name.
        docs: Its docstring.
        node: Its definition.
    """

    name: str
    docs: str
    node: _Definition

    @property
    def header(self) -> str:
        """Its parameters and what it returns as source; defaults that are no literals become ``...``."""
        arguments = ast.parse(f"def f({ast.unparse(self.node.args)}): ...").body[0]
        assert isinstance(arguments, ast.FunctionDef)
        plain = arguments.args
        plain.defaults = [_literal(one) for one in plain.defaults]
        plain.kw_defaults = [None if one is None else _literal(one) for one in plain.kw_defaults]
        returns = f" -> {ast.unparse(self.node.returns)}" if self.node.returns else ""
        return f"({ast.unparse(plain)}){returns}"

    @property
    def parts(self) -> tuple[list[str], str | None, list[str], str | None]:
        """Names of its parameters: positional ones, ``*``, keyword-only ones, ``**``."""
        of = self.node.args
        return (
            [one.arg for one in (*of.posonlyargs, *of.args)],
            of.vararg.arg if of.vararg else None,
            [one.arg for one in of.kwonlyargs],
            of.kwarg.arg if of.kwarg else None,
        )

    def signature(self) -> Signature:
        """Its signature with types as JSON has them, as a tool is described by; ``*`` and ``**`` are left out."""
        of = self.node.args
        positional = [*of.posonlyargs, *of.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(of.defaults))
        pairs = [
            *zip(positional, [*missing, *of.defaults], strict=True),
            *zip(of.kwonlyargs, of.kw_defaults, strict=True),
        ]
        found = []
        for one, default in pairs:
            kind = json_type(one.annotation)
            if default is not None and not _is_literal(default):
                kind, default = Optional[kind], ast.Constant(None)  # noqa: UP045  (the type is a value here)
            value = Parameter.empty if default is None else ast.literal_eval(default)
            found.append(Parameter(one.arg, Parameter.KEYWORD_ONLY, default=value, annotation=kind))
        return Signature(found)

    def left_to_the_function(self) -> frozenset[str]:
        """Parameters whose default is no literal: ``None`` for them is not passed on."""
        of = self.node.args
        positional = [*of.posonlyargs, *of.args]
        with_defaults = [*positional[len(positional) - len(of.defaults) :], *of.kwonlyargs]
        defaults = [*of.defaults, *of.kw_defaults]
        return frozenset(
            one.arg
            for one, default in zip(with_defaults, defaults, strict=True)
            if default is not None and not _is_literal(default)
        )


def read_interface(source: str, where: str) -> tuple[Exposed, ...]:
    """The functions marked ``@expose`` at the top of a file, in its order.

    Raises:
        ValueError: If it is not Python, or exposes nothing.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{where} is not Python: {error.msg} in line {error.lineno}") from error
    found = tuple(_exposed(tree.body))
    if not found:
        raise ValueError(f"{where} exposes nothing; write @{_EXPOSE} above a function")
    return found


def _exposed(body: Sequence[ast.stmt]) -> Iterator[Exposed]:
    for node in body:
        if isinstance(node, _Definition) and any(
            isinstance(mark, ast.Name) and mark.id == _EXPOSE for mark in node.decorator_list
        ):
            yield Exposed(name=node.name, docs=ast.get_docstring(node) or "", node=node)


def json_type(annotation: ast.expr | None) -> Any:
    """An annotation as a type of JSON; what is none is any value."""
    match annotation:
        case ast.Name(id=name):
            return _PLAIN.get(name, Any)
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return json_type(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[json_type(left), json_type(right)]  # noqa: UP007  (types are values here)
        case ast.Subscript(value=ast.Name(id=outer), slice=inner):
            return _generic(outer, inner)
    return Any


def _generic(outer: str, inner: ast.expr) -> Any:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    makers: dict[str, Callable[[], Any]] = {
        "Optional": lambda: Optional[json_type(parts[0])],  # noqa: UP045
        "Union": lambda: Union[tuple(json_type(part) for part in parts)],  # noqa: UP007
        "Literal": lambda: Literal[tuple(ast.literal_eval(part) for part in parts)],
        "list": lambda: list[json_type(parts[0])],  # type: ignore[misc]
        "dict": lambda: dict[str, json_type(parts[-1])],  # type: ignore[misc]
    }
    make = makers.get(outer) or makers.get(outer.lower())
    return make() if make else _PLAIN.get(outer, Any)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def _literal(node: ast.expr) -> ast.expr:
    return node if _is_literal(node) else ast.Constant(...)
