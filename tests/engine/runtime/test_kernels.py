"""Kernels: compiled once for the types they name, kept on disk, found again by what they were made from."""

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.engine import prepare
from bgdesk.engine.runtime import kernel_cache, kernel_folder
from bgdesk.engine.runtime.kernels import f4, i8, kernel, read

V3, V2 = "x86-64-v3", "x86-64-v2"

# --- which kernels a frozen build carries for this CPU ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "machine", "names"),
    [
        ("Linux", "x86_64", [V3, V2]),
        ("Windows", "AMD64", [V3, V2]),
        ("Darwin", "arm64", ["apple-m1"]),
        ("Linux", "aarch64", ["generic"]),
    ],
)
def test_levels_best_first(system: str, machine: str, names: list[str]) -> None:
    assert list(kernel_cache.levels(system, machine)) == names


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path | None]:
    """find(features): which of two levels is taken on an x86-64 CPU with these features."""
    for level in (V3, V2):
        (tmp_path / level).mkdir()

    def call(features: str) -> Path | None:
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(kernel_cache._codegen, "get_host_cpu_features", lambda: features)
        return kernel_cache.find_carried(tmp_path)

    return call


def features(*levels: str, missing: str = "") -> str:
    """As LLVM lists them: the features that these levels need, and what else a CPU may say."""
    table = kernel_cache.levels("Linux", "x86_64")
    return ",".join(f"{'-' if name == missing else '+'}{name}" for level in levels for name in ("64bit", *table[level]))


@pytest.mark.parametrize(
    ("cpu", "level"),
    [
        (features(V3, V2), V3),
        (features(V3, V2, missing="avx2"), V2),
        (features(V2, missing="sse4.2"), None),
        ("", None),
    ],
)
def test_the_best_level_that_this_cpu_can_run_is_taken(
    find: Callable[[str], Path | None], tmp_path: Path, cpu: str, level: str | None
) -> None:
    assert find(cpu) == (tmp_path / level if level else None)


def test_a_level_that_is_not_there_is_passed_over(find: Callable[[str], Path | None], tmp_path: Path) -> None:
    (tmp_path / V3).rmdir()
    assert find(features(V3, V2)) == tmp_path / V2
    (tmp_path / V2).rmdir()
    assert find(features(V3, V2)) is None


# --- where a kernel is found -----------------------------------------------------------------------------------------

#: Prints how it got the kernel: "compiled" or "loaded". Arguments: the factor, the folder carried, the one kept in ("" for none).
USE_A_KERNEL = """
import sys
from pathlib import Path
from typing import Any
import numpy as np
from bgdesk.engine.runtime import kernel_cache, kernel_folder, kernels
factor, carried, kept = sys.argv[1:]
FACTOR = int(factor)
kernel_cache.carried = Path(carried) if carried else None
if kept:
    kernel_folder.keep_in(Path(kept))

@kernels.kernel((kernels.i8,))
def times(x):
    return x * FACTOR

assert times(21) == 21 * FACTOR
print("compiled" if times.stats.cache_misses else "loaded")
"""


@pytest.fixture
def use_a_kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    def use(*arguments: object) -> str:
        done = subprocess.run([sys.executable, "-c", USE_A_KERNEL, *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert done.stderr == ""
        return done.stdout.strip()

    return use


def test_a_kernel_is_carried_or_kept_or_compiled(use_a_kernel: Callable[..., str], tmp_path: Path) -> None:
    carried, kept = tmp_path / "carried", tmp_path / "kept"
    assert use_a_kernel(2, "", carried) == "compiled"  # as a build makes it
    (made,) = carried.iterdir()
    assert made.suffix == kernel_folder.SUFFIX
    assert use_a_kernel(2, carried, kept) == "loaded"
    assert not kept.exists()
    # Another constant: nothing stale is used, and what is compiled is kept and found again.
    assert use_a_kernel(3, carried, kept) == "compiled"
    assert use_a_kernel(3, carried, kept) == "loaded"
    assert list(carried.iterdir()) == [made]


def test_a_damaged_kernel_and_a_folder_that_cannot_be_made_cost_time_alone(use_a_kernel: Callable[..., str], tmp_path: Path) -> None:
    folder, file = tmp_path / "kernels", tmp_path / "file"
    file.touch()
    use_a_kernel(2, "", folder)
    (made,) = folder.iterdir()
    made.write_bytes(made.read_bytes()[:100])
    assert use_a_kernel(2, folder, file / "kept") == "compiled"
    assert use_a_kernel(2, folder, "") == "compiled"


def test_two_processes_at_once_share_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    command = [sys.executable, "-c", USE_A_KERNEL, "2", "", str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.strip() in ("compiled", "loaded")
    assert [file.suffix for file in tmp_path.iterdir()] == [kernel_folder.SUFFIX]


def test_the_environment_names_the_folder_before_the_application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel_folder._Named, "folder", None)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert kernel_folder.kept() is None
    kernel_folder.keep_in(tmp_path / "said")
    assert kernel_folder.kept() == tmp_path / "said"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    assert kernel_folder.kept() == tmp_path / "named"


# --- what a kernel is known by ---------------------------------------------------------------------------------------


def made_of(source: str, **names: object) -> str:
    """The fingerprint of the function `f` that `source` defines, among these globals."""
    space = dict(names)
    exec(source, space)
    function = space["f"]
    assert callable(function)
    return kernel_cache.fingerprint(function)


PLAIN = 'def f(x):\n    """What it does."""\n    return x * FACTOR'


def test_a_fingerprint_follows_code_and_constants_and_nothing_else() -> None:
    plain = made_of(PLAIN, FACTOR=2)
    assert made_of(PLAIN, FACTOR=3) != plain
    assert made_of(PLAIN.replace("*", "+"), FACTOR=2) != plain
    assert made_of("\n\n# a remark\n" + PLAIN.replace("What", "All that"), FACTOR=2) == plain


def test_a_fingerprint_follows_the_kernels_that_are_called() -> None:
    class Called:
        def __init__(self, factor: int) -> None:
            space: dict[str, object] = {}
            exec(f"def g(x):\n    return x * {factor}", space)
            self.py_func = space["g"]

    source = "def f(x):\n    return g(x) + 1"
    assert made_of(source, g=Called(2)) == made_of(source, g=Called(2))
    assert made_of(source, g=Called(2)) != made_of(source, g=Called(3))


# --- types -----------------------------------------------------------------------------------------------------------


@kernel((read(f4[:, :]), i8))
def corner(plane: np.ndarray, times: int) -> float:
    """The first value, `times` over."""
    value: float = plane[0, 0] * times
    return value


def signatures_of(function: Any) -> int:
    """For how many combinations of types a kernel was compiled."""
    return len(function.signatures)


def test_one_compilation_serves_every_order_in_memory_and_read_only_arrays() -> None:
    plane = np.full((6, 8), 3, np.float32)
    fixed = plane.copy()
    fixed.flags.writeable = False
    assert [corner(view, 2) for view in (plane, plane[::2, 1:5], plane.T, fixed, fixed[1:, ::3])] == [6.0] * 5
    assert signatures_of(corner) == 1


@pytest.mark.parametrize("other", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.float32), np.zeros((2, 2), np.uint8)])
def test_other_types_are_refused_and_never_compiled(other: np.ndarray) -> None:
    with pytest.raises(TypeError):
        corner(other, 2)
    assert signatures_of(corner) == 1


