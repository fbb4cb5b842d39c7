"""The store of networks: whole or not at all, whatever goes wrong on the way."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bgdesk.app.networks import model_files
from bgdesk.app.networks.catalog import CatalogEntry, Source
from bgdesk.app.networks.download import Fetch
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Cancelled, CancelToken, Progress, cancellable, silent
from bgdesk.engine.networks.weights import Weights

ONNX = b"\x08\x08 the network" + bytes(range(200))
OTHER = b"\x08\x08 another network" + bytes(range(100))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source(kind: str, data: bytes = ONNX) -> Source:
    return Source(kind=kind, size=len(data), sha256=sha256(data), url=f"https://example.org/{kind}")


def entry(id: str, *sources: Source, default: bool = False) -> CatalogEntry:
    here = "https://example.org"
    return CatalogEntry(
        id=id,
        title=id.title(),
        net="isnet",
        licence="Apache-2.0",
        licence_url=here,
        commercial=True,
        homepage=here,
        sources=sources,
        default=default,
    )


CATALOG = (entry("small", source("a", OTHER)), entry("big", source("a"), source("b"), default=True))


def convert(onnx: Path, net: str, target: Path, progress: Progress) -> None:
    """Stands in for the engine's conversion: takes files that begin as ours do and are not cut off."""
    data = onnx.read_bytes()
    if data not in (ONNX, OTHER):
        raise ModelError(f"{onnx.name} is not a complete ONNX file. Download it again.")
    target.write_bytes(b"tensors of " + data)


def gives(data: bytes, asked: list[str] | None = None) -> Fetch:
    def fetch(source: Source, work: Path, target: Path, progress: Progress) -> None:
        if asked is not None:
            asked.append(source.kind)
        (work / "package").write_bytes(data)
        progress("download", 1.0)
        target.write_bytes(data)

    return fetch


def fails(reason: str | Exception) -> Fetch:
    def fetch(source: Source, work: Path, target: Path, progress: Progress) -> None:
        target.write_bytes(b"half")
        raise reason if isinstance(reason, Exception) else ModelError(reason)

    return fetch


def store_in(folder: Path, a: Fetch | None = None, b: Fetch | None = None) -> ModelStore:
    fetchers: Mapping[str, Fetch] = {"a": a or gives(ONNX), "b": b or gives(ONNX)}
    return ModelStore(folder, CATALOG, fetchers, convert)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


WHOLE = ["big.json", "big.safetensors"]


def test_install(tmp_path: Path) -> None:
    store, stages = store_in(tmp_path / "new" / "models"), list[str]()
    weights = store.install("big", lambda stage, fraction: stages.append(stage))
    assert isinstance(weights, Weights)
    assert (weights.id, weights.net, weights.path) == ("big", "isnet", tmp_path / "new" / "models" / "big.safetensors")
    assert weights.path.read_bytes() == b"tensors of " + ONNX
    assert weights.sha256 == sha256(b"tensors of " + ONNX)
    assert list(dict.fromkeys(stages)) == ["download", "verify", "convert"]
    assert files(store.folder) == WHOLE
    record = json.loads((store.folder / "big.json").read_text(encoding="utf-8"))
    assert record == {
        "id": "big",
        "net": "isnet",
        "size": len(b"tensors of " + ONNX),
        "sha256": weights.sha256,
        "source_sha256": sha256(ONNX),
        "licence": "Apache-2.0",
        "installed_from": "https://example.org/a",
    }
    assert store_in(store.folder).weights() == weights


def test_install_again_does_nothing(tmp_path: Path) -> None:
    asked: list[str] = []
    store = store_in(tmp_path, gives(ONNX, asked))
    first = store.install("big")
    assert store.install("big") == first
    assert asked == ["a"]


