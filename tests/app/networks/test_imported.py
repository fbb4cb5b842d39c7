"""Networks that a person brings: taken whole or not at all, and known to the store like any other."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgdesk.app.networks.onnx_presets import PRESETS, Description, describe
from bgdesk.app.networks.store import ModelStore
from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import NetworkKind
from bgdesk.core.tasks import Cancelled
from bgdesk.engine.pipeline import Pipeline
from tests.app.networks.test_store import CATALOG, convert, gives, sha256
from tests.app.networks.test_store import ONNX as PUBLISHED
from tests.networks import matting, weighted

PLAIN = describe("mine", mean=(0.0,) * 3, std=(1.0,) * 3, size=Size(64, 64))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", CATALOG, {"a": gives(PUBLISHED), "b": gives(PUBLISHED)}, convert)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return weighted(tmp_path / "net.onnx", (9.0, 0.0, 0.0), -4.0)


def files(store: ModelStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir() if path.name != ".lock")


def test_the_record_says_all(store: ModelStore, net: Path) -> None:
    stages: list[str] = []
    imported = store.import_own(net, "mine", PLAIN, lambda stage, _fraction: stages.append(stage))
    assert files(store) == ["mine.json", "mine.onnx"]
    assert list(dict.fromkeys(stages)) == ["verify", "try"]
    record = json.loads((store.folder / "mine.json").read_text(encoding="utf-8"))
    answer = record.pop("answer")
    assert len(answer) > 1000
    data = net.read_bytes()
    assert record == {
        "id": "mine",
        "title": "mine",
        "kind": "segment",
        "size": [64, 64],
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "scale": 255.0,
        "activation": "none",
        "stretch": False,
        "fit": "stretch",
        "multiple": 1,
        "output": "matte",
        "licence": "",
        "licence_url": "",
        "commercial": None,
        "homepage": "",
        "bytes": len(data),
        "sha256": sha256(data),
        "source_sha256": sha256(data),
        "installed_from": "file net.onnx",
    }
    again = ModelStore(store.folder, CATALOG).weights("mine")
    assert again == imported.network
    assert Pipeline(lambda: again).segment(np.full((40, 50, 3), 255, np.uint8)).min() > 0.99


def test_it_stands_in_the_list(store: ModelStore, net: Path, tmp_path: Path) -> None:
    store.import_own(matting(tmp_path / "m.onnx"), "edges", describe("edges", "vitmatte-small", size=Size(128, 128)))
    assert store.default_id() is None  # a matting network finds no subject
    store.import_own(net, "mine", PLAIN)
    assert [(each.entry.id, each.installed, each.kind, each.own) for each in store.statuses()] == [
        ("small", False, "segment", False),
        ("big", False, "segment", False),
        ("edges", True, "matte", True),
        ("mine", True, "segment", True),
    ]
    assert store.default_id() == "mine"
    assert store.weights().id == "mine"
    store.install("big")
    assert store.default_id() == "big"
    assert {each.entry.id: each.kind for each in store.statuses()}["edges"] == "matte"
    assert store.matting("edges").id == "edges"
    assert [each.entry.id for each in store.verify() if not each.damaged] == ["big", "edges", "mine"]
    store.remove("mine")
    store.remove("edges")
    assert files(store) == ["big.json", "big.safetensors"]
    with pytest.raises(ModelError, match="no network called 'mine'"):
        store.weights("mine")


def test_kinds_are_not_mixed_up(store: ModelStore, net: Path, tmp_path: Path) -> None:
    store.import_own(matting(tmp_path / "m.onnx"), "edges", describe("edges", "vitmatte-small", size=Size(128, 128)))
    store.import_own(net, "mine", PLAIN)
    with pytest.raises(ModelError, match=r"edges works out edges; it finds no subject. Use it with: --matting edges"):
        store.weights("edges")
    for id in ("mine", "big"):
        with pytest.raises(ModelError, match=rf"{id} finds subjects; it works out no edges. .*Matting networks: edges"):
            store.matting(id)
    with pytest.raises(ModelError, match="no network called 'who'"):
        store.matting("who")


@pytest.mark.parametrize("id", ["", "a b", "../up", "a/b", "-x", ".hidden", "x.", "CON", "nul.v2", "ü", "x" * 65])
def test_ids_that_are_no_file_names(store: ModelStore, net: Path, id: str) -> None:
    with pytest.raises(ModelError, match="cannot be the id of a network"):
        store.import_own(net, id, PLAIN)


def test_ids_that_are_taken(store: ModelStore, net: Path) -> None:
    with pytest.raises(ModelError, match="big is a network of the catalogue"):
        store.import_own(net, "big", PLAIN)
    first = store.import_own(net, "mine", PLAIN).network
    with pytest.raises(ModelError, match="There is a network called mine already"):
        store.import_own(weighted(net, (1.0, 2.0, 3.0)), "mine", PLAIN)
    assert store.weights("mine") == first
    with pytest.raises(ModelError, match="imported from a file: it cannot be downloaded"):
        store.install("mine")


def test_a_file_outside_the_folder_is_not_taken_for_a_network(store: ModelStore, net: Path) -> None:
    store.import_own(net, "mine", PLAIN)
    outside = store.folder.parent / "mine.json"
    outside.write_bytes((store.folder / "mine.json").read_bytes())
    with pytest.raises(ModelError, match="no network called"):
        store.remove("../mine")
    assert outside.exists()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("net.pth", b"x", "is a pickle"),
        ("net.onnx", b"\x80\x04", "is a pickle"),
        ("net.onnx", b"PK\x03\x04", "is an archive"),
        ("net.txt", b"x", "does not end in .onnx"),
        ("net.onnx", b"", "is empty"),
        ("net.onnx", b"no network at all", "net.onnx is not"),
    ],
)
def test_files_that_are_refused(store: ModelStore, tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=said):
        store.import_own(tmp_path / name, "mine", PLAIN)
    assert not store.folder.exists() or files(store) == []


def test_nothing_is_left_of_one_that_fails_its_trial(store: ModelStore, tmp_path: Path) -> None:
    for file, said in (
        (weighted(tmp_path / "net.onnx", size=(32, 32)), "was made for 32×32"),
        (weighted(tmp_path / "nan.onnx", (float("nan"), 0.0, 0.0)), "not numbers"),
        (tmp_path / "missing.onnx", "could not be read"),
    ):
        with pytest.raises(ModelError, match=said):
            store.import_own(file, "mine", PLAIN)
    assert files(store) == []


def test_cancelling(store: ModelStore, net: Path) -> None:
    def stop(stage: str, _fraction: float) -> None:
        if stage == "try":
            raise Cancelled

    with pytest.raises(Cancelled):
        store.import_own(net, "mine", PLAIN, stop)
    assert files(store) == []


def test_a_full_disk(store: ModelStore, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ModelError, match=r"net.onnx could not be imported as mine: No space left on device\. .*room in"):
            store.import_own(net, "mine", PLAIN)
    assert files(store) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "mine.onnx").write_bytes(b"x"), r"mine.onnx has 1 bytes instead of"),
        (lambda folder: (folder / "mine.onnx").unlink(), r"mine.onnx could not be read"),
        (lambda folder: (folder / "mine.json").write_text("{", encoding="utf-8"), "its record could not be read"),
        (lambda folder: (folder / "mine.json").write_text("{}", encoding="utf-8"), "its record could not be read"),
        (lambda folder: edit(folder, mean=[1.0]), "its record could not be read"),
        (lambda folder: edit(folder, size=None), "its record could not be read"),
        (lambda folder: edit(folder, id="other"), "its record could not be read"),
        (lambda folder: edit(folder, sha256="0" * 64), "the sha256 of mine.onnx is wrong"),
    ],
)
def test_damage_is_seen(store: ModelStore, net: Path, harm: Any, said: str) -> None:
    store.import_own(net, "mine", PLAIN)
    harm(store.folder)
    (status,) = ModelStore(store.folder, CATALOG).verify()
    assert status.damaged
    assert status.problem.startswith(said)
    with pytest.raises(ModelError, match=rf"mine is damaged: {said}.*bgdesk models remove mine"):
        ModelStore(store.folder, CATALOG).weights("mine")
    store.remove("mine")
    assert files(store) == []


def edit(folder: Path, **changed: Any) -> None:
    record = folder / "mine.json"
    record.write_text(json.dumps({**json.loads(record.read_text(encoding="utf-8")), **changed}), encoding="utf-8")


def test_two_at_once(store: ModelStore, net: Path) -> None:
    """Two windows import under the same id: one of them is told."""
    outcomes: list[str] = []

    def go() -> None:
        try:
            outcomes.append(ModelStore(store.folder, CATALOG).import_own(net, "mine", PLAIN).network.id)
        except ModelError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.split(" already")[0] for outcome in outcomes) == ["There is a network called mine", "mine"]
    assert not store.verify()[0].damaged


# --- describing ---


@pytest.mark.parametrize("name", PRESETS)
def test_presets_make_sense(name: str, tmp_path: Path, store: ModelStore) -> None:
    """Each is a good id itself, its description holds, and a file of its kind can be imported with it."""
    preset = PRESETS[name]
    preset.spec.check()
    assert isinstance(preset.spec.kind, NetworkKind)
    assert preset.licence
    assert preset.homepage.startswith("https://")
    assert preset.licence_url.startswith("https://")
    file = matting(tmp_path / "n.onnx") if preset.spec.kind == "matte" else weighted(tmp_path / "n.onnx", (2.0, 1.0, 1.0), last="Sigmoid")
    network = store.import_own(file, name, describe(name, name, size=Size(128, 128))).network
    assert network.spec.mean == preset.spec.mean
    assert store.entry(name).terms.startswith(preset.licence)


def test_what_is_said_goes_before_the_preset() -> None:
    described = describe("x", "rmbg-2.0", mean=(0.1, 0.2, 0.3), title="Ours", stretch=True, activation=None)
    assert described.spec.mean == (0.1, 0.2, 0.3)
    assert described.spec.std == PRESETS["rmbg-2.0"].spec.std
    assert (described.title, described.spec.stretch, described.insist) == ("Ours", True, False)
    assert (described.licence, described.commercial) == ("CC-BY-NC-4.0", False)
    bought = describe("x", "rmbg-2.0", licence="our contract with BRIA", commercial=True)
    assert (bought.licence, bought.licence_url, bought.commercial) == ("our contract with BRIA", "", True)
    other: Description = describe("x", "birefnet-lite", licence="unheard of")
    assert other.commercial is None
