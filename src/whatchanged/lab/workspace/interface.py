"""What a module offers, read from its source: signatures and docstrings, without importing it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

__all__ = ["describe_module", "module_docstring"]

_LONGEST = 2000


def module_docstring(source: str) -> str:
    """The module's docstring, or an empty text.

    Raises:
        SyntaxError: If it is not Python.
    """
    return ast.get_docstring(ast.parse(source)) or ""


def describe_module(source: str) -> str:
    """Signatures and docstrings of the functions and classes a module offers.

    Those in ``__all__`` where there is one, else those without a leading underscore that are defined in the
    module; functions in the order of the source, methods below their class.

    Raises:
        SyntaxError: If it is not Python.
    """
    tree = ast.parse(source)
    offered = _exported(tree)
    lines: list[str] = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name in offered if offered is not None else not node.name.startswith("_"):
            lines += _class(node) if isinstance(node, ast.ClassDef) else _function(node)
    return "\n".join(lines)


def _exported(tree: ast.Module) -> frozenset[str] | None:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
            and isinstance(node.value, ast.List | ast.Tuple)
        ):
            names = [one.value for one in node.value.elts if isinstance(one, ast.Constant)]
            return frozenset(name for name in names if isinstance(name, str))
    return None


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, indent: str = "") -> Iterator[str]:
    if any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        yield f"{indent}{node.name}{returns}  # property"
    else:
        yield f"{indent}{_signature(node)}"
    yield from _docstring(node, indent + "    ")


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield f"class {node.name}({bases})" if bases else f"class {node.name}"
    yield from _docstring(node, "    ")
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if not field.target.id.startswith("_"):
                default = f" = {ast.unparse(field.value)}" if field.value else ""
                yield f"    {field.target.id}: {ast.unparse(field.annotation)}{default}"
        elif isinstance(field, ast.FunctionDef | ast.AsyncFunctionDef) and (
            field.name in {"__init__", "__call__"} or not field.name.startswith("_")
        ):
            yield from _function(field, "    ")


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{start} {node.name}({ast.unparse(node.args)}){returns}"


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, indent: str) -> Iterator[str]:
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rstrip() + " ..."
    for line in text.splitlines():
        yield f"{indent}{line}".rstrip()
