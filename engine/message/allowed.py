"""What a template may say: the allow-list over Jinja's syntax tree, and the data that a template reads.

A template sees plain data only. Whatever could run code, read files, or grow without bound is refused before it is compiled, because
a running render can't be interrupted. Anything not named here is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import nodes

from engine.grammar import suggestion
from engine.message.filters import FILTERS

MAPPINGS = ("contact", "event", "matched", "vars", "organisation")
TEXTS = ("unsubscribe_url",)
LATER = ("preferences_url", "view_url")
ORGANISATION = ("name", "postal_address")
LOOP = ("index", "index0", "first", "last", "length")
TESTS = ("defined", "undefined")
MOST_EXPRESSIONS = 5_000
DEEPEST_EXPRESSION = 40
DEEPEST_BLOCK = 10  # Python compiles at most 20 nested loops

# Statements and expressions that people try, and what to say.
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Include: "'{% include %}' is refused: in a mail write <mj-include path=\"parts/footer.mjml\" />",
    nodes.Import: "'{% import %}' is refused: a template is one text",
    nodes.FromImport: "'{% from %}' is refused: a template is one text",
    nodes.Extends: "'{% extends %}' is refused: share parts with <mj-include>",
    nodes.Block: "'{% block %}' is refused: share parts with <mj-include>",
    nodes.Macro: "'{% macro %}' is refused: share parts with <mj-include>",
    nodes.CallBlock: "'{% call %}' is refused",
    nodes.FilterBlock: "'{% filter %}' is refused: put the filter behind each variable",
    nodes.Assign: "'{% set %}' is refused: pass the value as one of the step's 'vars'",
    nodes.AssignBlock: "'{% set %}' is refused: pass the value as one of the step's 'vars'",
    nodes.With: "'{% with %}' is refused",
    nodes.Scope: "'{% autoescape %}' is refused: escaping follows from the part of the message",
    nodes.Call: "calling something is refused: a template reads data, it runs no code",
    nodes.Mul: "'*' is refused: compute the value before, and pass it as one of the step's 'vars'",
    nodes.Div: "'/' is refused: compute the value before, and pass it as one of the step's 'vars'",
    nodes.FloorDiv: "'//' is refused: compute the value before, and pass it as one of the step's 'vars'",
    nodes.Pow: "'**' is refused: compute the value before, and pass it as one of the step's 'vars'",
    nodes.Mod: "'%' is refused: use the filters money, number, date and time",
    nodes.Slice: "a slice [a:b] is refused: use the filter 'truncate', 'first' or 'last'",
    nodes.Dict: "a mapping can't be written in a template",
}
_PARTS: tuple[type[nodes.Node], ...] = (
    nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos, nodes.Not, nodes.Concat,
    nodes.Compare, nodes.Operand, nodes.List, nodes.Tuple,
)  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """One thing that is not allowed, at a line of the template's text."""

    line: int
    message: str
    word: str = ""  # as it stands in the text, if one word is to blame


@dataclass(frozen=True)
class Use:
    """One reading of a variable.

    `path` is dotted, `*` standing for each item of a list. `guarded`: a default or an `is defined` covers it. `always`: it
    stands outside every `if` and `for`, so that each rendering shows it.
    """

    path: str
    line: int
    guarded: bool
    always: bool


@dataclass(frozen=True)
class Examined:
    """What a template does; good only if `refusals` is empty."""

    refusals: tuple[Refusal, ...]
    uses: tuple[Use, ...]

    @property
    def variables(self) -> frozenset[str]:
        """Dotted paths that must be there, or rendering fails."""
        return frozenset(use.path for use in self.uses if not use.guarded)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(use.path for use in self.uses)

    def shows_always(self, path: str) -> bool:
        """Whether every rendering reads this variable, whatever the data."""
        return any(use.always and not use.guarded and use.path == path for use in self.uses)


def examine(tree: nodes.Template, internal: Collection[str] = ()) -> Examined:
    """Judge a parsed template; never raises for what an author can write. `internal`: filters that the compiler has put in."""
    examining = _Examining(internal)
    examining.block(tree.body, _Scope())
    if examining.count > MOST_EXPRESSIONS:
        examining.refusals.append(Refusal(1, f"over {MOST_EXPRESSIONS:,} expressions in one template"))
    return Examined(tuple(examining.refusals), tuple(examining.uses))


def weight(body: list[nodes.Node]) -> int:
    """How many expressions one round of a loop evaluates."""
    return 1 + sum(1 for node in body for _ in node.find_all(nodes.Expr))


def path_of(node: nodes.Node) -> tuple[str, ...] | None:
    """`contact.city.name` as its parts; None for anything but a name followed by fields and numbers."""
    match node:
        case nodes.Name(name=name):
            return (name,)
        case nodes.Getattr(node=inner, attr=last):
            parts = path_of(inner)
            return None if parts is None else (*parts, last)
        case nodes.Getitem(node=inner, arg=nodes.Const(value=last)) if isinstance(last, str | int) and not isinstance(
            last, bool
        ):
            parts = path_of(inner)
            return None if parts is None else (*parts, str(last))
    return None


