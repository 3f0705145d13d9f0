"""Fails when a file or function outgrows its budget: 400 lines a file, 120 lines the median file, 50 lines a function."""

import ast
import statistics
import sys
from pathlib import Path

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MEDIAN_FILE = 120


def too_long(file: Path, text: str) -> list[str]:
    """What is too long in one file, ready to print; strings and comments count as lines."""
    found = [f"{file}: {lines} lines, at most {LONGEST_FILE}"] if (lines := text.count("\n")) > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(f"{file}:{node.lineno}: {node.name} has {length} lines, at most {LONGEST_FUNCTION}")
    return found


def main() -> int:
    """Print everything over budget; 1 if there is anything."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(Path("src/sayso").rglob("*.py"))}
    found = [line for file, text in texts.items() for line in too_long(file, text)]
    median = statistics.median(text.count("\n") for text in texts.values() if text.count("\n") > 1)
    if median > MEDIAN_FILE:
        found.append(f"the median file has {median:.0f} lines, at most {MEDIAN_FILE}")
    print("\n".join(found) or f"sizes: {len(texts)} files, median {median:.0f} lines")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
