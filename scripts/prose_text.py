"""Where prose is in a file: its paragraphs with the lines they begin in.

Code, formulas and identifiers in backquotes become `_`, so that a pattern of words sees words.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CODE = re.compile(r"``[^`]+``|`[^`\n]+(?:\n[^`\n]+)?`(?:__?)?|:\w+:`[^`]+`")


@dataclass(frozen=True)
class Passage:
    """A paragraph, a comment or a message.

    Parameters
    ----------
    line : int
        Line of the file that it begins in, from 1.
    kind : str
        "page", "cell" (of a table), "docstring", "comment" or "message".
    text : str
        The words, with line breaks as they stand.
    """

    line: int
    kind: str
    text: str

    def line_of(self, words: int) -> int:
        """Return the line of the file that the word after this many words is in."""
        for at, line in enumerate(self.text.split("\n")):
            words -= len(line.split())
            if words < 0:
                return self.line + at
        return self.line


def passages(path: Path) -> list[Passage]:
    """Return what a file says in words."""
    text = path.read_text(encoding="utf-8")
    readers = {".md": _of_markdown, ".py": _of_python, ".pyi": _of_python}
    return list(readers.get(path.suffix, _of_c)(text))


def _of_markdown(text: str) -> Iterator[Passage]:
    """Yield paragraphs and rows of tables outside of code."""
    lines = text.split("\n")
    for start, stop in _blocks(_without_fences(lines)):
        block = lines[start:stop]
        if block[0].lstrip().startswith("|"):
            for at, row in enumerate(block):
                yield Passage(start + at + 1, "cell", _words(row))
        else:
            yield Passage(start + 1, "page", _words("\n".join(block)))


def _without_fences(lines: list[str]) -> list[str]:
    """Return lines with those inside of ``` fences, and HTML, as empty ones."""
    inside, left = False, []
    for line in lines:
        fence = line.lstrip().startswith(("```", ":::"))
        inside ^= fence
        code = inside or fence or re.match(r"\s*(<|\[!\[|>>>)", line)
        left.append("" if code else line)
    return left


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first line, and the one after the last, of each run of lines with text.

    Headings, items of lists and rows of tables begin a block.
    """
    start = None
    table = False
    for at, line in enumerate([*lines, ""]):
        row = line.lstrip().startswith("|")
        begins = bool(re.match(r"\s*(#+ |[-*] |\d+\. )", line)) or row != table
        if start is not None and (not line.strip() or begins):
            yield start, at
            start = None
        if line.strip() and start is None:
            start = at
        table = row


def _of_python(text: str) -> Iterator[Passage]:
    """Yield docstrings, comments and strings of several words."""
    tree = ast.parse(text)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
    for node in docstrings:
        if isinstance(node.value, str):
            yield from _of_docstring(node.value, node.lineno)
    yield from _of_strings(tree, docstrings)
    yield from _of_comments(text)


def _of_docstring(text: str, line: int) -> Iterator[Passage]:
    """Yield the paragraphs of a docstring, without examples and headings."""
    lines = text.split("\n")
    example = False
    for at, words in enumerate(lines):
        example = words.lstrip().startswith(">>>") or (example and bool(words.strip()))
        rule = re.fullmatch(r"\s*(-{3,}|={3,})", words)
        if example or rule or re.match(r"\s*\.\. ", words):
            lines[at] = ""
        if rule and at:
            lines[at - 1] = ""
    indents = [len(w) - len(w.lstrip()) for w in lines]
    start = None
    for at in range(len(lines) + 1):
        end = at == len(lines) or not lines[at].strip()
        if start is not None and (
            end
            or (indents[at] != indents[start] and start)
            or re.match(r"\s*(-|\d+\.) ", lines[at])
        ):
            yield Passage(line + start, "docstring", _words("\n".join(lines[start:at])))
            start = None
        if not end and start is None:
            start = at


def _of_strings(tree: ast.Module, docstrings: set[ast.expr]) -> Iterator[Passage]:
    """Yield strings, and f-strings with `_` for values, that have several words."""
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "_" for v in node.values]
            inside.update(node.values)
            text = "".join(str(p) for p in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node in docstrings or node in inside:
                continue
            text = node.value
        else:
            continue
        if len(re.findall(r"\b[A-Za-z]{2,}\b", text)) >= 3:
            yield Passage(node.lineno, "message", _words(text))


def _of_comments(text: str) -> Iterator[Passage]:
    """Yield comments; those on neighboring lines of their own are one."""
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = token.line.lstrip().startswith("#")
        words = token.string.lstrip("#! ")
        if block and alone and token.start[0] == last + 1:
            block.append(words)
        else:
            if block:
                yield Passage(first, "comment", _words("\n".join(block)))
            block, first = [words], token.start[0]
        last = token.start[0] if alone else 0
    if block:
        yield Passage(first, "comment", _words("\n".join(block)))


def _of_c(text: str) -> Iterator[Passage]:
    """Yield comments and messages of C or JavaScript."""
    neighbors = re.sub(r"(?<=\n)([ \t]*)//", r"\1//", text)
    found = re.finditer(
        r"/\*.*?\*/|(?:(?<=\n)[ \t]*//[^\n]*\n)+|//[^\n]*|(?:\"(?:\\.|[^\"\\\n])*\"\s*)+",
        neighbors,
        re.S,
    )
    for match in found:
        line = text.count("\n", 0, match.start()) + 1
        words = match[0]
        if words.startswith('"'):
            words = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', words))
            if len(re.findall(r"\b[A-Za-z]{2,}\b", words)) >= 3:
                yield Passage(line, "message", _words(words))
            continue
        words = re.sub(r"(?m)^[ \t]*(//+|/\*+|\*+/?)[ ]?|\*/$", "", words)
        for start, stop in _blocks(words.split("\n")):
            yield Passage(
                line + start, "comment", _words("\n".join(words.split("\n")[start:stop]))
            )


def _words(text: str) -> str:
    """Return text with links as their words, and code as `_`."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return CODE.sub("_", text)