@dataclass(frozen=True)
class _Scope:
    """Where in the template we are."""

    items: dict[str, str] = field(default_factory=dict)  # loop variable -> path of what it stands for
    defined: frozenset[str] = frozenset()
    always: bool = True
    in_loop: bool = False
    guarded: bool = False
    depth: int = 0


class _Examining:
    def __init__(self, internal: Collection[str]) -> None:
        self.internal = internal
        self.refusals: list[Refusal] = []
        self.uses: list[Use] = []
        self.count = 0
        self.depth = 0

    def refuse(self, node: nodes.Node, message: str, word: str = "") -> None:
        self.refusals.append(Refusal(node.lineno or 1, message, word))

    def block(self, body: list[nodes.Node], scope: _Scope) -> None:
        if scope.depth > DEEPEST_BLOCK:
            self.refuse(
                body[0] if body else nodes.Output([], lineno=1), f"'if' and 'for' nest over {DEEPEST_BLOCK} deep"
            )
            return
        for node in body:
            self.statement(node, replace(scope, depth=scope.depth + 1))

    def statement(self, node: nodes.Node, scope: _Scope) -> None:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        self.output(part, scope)
            case nodes.If():
                self.condition(node, scope)
            case nodes.For():
                self.loop(node, scope)
            case _:
                self.refuse(node, _REFUSED.get(type(node), f"'{type(node).__name__.lower()}' is refused in a template"))

    def output(self, node: nodes.Expr, scope: _Scope) -> None:
        parts = path_of(node)
        if parts is not None and len(parts) == 1 and parts[0] in MAPPINGS:
            self.refuse(node, f"'{parts[0]}' is not a text: name a field, such as {parts[0]}.name", parts[0])
            return
        if isinstance(node, nodes.Const) and isinstance(node.value, bool):
            self.refuse(node, f"'{str(node.value).lower()}' is not a text")
        self.expression(node, scope)

    def condition(self, node: nodes.If, scope: _Scope) -> None:
        self.expression(node.test, scope)
        if_true, if_false = _guards(node.test, scope)
        inside = replace(scope, always=False)
        self.block(node.body, replace(inside, defined=scope.defined | if_true))
        inside = replace(inside, defined=scope.defined | if_false)
        for other in node.elif_:
            self.condition(other, inside)
            inside = replace(inside, defined=inside.defined | _guards(other.test, inside)[1])
        self.block(node.else_, inside)

    def loop(self, node: nodes.For, scope: _Scope) -> None:
        self.expression(node.iter, scope)
        if node.recursive:
            self.refuse(node, "'recursive' is refused")
        if not isinstance(node.target, nodes.Name):
            self.refuse(node, "a loop names one variable: {% for item in event.items %}")
            return
        name = node.target.name
        if name in (*MAPPINGS, *TEXTS, *LATER, "loop") or name.startswith("_"):
            self.refuse(node, f"a loop's variable can't be called '{name}'", name)
            return
        parts = path_of(node.iter)
        if parts is None:
            self.refuse(node, "a loop goes over a list of the data: {% for item in event.items %}")
            return
        items = {**scope.items, name: f"{_full_path(parts, scope)}.*"}
        inside = replace(scope, items=items, always=False, in_loop=True)
        if node.test is not None:
            self.expression(node.test, inside)
        self.block(node.body, inside)
        self.block(node.else_, replace(scope, always=False))

    def expression(self, node: nodes.Node, scope: _Scope) -> None:
        self.count += 1
        self.depth += 1
        if self.depth == DEEPEST_EXPRESSION:
            self.refuse(node, f"an expression nests over {DEEPEST_EXPRESSION} deep")
        elif self.depth < DEEPEST_EXPRESSION:
            self.judge(node, scope)
        self.depth -= 1

    def judge(self, node: nodes.Node, scope: _Scope) -> None:
        match node:
            case nodes.Const():
                if node.value is None:
                    self.refuse(node, "'none' is refused: a missing value is told by 'is defined'")
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                self.variable(node, scope)
            case nodes.Filter():
                self.filter(node, scope)
            case nodes.Test():
                self.test(node, scope)
            case nodes.CondExpr():
                self.choice(node, scope)
            case nodes.And() | nodes.Or():
                self.expression(node.left, scope)
                known = _guards(node.left, scope)[0 if isinstance(node, nodes.And) else 1]
                self.expression(node.right, replace(scope, defined=scope.defined | known))
            case _ if isinstance(node, _PARTS):
                for child in node.iter_child_nodes():
                    self.expression(child, scope)
            case _:
                self.refuse(node, _REFUSED.get(type(node), f"'{type(node).__name__.lower()}' is refused in a template"))

    def choice(self, node: nodes.CondExpr, scope: _Scope) -> None:
        if node.expr2 is None:
            self.refuse(node, "write the other case too: {{ 'a' if .. else 'b' }}")
            return
        self.expression(node.test, scope)
        if_true, if_false = _guards(node.test, scope)
        self.expression(node.expr1, replace(scope, always=False, defined=scope.defined | if_true))
        self.expression(node.expr2, replace(scope, always=False, defined=scope.defined | if_false))

    def test(self, node: nodes.Test, scope: _Scope) -> None:
        if node.name not in TESTS:
            hint = suggestion(node.name, TESTS) or " (there is: is defined, is undefined)"
            self.refuse(node, f"unknown test 'is {node.name}'{hint}", node.name)
            return
        if path_of(node.node) is None:
            self.refuse(node, f"'is {node.name}' stands behind a variable, such as contact.city")
            return
        self.expression(node.node, replace(scope, guarded=True))

    def filter(self, node: nodes.Filter, scope: _Scope) -> None:
        if node.name in self.internal and node.node is not None:
            self.expression(node.node, scope)
            return
        known = FILTERS.get(node.name)
        if known is None or node.node is None:
            hint = suggestion(node.name, FILTERS) or f" (there is: {', '.join(FILTERS)})"
            self.refuse(node, f"unknown filter '{node.name}'{hint}", node.name)
            return
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            self.refuse(node, f"write the argument of '{node.name}' without a name: {known.example}", node.name)
            return
        fault = known.fault([_argument(argument) for argument in node.args])
        if fault is not None:
            self.refuse(node, f"'{node.name}' {fault}: write {known.example}", node.name)
        covered = node.name == "default" and (path_of(node.node) is not None or _is_default(node.node))
        self.expression(node.node, replace(scope, guarded=scope.guarded or covered))
        for argument in node.args:
            self.expression(argument, scope)

    def variable(self, node: nodes.Node, scope: _Scope) -> None:
        parts = path_of(node)
        if parts is None:
            self.refuse(node, "a field is named by a word or a number: event.items.0.name")
            return
        hidden = next((part for part in parts if part.startswith("_")), None)
        if hidden is not None:
            self.refuse(node, f"'{hidden}' is refused: names that begin with '_' are not data", hidden)
            return
        fault = self.root_fault(parts, scope)
        if fault is not None:
            self.refuse(node, fault, parts[1] if parts[0] == "organisation" else parts[0])
        elif parts[0] != "loop":
            path = _full_path(parts, scope)
            guarded = scope.guarded or any(path == known or path.startswith(f"{known}.") for known in scope.defined)
            self.uses.append(Use(path, node.lineno or 1, guarded, scope.always))

    def root_fault(self, parts: tuple[str, ...], scope: _Scope) -> str | None:
        root = parts[0]
        if root in LATER:
            return f"'{root}' is not supported yet"
        if root == "loop" and scope.in_loop:
            return None if len(parts) == 2 and parts[1] in LOOP else f"'loop' has {', '.join(LOOP)}"
        if root in TEXTS:
            return None if len(parts) == 1 else f"'{root}' has no fields"
        if root == "organisation" and (len(parts) > 2 or (len(parts) == 2 and parts[1] not in ORGANISATION)):
            return f"unknown variable '{'.'.join(parts)}'{suggestion(parts[1], ORGANISATION) or ' (there is: name, postal_address)'}"
        if root in MAPPINGS or root in scope.items:
            return None
        known = (*MAPPINGS, *TEXTS, *scope.items)
        hint = suggestion(root, known) or f" (there is: {', '.join(known)})"
        return f"unknown variable '{root}'{hint}"