# --- all of them -----------------------------------------------------------------------------------------------------

#: Everything that reaches a kernel and asks for no network, on every kind of picture that may come.
USE_ALL = """
from itertools import product
import numpy as np
from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.engine import prepare
from bgdesk.engine.pipeline import Pipeline

def none():
    raise ModelError("none is needed here")

pipeline = Pipeline(none)
try:
    pipeline.warm()
except ModelError:
    pass
warmed = {kernel.__name__: (kernel.is_ready, kernel.signatures) for kernel in prepare.all_kernels()}
# Narrower than a tile of the colours; and larger than their coarse level (a megapixel), so that finer ones are worked out.
for side, depth, whole, writeable in product((96, 1056), (np.uint8, np.uint16), (True, False), (True, False)):
    wide = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (side, side + 32, 3), depth, endpoint=True)
    pixels = wide[:, 16:-16].copy() if whole else wide[:, 16:-16]
    trimap = np.zeros((side, side + 32), np.uint8)[:, 16:-16]
    trimap[:, 32:], trimap[:, 64:] = 128, 255
    alpha = (trimap / 255).astype(np.float32)
    for array in (pixels, trimap, alpha):
        array.flags.writeable = writeable
    pipeline.foreground(pixels, alpha, recipe=MatteRecipe(spill=(0, 177, 64)))
    if side > 96:
        continue  # the solver takes the same at every size
    solved = pipeline.matte(pixels, trimap).alpha
    pipeline.matte(pixels, trimap, solved)
    for label in (0, 128, 255):
        labels = trimap.copy()
        labels[40:60, 30:50] = label
        labels.flags.writeable = writeable
        pipeline.rematte(pixels, labels, solved, Rect(30, 40, 50, 60))
kernels = prepare.all_kernels()
assert warmed == {kernel.__name__: (True, kernel.signatures) for kernel in kernels}
assert all(len(kernel.signatures) == len(kernel.declared) for kernel in kernels)
print([kernel.__name__ for kernel in kernels if kernel.stats.cache_misses])
"""


def test_no_module_with_kernels_is_forgotten() -> None:
    engine = Path(prepare.__file__).parent
    modules = {file.stem for file in engine.rglob("*.py") if "\n@kernel(" in file.read_text(encoding="utf-8")}
    assert {kernel.__module__.rpartition(".")[2] for kernel in prepare.all_kernels()} == modules


def test_after_one_process_has_prepared_no_other_compiles_anything() -> None:
    runs = [subprocess.run([sys.executable, "-c", USE_ALL], capture_output=True, text=True, timeout=250) for _ in range(2)]
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 2
    assert runs[1].stdout.strip() == "[]"


def test_several_processes_compile_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each takes its share, begins with a long one, and helps the others in the end."""

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        @property
        def is_kept(self) -> bool:
            return (tmp_path / self.name).exists()

        def load(self) -> None:
            loaded.append(self.name)
            (tmp_path / self.name).touch()

    monkeypatch.setattr(prepare, "all_kernels", lambda: [Fake(name) for name in "abcdef"])
    loaded: list[str] = []
    (tmp_path / "c").touch()
    prepare.main(0, 2)
    assert loaded == ["a", "e", "f", "d", "b"]
    loaded.clear()
    prepare.main(1, 2)
    assert loaded == []


def test_compiling_can_be_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Process:
        def __init__(self, command: list[str], **_: object) -> None:
            self.killed = False
            started.append(self)

        def poll(self) -> int | None:
            return 1 if self.killed else None

        def kill(self) -> None:
            self.killed = True

        def wait(self) -> None:
            pass

    def done(share: float) -> None:
        raise Cancelled

    started: list[Process] = []
    monkeypatch.setattr(subprocess, "Popen", Process)
    with pytest.raises(Cancelled):
        prepare.compile_into(tmp_path, 10, done)
    assert started
    assert all(process.killed for process in started)


def test_where_no_process_can_be_started_the_caller_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    prepare.compile_into(tmp_path, 10, lambda share: None)
