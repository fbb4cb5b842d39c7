"""What every test shares: an offscreen Qt, a home folder of its own, real networks on request, and the rule that nothing may be
logged or warned about unless the test said so."""

import importlib.util
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Before anything imports Qt: no test may need, or open a window on, the screen of whoever runs it.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some tests load ONNX Runtime by themselves
# Tests, and the processes that they start, use the kernels that `packaging/dev.py test` has compiled, whatever home they are given.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).resolve().parent.parent / ".cache" / "kernels"))

# No deadline: the time that one example takes says more about the machine's other work than about the code.
# In CI the examples are the same in every run, so that a red one can be repeated.
settings.register_profile("bgdesk", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("bgdesk")

ROOT = Path(__file__).resolve().parent.parent


sys.path.append(str(ROOT / "packaging"))  # no package, because `packaging` is the name of another library


def _load_dev() -> ModuleType:
    """packaging/dev.py as a module."""
    spec = importlib.util.spec_from_file_location("bgdesk_dev", ROOT / "packaging" / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bgdesk_dev"] = module
    spec.loader.exec_module(module)
    return module


_dev = _load_dev()


@pytest.fixture(scope="session")
def dev() -> ModuleType:
    """packaging/dev.py."""
    return _dev


# --- homes and networks ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def models_home() -> Path:
    """The folder to use as BGDESK_HOME where a test needs real networks; `packaging/dev.py test` fills it.

    It is shared by all tests: read it, do not change it. A test that asks for it runs with BGDESK_HOME pointing at it.
    """
    home: Path = _dev.TEST_HOME
    missing = [
        str(file)
        for network in _dev.TEST_NETWORKS
        for file in (home / "models" / f"{network}.safetensors", _dev.onnx_file(home, network))
        if not file.is_file()
    ]
    if missing:
        pytest.fail(f"Test networks are missing: {', '.join(missing)}. Fetch them with: python3 packaging/dev.py test", pytrace=False)
    return home


@pytest.fixture(scope="session")
def onnx_originals(models_home: Path) -> dict[str, Path]:
    """Network id -> the ONNX file that its weights were converted from."""
    return {network: _dev.onnx_file(models_home, network) for network in _dev.TEST_NETWORKS}


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BGDESK_HOME of this test: the shared one for a test that asks for `models_home`, else an empty folder of its own."""
    # The fixture names, not the fixture: asking for its value here would make every test need the networks.
    folder: Path = _dev.TEST_HOME if "models_home" in request.fixturenames else tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BGDESK_HOME", str(folder))
    return folder


# --- photos ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sample() -> Path:
    """A real photo: a person in front of a busy background, 512 × 512 PNG."""
    return ROOT / "resources" / "samples" / "astronaut.png"


@pytest.fixture(scope="session")
def sample_cat() -> Path:
    """A real photo with fur: 451 × 300 PNG."""
    return ROOT / "resources" / "samples" / "chelsea.png"


# --- nothing unexpected is logged ------------------------------------------------------------------------------------


class LogGuard(logging.Handler):
    """Keeps every record at WARNING or above. A handler may be called on any thread, so it only collects."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.expected: list[re.Pattern[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def faults(self) -> list[str]:
        """What was logged unexpectedly, and what was expected and never came."""
        lines = [f"{record.name}: {record.getMessage()}" for record in self.records]
        unexpected = [f"unexpected log line: {line}" for line in lines if not any(pattern.search(line) for pattern in self.expected)]
        absent = [f"log line never came: {pattern.pattern}" for pattern in self.expected if not any(map(pattern.search, lines))]
        return unexpected + absent


@pytest.fixture(autouse=True)
def log_guard() -> Iterator[LogGuard]:
    """Fails a test that logs at WARNING or above, unless it said so through `expect_log`."""
    guard = LogGuard()
    root = logging.getLogger()
    root.addHandler(guard)
    try:
        yield guard
    finally:
        root.removeHandler(guard)
    faults = guard.faults()
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture
def expect_log(log_guard: LogGuard) -> Callable[[str], None]:
    """expect_log(pattern): "logger: message" lines that match are part of the test, and at least one has to come."""

    def expect(pattern: str) -> None:
        log_guard.expected.append(re.compile(pattern))

    return expect


# --- other people's programs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def imagemagick() -> Callable[..., str]:
    """imagemagick("convert" | "identify", *arguments) runs the real ImageMagick and gives what it printed.

    Fails the test if it is not installed, or if it ends with an error or says anything on stderr: a picture that it reads
    with a warning is not a good picture.
    """
    tools: dict[str, list[str]] | None = _dev.system_needs.imagemagick()
    if tools is None:
        pytest.fail("ImageMagick is not installed; packaging/dev.py test says how to install it.", pytrace=False)

    def call(tool: str, *arguments: str | Path) -> str:
        done = subprocess.run([*tools[tool], *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return call