def _full_path(parts: tuple[str, ...], scope: _Scope) -> str:
    return ".".join((scope.items.get(parts[0], parts[0]), *parts[1:]))


def _guards(test: nodes.Node, scope: _Scope) -> tuple[frozenset[str], frozenset[str]]:
    """The paths that surely are there when the test holds, and when it does not."""
    none: frozenset[str] = frozenset()
    match test:
        case nodes.Test(name="defined" | "undefined" as name, node=inner):
            parts = path_of(inner)
            there = none if parts is None else frozenset({_full_path(parts, scope)})
            return (there, none) if name == "defined" else (none, there)
        case nodes.Not(node=inner):
            if_true, if_false = _guards(inner, scope)
            return if_false, if_true
        case nodes.And(left=left, right=right):
            return _guards(left, scope)[0] | _guards(right, scope)[0], none
        case nodes.Or(left=left, right=right):
            return none, _guards(left, scope)[1] | _guards(right, scope)[1]
    return none, none


def _is_default(node: nodes.Node) -> bool:
    """Whether this is `path | default(..)`, which another default may follow."""
    return isinstance(node, nodes.Filter) and node.name == "default" and node.node is not None


def _argument(node: nodes.Node) -> Any:
    """A written-out argument as its value; a variable as `...`."""
    return node.value if isinstance(node, nodes.Const) else ...
