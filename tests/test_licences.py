"""Nothing that an installed or frozen bgdesk consists of is under a licence that Apache-2.0 distribution cannot carry."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
TABLE = "packaging/licences.toml"
#: The extras that a person, or a frozen build, installs beside what is always there.
SHIPPED = ("onnx", "ray")
#: What puts a part of itself, and nothing that it needs, into a frozen build.
TOOLS = ("pyinstaller",)


@dataclass(frozen=True)
class Package:
    """A distribution: its name, what its metadata says of its licence, and the libraries in its wheel."""

    name: str
    says: str
    libraries: frozenset[str] = frozenset()


# --- what there is ---------------------------------------------------------------------------------------------------


def reachable(requirements: Iterable[str]) -> Mapping[str, Distribution]:
    """Every installed distribution that these need, directly or through others, by its normalised name."""
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    waiting = [(Requirement(text), frozenset[str]()) for text in requirements]
    while waiting:
        wanted, asked_with = waiting.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key in found or not (wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in asked_with or {""})):
            continue
        try:
            found[key] = distribution(wanted.name)
        except PackageNotFoundError:  # an extra that this environment goes without
            continue
        waiting += [(Requirement(text), key[1]) for text in found[key].requires or ()]
    return {name: there for (name, _), there in found.items()}


def described(name: str, there: Distribution) -> Package:
    about = there.metadata
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    told = [line for field in ("License-Expression", "License") for text in about.get_all(field) or () for line in text.splitlines()[:1]]
    says = told[0] if told else ", ".join(classifiers)
    files = [Path(str(file)) for file in there.files or ()]
    libraries = {library_name(file.name) for file in files if file.parent.name.endswith((".libs", ".dylibs"))}
    return Package(name, says.strip(), frozenset(libraries))


def library_name(file: str) -> str:
    """ "libx265-4883ecb5.so.217" -> "libx265"."""
    return re.split(r"_?[-.](?:r\d|[0-9a-f]{8}|so|dll|dylib|\d)", file, maxsplit=1)[0]


def shipped() -> Mapping[str, Package]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(line for extra in SHIPPED for line in project["optional-dependencies"][extra])]
    found = dict(reachable(wanted))
    for name in TOOLS:
        with suppress(PackageNotFoundError):
            found[name] = distribution(name)
    return {name: described(name, there) for name, there in found.items()}


def table() -> Any:
    return tomllib.loads((ROOT / TABLE).read_text(encoding="utf-8"))


# --- what is wrong with it -------------------------------------------------------------------------------------------


def faults(packages: Iterable[Package], reviewed: Mapping[str, Any], libraries: bool = True) -> Iterator[str]:
    """A sentence for each; libraries: whether the libraries in the wheels are looked at."""
    for package in packages:
        entry = reviewed["distributions"].get(package.name) or next(
            (entry for name, entry in reviewed["elsewhere"].items() if fnmatch(package.name, name)), None
        )
        if entry is None:
            yield f"{package.name} is not in {TABLE}. Read its licence ({package.says or 'unknown'}); add it if Apache-2.0 can carry it."
            continue
        if entry["says"] not in ("*", package.says):
            yield f"{package.name} was read as {entry['says']} and now says {package.says}. Read its licence again, then mend {TABLE}."
        refused = [part for part in entry["licence"].split(" AND ") if part not in reviewed["allowed"]]
        if refused:
            yield f"{package.name} is under {', '.join(refused)}, which {TABLE} does not allow. Use another package in its place."
        for library in sorted(package.libraries if libraries else ()):
            licence = reviewed["libraries"].get(library)
            if licence is None:
                yield f"The wheel of {package.name} carries {library}, which is not in {TABLE}. Read its licence and add it."
            elif licence not in reviewed["allowed"]:
                yield f"The wheel of {package.name} carries {library} under {licence}, which {TABLE} does not allow. Use another package."


def test_everything_that_ships_was_reviewed_and_may_ship() -> None:
    packages = shipped()
    assert {"torch", "pyside6-essentials", "pi-heif", "onnxruntime"} <= set(packages)
    assert list(faults(packages.values(), table(), libraries=sys.platform == "linux")) == []


def test_the_table_holds_nothing_else() -> None:
    """So that it stays short enough to be read."""
    assert set(table()["distributions"]) - set(shipped()) == set()


GOOD = {
    "allowed": {"MIT": "permissive", "LGPL-3.0-or-later": "a library of its own"},
    "distributions": {"paint": {"says": "MIT License", "licence": "MIT AND LGPL-3.0-or-later"}},
    "elsewhere": {"nvidia-*": {"says": "*", "licence": "MIT"}},
    "libraries": {"libheif": "LGPL-3.0-or-later", "libx265": "GPL-2.0-or-later"},
}


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (Package("paint", "MIT License", frozenset({"libheif"})), []),
        (Package("nvidia-cublas", "LicenseRef-NVIDIA-Proprietary"), []),
        (Package("oil", "GPL-3.0-only"), ["oil is not in packaging/licences.toml. Read its licence (GPL-3.0-only)"]),
        (Package("oil", ""), ["oil is not in packaging/licences.toml. Read its licence (unknown)"]),
        (Package("paint", "GPL-3.0-only"), ["paint was read as MIT License and now says GPL-3.0-only."]),
        (Package("paint", "MIT License", frozenset({"libfoo"})), ["The wheel of paint carries libfoo, which is not in"]),
        (Package("paint", "MIT License", frozenset({"libx265"})), ["The wheel of paint carries libx265 under GPL-2.0-or-later, which"]),
    ],
)
def test_what_is_unknown_or_under_the_gpl_is_told(package: Package, said: list[str]) -> None:
    found = list(faults([package], GOOD))
    assert len(found) == len(said)
    assert all(fault.startswith(words) for fault, words in zip(found, said, strict=True))


def test_a_licence_that_is_not_allowed_is_told() -> None:
    reviewed = {**GOOD, "distributions": {"paint": {"says": "MIT License", "licence": "MIT AND AGPL-3.0-only"}}}
    assert list(faults([Package("paint", "MIT License")], reviewed)) == [
        "paint is under AGPL-3.0-only, which packaging/licences.toml does not allow. Use another package in its place."
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("libx265-4883ecb5.so.217", "libx265"),
        ("libscipy_openblas64_-32a4b2a6.so", "libscipy_openblas64"),
        ("libopenblasp-r0-59ffcd50.3.15.so", "libopenblasp"),
        ("libheif.1.dylib", "libheif"),
        ("libavcodec.61.dylib", "libavcodec"),
    ],
)
def test_names_of_libraries(file: str, name: str) -> None:
    assert library_name(file) == name
