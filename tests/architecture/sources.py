"""The product's sources, parsed once."""

import ast
import subprocess
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ("ml", "assets", "pipelines", "live", "cli")


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """Syntax trees of all modules below the folders, by their path in the project."""
    paths = [path for folder in folders or PACKAGES for path in sorted((PROJECT / folder).rglob("*.py"))]
    return {path.relative_to(PROJECT).as_posix(): ast.parse(path.read_text()) for path in paths}


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    """All functions and methods of a module."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@cache
def tracked() -> list[Path]:
    """The text files that the project keeps, or would keep: tracked, and new ones that git does not ignore."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in answer.stdout.splitlines() if (path := PROJECT / name).is_file()]
