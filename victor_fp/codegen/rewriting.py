"""Post-processing of generated code: frozen structs, `T | None` in responses, and aliases that work at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.normalise import Side

IMPORTABLE = {"typing": ("Any", "Literal", "TypeAlias"), "msgspec": ("UNSET", "Struct", "UnsetType", "field")}


def rewrite_module(
    source: str, side: Side, order: tuple[str, ...], header: str, bases: Mapping[str, str] | None = None
) -> str:
    """Rewrite the generator's module: frozen classes in the given order, followed by aliases.

    In requests, an absent field is UNSET, distinct from null; in responses, both are None. `bases` maps classes to the class of
    the module that they extend, which precedes them in `order`.
    """
    statements = _parse(source)
    extended = bases or {}
    classes = {
        node.name: _rewrite_struct(node, side, extended.get(node.name))
        for node in statements
        if isinstance(node, ast.ClassDef)
    }
    aliases = {
        node.target.id: node
        for node in statements
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    missing = [name for name in order if name not in classes and name not in aliases]
    if missing:
        raise CodegenFailed(f"the generator renamed or dropped {', '.join(missing)}")
    body: list[ast.stmt] = [classes[name] for name in order if name in classes]
    body += [node for name, node in classes.items() if name not in order]
    body += [_rewrite_alias(aliases[name]) for name in _sort_aliases(aliases)]
    used = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    lines = [header, "", "from __future__ import annotations", ""]
    for module, names in IMPORTABLE.items():
        needed = [name for name in names if name in used]
        lines += [f"from {module} import {', '.join(needed)}", ""] if needed else []
    return "\n".join([*lines, *(ast.unparse(ast.fix_missing_locations(node)) + "\n\n" for node in body)])


def _parse(source: str) -> list[ast.stmt]:
    """Parse the module and return its classes and aliases; raises if document text became code other than literals."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise CodegenFailed(f"the generator's output is not Python: {error}") from error
    kept = [node for node in statements if isinstance(node, ast.ClassDef | ast.AnnAssign)]
    for node in kept:
        for part in ast.walk(node):
            if not isinstance(part, _ALLOWED_NODES) or (isinstance(part, ast.Call) and not _is_field(part)):
                raise CodegenFailed(f"the generator's output has code in place of a type: {ast.unparse(part)[:80]}")
    return list(kept)


_ALLOWED_NODES = (
    ast.ClassDef,
    ast.AnnAssign,
    ast.Expr,
    ast.Pass,
    ast.Name,
    ast.Constant,
    ast.Subscript,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.BitOr,
    ast.Call,
    ast.keyword,
    ast.expr_context,
)
"""Node types allowed in struct definitions and type aliases."""


def _is_field(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("field", "Meta")


def _rewrite_struct(node: ast.ClassDef, side: Side, base: str | None) -> ast.ClassDef:
    keywords = [keyword for keyword in node.keywords if keyword.arg != "frozen"]
    frozen = ast.keyword(arg="frozen", value=ast.Constant(value=True))
    body = [_rewrite_field(item, side) if isinstance(item, ast.AnnAssign) else item for item in node.body]
    bases: list[ast.expr] = node.bases if base is None else [ast.Name(id=base, ctx=ast.Load())]
    return ast.ClassDef(
        name=node.name, bases=bases, keywords=[frozen, *keywords], body=body, decorator_list=node.decorator_list
    )


def _rewrite_field(node: ast.AnnAssign, side: Side) -> ast.AnnAssign:
    options = _list_union_members(_unquote(node.annotation))
    names = [ast.unparse(option) for option in options]
    default = node.value
    if "UnsetType" in names:
        constant = default is not None and not _has_unset(default)
        rest = [option for option, name in zip(options, names, strict=True) if name != "UnsetType"]
        if side == "response":
            if "None" not in names and "Any" not in names:
                rest.append(ast.Constant(value=None))
            default = _replace_unset(default)
        elif not constant:
            rest.append(ast.Name(id="UnsetType", ctx=ast.Load()))
        options = rest
    annotation = _join_union(options)
    return ast.AnnAssign(target=node.target, annotation=annotation, value=default, simple=node.simple)


def _has_unset(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == "UNSET" for inner in ast.walk(node))


def _replace_unset(default: ast.expr | None) -> ast.expr | None:
    class Change(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Constant(value=None) if node.id == "UNSET" else node

    changed = None if default is None else Change().visit(default)
    return changed if isinstance(changed, ast.expr) else None


def _rewrite_alias(node: ast.AnnAssign) -> ast.AnnAssign:
    value = None if node.value is None else _join_union(_list_union_members(_unquote(node.value)))
    return ast.AnnAssign(target=node.target, annotation=node.annotation, value=value, simple=1)


def _sort_aliases(aliases: dict[str, ast.AnnAssign]) -> tuple[str, ...]:
    """Return alias names in dependency order."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order:
            return
        value = aliases[name].value
        for inner in ast.walk(_unquote(value)) if value is not None else ():
            if isinstance(inner, ast.Name) and inner.id in aliases and inner.id != name:
                visit(inner.id)
        order[name] = None

    for name in aliases:
        visit(name)
    return tuple(order)


def _unquote(node: ast.expr) -> ast.expr:
    """Convert forward references in a type expression to names; strings in `Literal[...]` are kept."""

    class Change(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
            if isinstance(node.value, ast.Name) and node.value.id == "Literal":
                return node
            if isinstance(node.value, ast.Name) and node.value.id == "Annotated" and isinstance(node.slice, ast.Tuple):
                return _unquote(node.slice.elts[0])
            self.generic_visit(node)
            if isinstance(node.value, ast.Name) and node.value.id in ("Union", "Optional"):
                members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                none: list[ast.expr] = [ast.Constant(value=None)] if node.value.id == "Optional" else []
                return _join_union([*members, *none])
            return node

        def visit_Constant(self, node: ast.Constant) -> ast.expr:
            if isinstance(node.value, str):
                return _unquote(ast.parse(node.value, mode="eval").body)
            return node

    changed = Change().visit(node)
    return changed if isinstance(changed, ast.expr) else node


def _list_union_members(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_list_union_members(node.left), *_list_union_members(node.right)]
    return [node]


def _join_union(options: Iterable[ast.expr]) -> ast.expr:
    """Build `A | B | None` without duplicates and with None last."""
    unique = {ast.unparse(option): option for option in options}
    last = [name for name in ("None", "UnsetType") if name in unique]
    ordered = [option for name, option in unique.items() if name not in last] + [unique[name] for name in last]
    joined = ordered[0]
    for option in ordered[1:]:
        joined = ast.BinOp(left=joined, op=ast.BitOr(), right=option)
    return joined
