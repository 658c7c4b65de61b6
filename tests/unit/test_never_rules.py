"""Never-rule 6: without a permit, no tap and no recorder.

Rules 1 to 5 are import contracts (`[tool.importlinter]` in pyproject.toml). This one is
about names inside the files, so it reads them as syntax trees.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("b2bua", "cdr", "codec", "ivr", "mixer", "recording", "rtp", "sip", "web")
PERMIT = "RecordingPermit"
MAKER = ROOT / "recording" / "permit.py"
WHERE_AUDIO_IS = {"b2bua", "mixer", "recording", "rtp"}
"The web, too, calls a row of its lists a recording."

NEED_A_PERMIT = {"Tap", "Track", "Recording"}
"Classes that let a party's audio into a recording, wherever they are defined."


def sources() -> list[Path]:
    return sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def names_permit(node: ast.AST) -> bool:
    """Tell whether the node itself is the name, bare, dotted or in a string annotation."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == PERMIT
        case ast.Constant(value=str() as text):
            return text.isidentifier() and text == PERMIT
    return False


def annotations(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                if annotation is not None:
                    yield annotation
            case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns):
                if returns is not None:
                    yield returns


def allowed_places(tree: ast.AST) -> set[ast.AST]:
    """Return all nodes in annotations and in the class argument of isinstance."""
    roots = list(annotations(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, classes]):
                roots.append(classes)
    return {inner for root in roots for inner in ast.walk(root)}


def forbidden_uses(source: str) -> list[int]:
    """Return the lines that could make or decode a permit."""
    tree = ast.parse(source)
    allowed = allowed_places(tree)
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.expr) and names_permit(node) and node not in allowed
    ]
    for node in ast.walk(tree):
        match node:
            # `import RecordingPermit as P` would hide every later use.
            case ast.ImportFrom(names=names) if any(n.name == PERMIT and n.asname for n in names):
                lines.append(node.lineno)
            # A copy with another epoch or party is a permit that nobody granted.
            case ast.Call(
                func=ast.Name(id="replace") | ast.Attribute(attr="replace"),
                args=[(ast.Name() | ast.Attribute()) as first, *_],
            ) if "permit" in ast.unparse(first):
                lines.append(node.lineno)
    return sorted(lines)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_permit_module_makes_or_decodes_permits(path: Path) -> None:
    if path == MAKER:
        assert forbidden_uses(path.read_text()), "the maker must be seen, else this test is blind"
    else:
        assert forbidden_uses(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "permit.RecordingPermit(epoch=1)",
        "RecordingPermit(epoch=1)",
        "make = RecordingPermit",
        "msgspec.msgpack.decode(data, type=RecordingPermit)",
        "from recording.permit import RecordingPermit as Plain",
        "dataclasses.replace(permit, epoch=2)",
        "object.__new__(RecordingPermit)",
        "cast('RecordingPermit', thing)",
    ],
)
def test_a_forbidden_use_is_seen(source: str) -> None:
    assert forbidden_uses(source)


@pytest.mark.parametrize(
    "source",
    [
        "from recording.permit import RecordingPermit",
        "def tap(permit: RecordingPermit | None) -> RecordingPermit: ...",
        "def tap(permit: 'RecordingPermit') -> None: ...",
        "held: dict[int, permit.RecordingPermit] = {}",
        "isinstance(thing, RecordingPermit)",
        "text.replace('permit', 'x')",
    ],
)
def test_an_allowed_use_is_not(source: str) -> None:
    assert forbidden_uses(source) == []


def requires_permit(definition: ast.ClassDef) -> bool:
    """Tell whether constructing the class needs a permit: a field or parameter, no default."""
    for node in definition.body:
        match node:
            case ast.AnnAssign(annotation=annotation, value=None) if "dataclass" in "".join(
                ast.unparse(decorator) for decorator in definition.decorator_list
            ):
                if ast.unparse(annotation).split(".")[-1].strip("'") == PERMIT:
                    return True
            case ast.FunctionDef(name="__init__", args=args):
                return PERMIT in {
                    ast.unparse(arg.annotation).split(".")[-1].strip("'")
                    for arg in required(args)
                    if arg.annotation is not None
                }
    return False


def required(args: ast.arguments) -> list[ast.arg]:
    positional = [*args.posonlyargs, *args.args]
    without_default = positional[: len(positional) - len(args.defaults)]
    keyword = [
        arg for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value is None
    ]
    return without_default + keyword


def guarded_classes() -> dict[str, ast.ClassDef]:
    return {
        node.name: node
        for path in sources()
        if path.relative_to(ROOT).parts[0] in WHERE_AUDIO_IS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name in NEED_A_PERMIT
    }


@pytest.mark.parametrize("name", sorted(NEED_A_PERMIT))
def test_what_records_cannot_be_constructed_without_a_permit(name: str) -> None:
    definition = guarded_classes().get(name)
    assert definition is not None, f"class {name} is gone: name its successor here"
    assert requires_permit(definition)
