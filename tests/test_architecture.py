"""The arrows between floors only point down, and no circle exists. docs/architecture.md §2 draws them."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "syndicate"
FLOORS = {
    "domain": 0,
    "ports": 0,
    "errors": 0,
    "net": 1,
    "jail": 1,
    "jailed": 1,
    "sources": 2,
    "formats": 2,
    "channels": 2,
    "store": 2,
    "engine": 2,
    "pipeline": 3,
    "settings": 4,
    "log": 4,
    "schedule": 4,
    "app": 5,
    "work": 5,
    "cli": 6,
    "web": 6,
}
APART = {"sources", "formats", "channels", "store", "engine"}  # adapters never import one another
# The floor of the domain is the standard library; ports and errors are on it too.
DOMAIN = {"domain", "errors"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = ROOT / f"{node.module}.{alias.name}".replace(".", "/")
                is_module = inside.is_dir() or inside.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def inner(path: Path) -> set[str]:
    known = {name_of(one) for one in modules()}
    return {target for target in imports(path) if target in known and target != name_of(path)}


def test_every_room_has_a_floor() -> None:
    rooms = {room(name_of(path)) for path in modules()} - {"", "assets"}

    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_an_arrow_only_points_down(path: Path) -> None:
    here = room(name_of(path))
    targets = {room(target) for target in inner(path)} - {"", here}

    upward = [target for target in targets if FLOORS[target] > FLOORS.get(here, 9)]
    sideways = [target for target in targets if here in APART and target in APART]

    assert upward == []
    assert sideways == []


def test_no_circle_exists() -> None:
    # A package's __init__ that lists its kinds is no circle: its modules don't import it back.
    graph = {name_of(path): inner(path) for path in modules()}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(f"a circle: {circle.args[1]}")

    assert len(order) >= len(graph)


@pytest.mark.parametrize("path", [p for p in modules() if room(name_of(p)) in DOMAIN], ids=name_of)
def test_the_domain_is_standard_library_only(path: Path) -> None:
    foreign = {i.split(".")[0] for i in imports(path)} - set(sys.stdlib_module_names) - {"syndicate"}

    assert foreign == set()
    assert "await" not in path.read_text("utf-8").split()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_composition_root_reads_the_clock(path: Path) -> None:
    if path.name == "app.py":
        return
    reads = [
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    ]

    assert reads == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_sql_stays_in_the_store(path: Path) -> None:
    if room(name_of(path)) == "store":
        return
    foreign = {i for i in imports(path) if i.split(".")[0] == "sqlalchemy"}

    # A connection is handed through, and a database error is told from a bug; no statement is made.
    assert foreign <= {"sqlalchemy.ext.asyncio", "sqlalchemy.exc"}
