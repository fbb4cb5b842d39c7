"""The documents about the house name what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "bgdesk"


def named(document: Path) -> list[str]:
    """Everything in backticks that looks like a file or a folder."""
    return [
        name
        for name in re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8"))
        if re.fullmatch(r"[\w./-]*(?:/[\w.]*|\.\w+)", name)
    ]


def is_there(name: str) -> bool:
    if "/" in name.rstrip("/"):
        return any((folder / name).exists() for folder in (ROOT, HOUSE, HOUSE / "engine" / "networks"))
    return (ROOT / name).exists() or any(HOUSE.rglob(name))


@pytest.mark.parametrize("document", ["README.md", "DECISIONS.md"])
def test_files_that_are_named_exist(document: str) -> None:
    names = [name for name in named(HOUSE / document) if name.endswith((".py", ".toml", ".txt", ".md", "/")) or "/" in name]
    assert len(names) > 5
    assert [name for name in names if not is_there(name)] == []


def test_every_room_of_the_house_is_on_the_map() -> None:
    text = (HOUSE / "README.md").read_text(encoding="utf-8")
    rooms = [folder.name for folder in HOUSE.iterdir() if (folder / "__init__.py").is_file()]
    rooms += [file.name for file in HOUSE.glob("*.py") if file.name != "__init__.py"]
    assert [room for room in rooms if f"`{room}`" not in text] == []


def test_every_room_says_what_it_is_for() -> None:
    silent = [file for file in HOUSE.rglob("__init__.py") if not file.read_text(encoding="utf-8").startswith('"""')]
    assert [str(file.relative_to(ROOT)) for file in silent] == []
