"""Small modules, small functions, small tests."""

import ast
from statistics import median, quantiles

from tests.house.sources import PROJECT, functions, lines, modules

LONGER = {
    "ml/simulation/venue.py:_simulate": "one compiled loop over events, whose state is some thirty local numbers",
    "ml/market/scanner.py:_read": "one compiled loop over the steps of a shape, a branch for each kind of step",
}
"""Functions that may be longer than 40 lines or deeper than four levels, with the reason; each is compiled."""
COMPILED = {"hot", "inlined", "njit"}
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)


def lengths():
    """Lines of every source module with code."""
    return {p: len((PROJECT / p).read_text().splitlines()) for p in modules() if not p.endswith("__init__.py")}


def product_functions():
    return {f"{path}:{f.name}": f for path, tree in modules().items() for f in functions(tree)}


def written():
    found = {f"{path}:{f.name}": f for path, tree in modules("tests").items() for f in functions(tree)}
    return {name: f for name, f in found.items() if f.name.startswith("test_")}


def p90(values):
    return quantiles(values, n=10, method="inclusive")[8]


def depth(node):
    """Levels of blocks inside blocks; an elif is no level deeper than its if."""
    below = 0
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                below = max(below, depth(child) - (field == "orelse" and isinstance(child, ast.If)))
    return below + isinstance(node, BLOCKS)


def body(function):
    """Lines of a function below its docstring."""
    first = function.body[bool(ast.get_docstring(function))]
    return function.end_lineno - first.lineno + 1


def _is_asset(function):
    return any("asset" in ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list)


def largest(sizes):
    return sorted(sizes.items(), key=lambda item: -item[1])[:12]


def test_modules_are_small():
    """None above 300 lines, half at most 100, nine of ten at most 180."""
    sizes = lengths()
    assert max(sizes.values()) <= 300, largest(sizes)
    assert median(sizes.values()) <= 100
    assert p90(sizes.values()) <= 180, largest(sizes)


def test_functions_are_small():
    """None above 40 lines without a reason, half at most 8, nine of ten at most 25."""
    sizes = {name: lines(function) for name, function in product_functions().items()}
    assert {name: size for name, size in sizes.items() if size > 40} == {name: sizes[name] for name in LONGER}
    assert median(sizes.values()) <= 8
    assert p90(sizes.values()) <= 25, largest(sizes)


def test_assets_are_a_few_lines():
    """An asset names what it makes and calls ml: at most 15 lines below its docstring."""
    found = {name: f for name, f in product_functions().items() if name.startswith("assets/") and _is_asset(f)}
    assert len(found) >= 10
    assert {name: size for name, f in found.items() if (size := body(f)) > 15} == {}


def test_functions_are_flat():
    """At most four levels of blocks."""
    deep = {name: depth(function) for name, function in product_functions().items()}
    assert {name: levels for name, levels in deep.items() if levels > 4 and name not in LONGER} == {}


def test_only_compiled_functions_have_an_excuse():
    """A long function that is not a kernel must be cut."""
    for name in LONGER:
        decorators = " ".join(ast.unparse(d) for d in product_functions()[name].decorator_list)
        assert any(word in decorators for word in COMPILED), name


def test_tests_are_small_and_say_what_they_are_for():
    """Half at most 12 lines, each with its intent in a docstring, no file above 300 lines."""
    assert [name for name, f in written().items() if not ast.get_docstring(f)] == []
    assert median(lines(f) for f in written().values()) <= 12
    assert [p for p in modules("tests") if len((PROJECT / p).read_text().splitlines()) > 300] == []