def test_install_mends_a_damaged_one(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    weights = store.install("big")
    weights.path.write_bytes(b"")
    assert store.install("big") == weights
    assert store.weights("big").path.read_bytes() == b"tensors of " + ONNX


@pytest.mark.parametrize(
    "first",
    [fails("npm was not found"), gives(ONNX[:-1]), gives(OTHER), fails(OSError(28, "No space left on device")), fails(TimeoutError())],
)
def test_second_source_is_tried(tmp_path: Path, first: Fetch) -> None:
    asked: list[str] = []
    store = store_in(tmp_path, first, gives(ONNX, asked))
    assert store.install("big").path.is_file()
    assert asked == ["b"]
    assert files(tmp_path) == WHOLE
    assert store.statuses()[1].installed_from == "https://example.org/b"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (gives(ONNX[:-1]), r"the download is incomplete \(\d+ of \d+ bytes\)"),
        (gives(ONNX + b"x"), "the file is not the expected one"),
        (gives(ONNX[:-1] + b"x"), "its sha256 is wrong"),
        (fails(OSError(28, "No space left on device")), "No space left on device"),
        (fails(TimeoutError()), "TimeoutError"),
    ],
)
def test_every_reason_is_told(tmp_path: Path, bad: Fetch, said: str) -> None:
    store = store_in(tmp_path, fails("the npm command was not found"), bad)
    with pytest.raises(ModelError, match=said) as caught:
        store.install("big")
    message = str(caught.value)
    assert message.startswith(
        "The network big could not be installed. https://example.org/a: the npm command was not found. https://example.org/b: "
    )
    assert message.endswith("run: bgdesk models import FILE --as big")
    assert files(tmp_path) == []
    assert not store.statuses()[1].installed


