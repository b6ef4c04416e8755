"""The estimators once more from their own source, with every operation on real numbers passed through a hook.

Two hooks: `rounded` gives after each operation what single precision gives (the double result of two singles, rounded to
single, is the single result of + - * / and sqrt), compiled; `counting` counts, interpreted. Floats that stand in the source
are rounded too; whole-number arithmetic is left alone. So it is the kernels that are measured, and no copy of them.
"""

from __future__ import annotations

import ast
import importlib
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numba.extending
import numpy as np

from firmware_sim import jit

# In the order in which they import each other.
NAMES = (
    "belief",
    "start",
    "noise",
    "counting",
    "ocv",
    "ekf",
    "ukf",
    "ekf_r",
    "sodium",
    "spread",
    "strings",
    "summary",
    "reference",
    "step",
)
OPERATIONS = {ast.Add: "add", ast.Sub: "add", ast.Mult: "mul", ast.Div: "div"}
CALLS = {"exp": "exp", "math.sqrt": "sqrt"}


def single(x: float) -> float:
    """The nearest number of single precision; whole numbers as they are."""
    return float(np.float32(x)) if isinstance(x, float) else x


@numba.extending.overload(single, strict=False)
def _single(x: Any) -> Any:
    if isinstance(x, numba.types.Float):
        return lambda x: np.float64(np.float32(x))
    return lambda x: x


class Hook(ast.NodeTransformer):
    """Wraps operations. known: the module as it is, for the values of its names.  rounds: constants become single too."""

    def __init__(self, known: ModuleType | Any, rounds: bool) -> None:
        self.known, self.rounds = vars(known), rounds

    def constant(self, node: ast.expr) -> float | None:
        """Value of an expression that is a float and known beforehand, None for others."""
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        modules = ("cfg", "st", "belief", "start")
        plain = not any(isinstance(n, ast.Call | ast.Subscript | ast.IfExp | ast.Compare) for n in ast.walk(node))
        if plain and all(name in modules or isinstance(self.known.get(name), int | float) for name in names - self.local):
            if names & self.local:
                return None
            value = eval(compile(ast.Expression(node), "source", "eval"), dict(self.known))
            return value if isinstance(value, float) else None
        return None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Its arguments and variables are not known beforehand."""
        stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.local = stored | {a.arg for a in node.args.args}
        node.returns, node.args.defaults = None, []
        for a in node.args.args:
            a.annotation = None
        node.body = [self.visit(part) for part in node.body]
        return node

    def visit(self, node: ast.AST) -> Any:
        """Constants first, whatever they are made of."""
        if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
            value = self.constant(node)
            if value is not None:
                return ast.copy_location(ast.Constant(single(value) if self.rounds else value), node)
        return super().visit(node)

    def wrapped(self, name: str, node: ast.expr) -> ast.expr:
        """The hook around an operation."""
        return ast.Call(ast.Name("hook", ast.Load()), [*([] if self.rounds else [ast.Constant(name)]), node], [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """A + b and its like."""
        self.generic_visit(node)
        return self.wrapped(OPERATIONS[type(node.op)], node) if type(node.op) in OPERATIONS else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Exp and the root."""
        self.generic_visit(node)
        name = ast.unparse(node.func)
        return self.wrapped(CALLS[name], node) if name in CALLS else node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """A += b as a = a + b."""
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        return self.visit(ast.Assign([node.target], ast.BinOp(target, node.op, node.value)))


def _functions(tree: ast.Module) -> list[ast.stmt]:
    """Kernels of a module."""
    return [
        n
        for n in tree.body
        if isinstance(n, ast.FunctionDef) and {ast.unparse(d) for d in n.decorator_list} & {"kernel", "inlined"}
    ]


def load(
    hook: Callable[..., Any], compiled: bool, rounds: bool, edits: dict[str, list[tuple[str, str]]] | None = None
) -> dict[str, ModuleType]:
    """The estimators by name, each operation hooked. rounds: hook takes a number, else a name and a number.

    edits: for a name, texts of its source and what stands in their place.
    """
    compile_ = numba.njit(error_model="numpy") if compiled else lambda f: f
    shared: dict[str, Any] = {"math": math, "hook": hook, "kernel": compile_, "inlined": compile_}
    (exp,) = [n for n in _functions(ast.parse(Path(jit.__file__).read_text(encoding="utf-8"))) if n.name == "exp"]  # type: ignore[attr-defined]
    inside = {**shared, "hook": single if rounds else (lambda _, x: x)}
    exec(_code([Hook(jit, rounds).visit(exp)], "exp"), inside)
    shared["exp"] = inside["exp"]
    made: dict[str, ModuleType] = {}
    for name in NAMES:
        known = importlib.import_module(f"firmware_sim.estimate.{name}")
        text = Path(str(known.__file__)).read_text(encoding="utf-8")
        for old, new in (edits or {}).get(name, []):
            if text.count(old) != 1:
                raise SystemExit(f"estimate/{name}.py: expected once: {old}")
            text = text.replace(old, new)
        made[name] = ModuleType(name)
        vars(made[name]).update({**vars(known), **{n: m for n, m in made.items() if n in vars(known)}, **shared})
        exec(_code([Hook(known, rounds).visit(f) for f in _functions(ast.parse(text))], name), vars(made[name]))
    return made


def _code(body: list[ast.stmt], name: str) -> Any:
    return compile(ast.fix_missing_locations(ast.Module(body, [])), f"hooked {name}", "exec")


class Counts:
    """How often each operation was done. Operations on whole numbers, and within exp, do not count."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def __call__(self, name: str, value: Any) -> Any:
        """Count, and go on with the value."""
        if isinstance(value, float):
            self.of[name] += 1
        return value