def test_a_defect_is_not_taken_for_a_bad_download(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        store_in(tmp_path, fails(ZeroDivisionError("defect"))).install("big")
    assert files(tmp_path) == []


@pytest.mark.parametrize("stage", ["download", "verify", "convert"])
@pytest.mark.parametrize("installed", [False, True])
def test_cancel_leaves_the_folder_as_it_was(tmp_path: Path, stage: str, installed: bool) -> None:
    if installed:
        store_in(tmp_path).install("big")
        (tmp_path / "big.safetensors").write_bytes(b"damaged, so that it is installed anew")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} if installed else {}
    token = CancelToken()

    def report(now: str, fraction: float) -> None:
        if now == stage:
            token.cancel()
            token.check()

    with pytest.raises(Cancelled):
        store_in(tmp_path).install("big", cancellable(token, report))
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(source: Source, work: Path, target: Path, progress: Progress) -> None:
        target.write_bytes(ONNX[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_in(tmp_path, interrupted).install("big")
    assert files(tmp_path) == []


KILLED = """
import sys, time, pathlib
sys.path.insert(0, sys.argv[2])
import test_store
def hang(source, work, target, progress):
    target.write_bytes(b"half")
    print("downloading", flush=True)
    time.sleep(60)
test_store.store_in(pathlib.Path(sys.argv[1]), hang).install("big")
"""


def test_leftovers_of_a_killed_process_go_at_the_next_install(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "downloading\n"
        assert [name[:10] for name in files(tmp_path)] == [".incoming-"]
        process.kill()
    assert [name[:10] for name in files(tmp_path)] == [".incoming-"]
    assert store_in(tmp_path).default_id() is None
    store_in(tmp_path).install("big")
    assert files(tmp_path) == WHOLE


def test_two_at_once_download_once(tmp_path: Path) -> None:
    started, go, asked, stages = threading.Event(), threading.Event(), list[str](), list[str]()

    def slow(source: Source, work: Path, target: Path, progress: Progress) -> None:
        asked.append(source.kind)
        started.set()
        assert go.wait(10)
        target.write_bytes(ONNX)

    first = threading.Thread(target=lambda: store_in(tmp_path, slow).install("big"))
    first.start()
    assert started.wait(10)

    def report(stage: str, fraction: float) -> None:
        stages.append(stage)
        go.set()

    weights = store_in(tmp_path, slow).install("big", report)
    first.join(10)
    assert weights.path.is_file()
    assert asked == ["a"]
    assert set(stages) == {"wait"}
    assert files(tmp_path) == WHOLE


def test_unknown_id(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: store.install("bigger"),
        lambda: store.weights("bigger"),
        lambda: store.remove("bigger"),
        lambda: store.import_file(tmp_path / "x.onnx", "bigger"),
    ]
    for call in calls:
        with pytest.raises(ModelError, match=r"no network called 'bigger'. The networks are: small, big"):
            call()


def test_default(tmp_path: Path) -> None:
    store = store_in(tmp_path, gives(OTHER), gives(ONNX))
    assert store.default_entry.id == "big"
    assert store.default_id() is None
    with pytest.raises(ModelError, match=r"No network is installed. Install one with: bgdesk models install big"):
        store.weights()
    store.install("small")
    assert store.default_id() == "small"
    assert store.weights().id == "small"
    with pytest.raises(ModelError, match=r"The network big is not installed. Install it with: bgdesk models install big"):
        store.weights("big")
    store.install("big")
    assert store.default_id() == "big"
    assert store.weights().id == "big"


def test_statuses(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.install("big")
    small, big = store.statuses()
    assert (small.entry.id, small.installed, small.size, small.damaged, small.installed_from) == ("small", False, len(OTHER), False, "")
    assert (big.entry.id, big.installed, big.size, big.damaged) == ("big", True, len(b"tensors of " + ONNX), False)
    assert big.installed_from == "https://example.org/a"


def change_one_byte(folder: Path) -> None:
    path = folder / "big.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))  # a clock that stands still must not hide the change in this test


def cut_off(folder: Path) -> None:
    path = folder / "big.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def other_net(folder: Path) -> None:
    path = folder / "big.json"
    path.write_text(path.read_text(encoding="utf-8").replace("isnet", "u2netp"), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "said", "seen_at_once"),
    [
        (change_one_byte, "the sha256 of big.safetensors is wrong", False),
        (cut_off, r"big.safetensors has \d+ bytes instead of \d+", True),
        (lambda folder: (folder / "big.safetensors").unlink(), "big.safetensors could not be read .No such file", True),
        (lambda folder: (folder / "big.json").write_text("{"), "its record could not be read", True),
        (lambda folder: (folder / "big.json").write_text("{}"), "its record could not be read", True),
        (other_net, "it was made for the architecture u2netp, not isnet", True),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_damage_is_found_before_use(tmp_path: Path, harm: Callable[[Path], None], said: str, seen_at_once: bool, fresh: bool) -> None:
    store = store_in(tmp_path)
    store.install("big")
    harm(tmp_path)
    if fresh:
        store = store_in(tmp_path)
    assert store.statuses()[1].damaged is seen_at_once
    assert store.default_id() == "big"
    with pytest.raises(ModelError, match=f"The network big is damaged: {said}.*Install it again with: bgdesk models install big"):
        store.weights()
    (checked,) = store.verify()
    assert checked.damaged
    assert checked.installed
    store.install("big")
    assert [status.damaged for status in store.verify()] == [False]


def test_verify_reads_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    weights = store.install("big")
    stamp = weights.path.stat()
    data = bytearray(weights.path.read_bytes())
    data[-1] ^= 1
    weights.path.write_bytes(data)
    os.utime(weights.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a failing disk does not change the time of a file
    assert [status.damaged for status in store.verify()] == [True]


def test_contents_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_in(tmp_path).install("big")
    store, reads = store_in(tmp_path), list[Path]()

    def counted(path: Path, progress: Progress = silent) -> str:
        reads.append(path)
        return sha256(path.read_bytes())

    monkeypatch.setattr(model_files, "sha256_of", counted)
    for _ in range(3):
        store.weights()
    assert reads == [tmp_path / "big.safetensors"]


def test_remove(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.install("big")
    store.remove("big")
    assert files(tmp_path) == []
    assert store.default_id() is None
    with pytest.raises(ModelError, match="The network big is not installed"):
        store.remove("big")


def test_remove_what_cannot_be_read(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.install("big")
    (tmp_path / "big.safetensors").unlink()
    store.remove("big")
    assert files(tmp_path) == []


def test_remove_while_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(tmp_path)
    weights = store.install("big")

    def in_use(source: Path, target: Path) -> None:
        raise PermissionError(13, "used by another process")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", in_use)
        with pytest.raises(ModelError, match=r"big could not be removed: used by another process\. Close other windows"):
            store.remove("big")
    assert store.weights() == weights


# --- import ----------------------------------------------------------------------------------------------------------


def local(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


def test_import(tmp_path: Path) -> None:
    store = store_in(tmp_path / "models", fails("must not be asked"))
    path = local(tmp_path / "usb", "general.onnx", ONNX)
    weights = store.import_file(path, "big")
    assert store.weights("big") == weights
    assert store.statuses()[1].installed_from == "file general.onnx"
    assert path.read_bytes() == ONNX
    assert files(store.folder) == WHOLE


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("net.pth", b"anything", "is a pickle"),
        ("net.PT", b"anything", "is a pickle"),
        ("net.onnx", b"\x80\x04pickle", "is a pickle"),
        ("net.onnx", b"PK\x03\x04 zip", "is an archive"),
        ("net.txt", ONNX, "does not end in .onnx"),
        ("net.onnx", b"", "is empty"),
        ("net.onnx", ONNX[:50], "is not a complete ONNX file. Download it again"),
        ("net.onnx", OTHER, r"is the network small. Import it with: bgdesk models import net.onnx --as small"),
    ],
)
def test_import_refuses(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    store = store_in(tmp_path / "models")
    before = store.install("big")
    with pytest.raises(ModelError, match=said) as caught:
        store.import_file(local(tmp_path / "usb", name, data), "big")
    assert str(caught.value).startswith(f"{name} ")
    assert store.weights("big") == before
    assert files(store.folder) == WHOLE


def test_import_of_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path / "models")
    with pytest.raises(ModelError, match=r"net.onnx could not be read: No such file or directory"):
        store.import_file(tmp_path / "net.onnx", "big")
    with pytest.raises(ModelError, match="could not be read: "):
        store.import_file(tmp_path, "big")


def test_import_with_a_full_disk(tmp_path: Path) -> None:
    def full(onnx: Path, net: str, target: Path, progress: Progress) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    store = ModelStore(tmp_path / "models", CATALOG, {}, full)
    with pytest.raises(ModelError, match=r"net.onnx could not be imported as big: No space left on device\. .*room in "):
        store.import_file(local(tmp_path / "usb", "net.onnx", ONNX), "big")
    assert files(store.folder) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(ModelError, match=r"The network big could not be changed in .*models: "):
        store_in(tmp_path / "models").install("big")


# --- the real thing --------------------------------------------------------------------------------------------------


def test_default_store_is_the_persons_own(home: Path) -> None:
    store = default_store()
    assert store.folder == home / "models"
    assert [e.id for e in store.catalog] == ["isnet-general", "u2netp"]
    assert store.default_id() is None


def test_real_networks_are_whole(models_home: Path) -> None:
    store = default_store()
    checked = store.verify()
    assert [(status.entry.id, status.damaged) for status in checked] == [("isnet-general", False), ("u2netp", False)]
    assert store.weights().id == "isnet-general"


def test_real_import(models_home: Path, onnx_originals: dict[str, Path], tmp_path: Path) -> None:
    """The engine's own conversion, from a local file, gives bit for bit what installing gave; a truncated file is refused."""
    store = ModelStore(tmp_path / "models", default_store().catalog)
    began = time.monotonic()
    weights = store.import_file(onnx_originals["u2netp"], "u2netp")
    assert weights.sha256 == default_store().weights("u2netp").sha256
    assert time.monotonic() - began < 60
    truncated = local(tmp_path, "u2netp.onnx", onnx_originals["u2netp"].read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"u2netp.onnx .*Download it again"):
        store.import_file(truncated, "u2netp")
    with pytest.raises(ModelError, match="is the network u2netp"):
        store.import_file(onnx_originals["u2netp"], "isnet-general")
    assert store.weights("u2netp") == weights
