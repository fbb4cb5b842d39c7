"""The three commands of the README: set everything up and run the program, the tests, or the build of a folder to hand on.

Standard library only. The environment is `.venv` beside this folder; a stamp inside it says what was installed, so that a
second call goes straight to work.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the place that says it; nothing above may need a newer Python
    sys.exit(
        f"bgdesk needs Python 3.11 or newer; this is Python {sys.version_info[0]}.{sys.version_info[1]}. "
        "Start this script with a newer one, for example: python3.11 packaging/dev.py run"
    )

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # system_needs reads a table of bgdesk's, which needs nothing installed

import system_needs  # noqa: E402
from system_needs import Need, SetupError  # noqa: E402

VENV = ROOT / ".venv"
STAMP = VENV / "bgdesk-stamp.json"
#: What the kernels in KERNELS, which bgdesk looks into, were compiled from.
KERNELS_STAMP = VENV / "bgdesk-kernels.json"
KERNELS = ROOT / ".cache" / "kernels"
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
SAMPLE = ROOT / "resources" / "samples" / "astronaut.png"
SPEC = ROOT / "packaging" / "bgdesk.spec"
#: What the tests use as BGDESK_HOME when they need real networks; tests/conftest.py looks here too.
TEST_HOME = ROOT / ".cache" / "bgdesk"
TEST_NETWORKS = ("isnet-general", "u2netp")
DEFAULT_NETWORK = "isnet-general"
#: First words that are bgdesk's own commands: they need no window.
COMMANDS = ("cut", "batch", "watch", "matte", "models", "doctor", "bench")

USAGE = """\
usage: python3 packaging/dev.py run [FILES...]         open the window, with the files or with a sample photo
       python3 packaging/dev.py run cut PHOTO -o OUT   the same without a window; also: batch, watch, matte, models, doctor,
                                                       bench, --version, --help
       python3 packaging/dev.py test [ARGUMENTS...]    run all checks and tests; the arguments go to pytest
       python3 packaging/dev.py build [FOLDER]         make a folder with the program and all it needs, in FOLDER or dist
"""


def say(text: str) -> None:
    """Tell how far it is. On stderr, because stdout belongs to the program: `run cut --json` is read by other programs."""
    print(text, file=sys.stderr, flush=True)


# --- the system ------------------------------------------------------------------------------------------------------


def ensure_system(what: str, look: Callable[[], list[Need]]) -> None:
    """Install what is missing for `what`, and for a new .venv, or raise SetupError, which says how."""

    def all_of_it() -> list[Need]:
        return look() if VENV.exists() or look is system_needs.environment else look() + system_needs.environment()

    system_needs.ensure(what, all_of_it, say)


# --- the environment -------------------------------------------------------------------------------------------------


def venv_program(name: str, folder: Path = VENV) -> Path:
    return folder / "Scripts" / f"{name}.exe" if os.name == "nt" else folder / "bin" / name


def python_identity() -> str:
    """The Python that an environment made now would stand on."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()} {Path(sys.base_prefix).resolve()}"


def fingerprint(files: Sequence[Path], python: str, root: Path) -> str:
    """Changes whenever what was installed could be out of date; `root` counts because an editable install points at it."""
    digest = hashlib.sha256(f"{python}\n{root}\n".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read_stamp(path: Path) -> dict[str, object]:
    """The stamp, or an empty one if there is none or it is damaged: then everything is installed anew."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(stamp: Mapping[str, object], wanted: str, extras: Sequence[str]) -> bool:
    """True if the environment holds the wanted set and at least these extras."""
    installed = stamp.get("extras")
    return stamp.get("fingerprint") == wanted and isinstance(installed, list) and set(extras) <= set(installed)


def is_usable(folder: Path, python: str) -> bool:
    """True if `folder` is an environment made by this very Python, and it starts."""
    # Without the prefix a damaged environment would pass: its python is then just another name of the Python outside.
    script = (
        "import sys, platform, pathlib, pip;"
        "print(pathlib.Path(sys.prefix).resolve());"
        "print(platform.python_implementation(), platform.python_version(), platform.machine(), pathlib.Path(sys.base_prefix).resolve())"
    )
    try:
        done = subprocess.run([venv_program("python", folder), "-I", "-c", script], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.splitlines() == [str(folder.resolve()), python]


def make_venv(python: str, moved: bool = False) -> None:
    """Make .venv, unless there is a good one. `moved`: it was made in another folder, to which its programs still point."""
    if not moved and is_usable(VENV, python):
        return
    if VENV.resolve() in Path(sys.executable).absolute().parents:
        raise SetupError(f"{VENV} has to be made anew, which its own Python cannot do. Start this script with the Python outside of it.")
    ensure_system("Making .venv", system_needs.environment)
    if VENV.exists():
        say(f"{VENV} is broken, was moved, or was made by another Python: making it anew.")
        shutil.rmtree(VENV)
    else:
        say(f"Making {VENV}.")
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(VENV)


def ensure_environment(extras: Sequence[str] = ()) -> None:
    """Bring .venv up to date with pyproject.toml and constraints.txt. Costs two small hashes if it already is."""
    python = python_identity()
    wanted = fingerprint([ROOT / "pyproject.toml", CONSTRAINTS], python, ROOT)
    stamp = read_stamp(STAMP)
    whole = os.access(venv_program("python"), os.X_OK) and venv_program("bgdesk").is_file() and (VENV / "pyvenv.cfg").is_file()
    if whole and is_current(stamp, wanted, extras):
        return
    make_venv(python, moved=stamp.get("root", str(ROOT)) != str(ROOT))
    # What is there stays up to date with the rest: `run` after `test` must not leave old test tools behind.
    kept = stamp.get("extras")
    extras = sorted({*extras, *(kept if isinstance(kept, list) else [])})
    STAMP.unlink(missing_ok=True)
    package = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    say("Installing bgdesk and what it needs. The first time this takes a few minutes.")
    started = time.monotonic()
    install: list[str | Path] = [
        venv_program("python"),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "-c",
        CONSTRAINTS,
        "-e",
        package,
    ]
    if subprocess.run(install, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode != 0:
        raise SetupError(
            "The packages could not be installed (pip's reason is above). Check the connection and the free disk space, then run it again."
        )
    STAMP.write_text(json.dumps({"fingerprint": wanted, "extras": extras, "root": str(ROOT)}), encoding="utf-8")
    say(f"Installed in {time.monotonic() - started:.0f} s.")


# --- the kernels -----------------------------------------------------------------------------------------------------


def ensure_kernels() -> None:
    """Compile the engine's inner loops for this machine, so that the first photo need not wait for that.

    Costs a few small files to read if nothing was changed since. Without them bgdesk compiles at its first start.
    """
    sources = [file for file in sorted((ROOT / "bgdesk" / "engine").rglob("*.py")) if "@kernel(" in file.read_text(encoding="utf-8")]
    wanted = fingerprint([STAMP, *sources], python_identity(), ROOT)
    if read_stamp(KERNELS_STAMP).get("fingerprint") == wanted and KERNELS.is_dir():
        return
    if subprocess.run([venv_program("python"), ROOT / "packaging" / "kernels.py"], cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        say("The kernels could not be compiled (the reason is above); going on without them: the first photo takes longer.")
        return
    KERNELS_STAMP.write_text(json.dumps({"fingerprint": wanted}), encoding="utf-8")


# --- the networks ----------------------------------------------------------------------------------------------------


def network_file() -> Path:
    """Where the last `run` saw the default network: asking bgdesk itself each time would cost a good part of a second."""
    return VENV / "bgdesk-network.json"


def has_network(note: Mapping[str, object], home: str | None) -> bool:
    """True if the note speaks of this BGDESK_HOME and the file it names is still there."""
    path = note.get("path")
    return note.get("home") == home and isinstance(path, str) and Path(path).is_file()


def ensure_network() -> None:
    """Install the default network for the person who runs this. Going without one is allowed: the window offers it again."""
    home = os.environ.get("BGDESK_HOME")
    if has_network(read_stamp(network_file()), home):
        return
    if subprocess.run([venv_program("bgdesk"), "models", "install", DEFAULT_NETWORK], stdout=sys.stderr).returncode != 0:
        say(f"The network {DEFAULT_NETWORK} could not be installed (the reason is above); going on without it.")
        return
    script = f"from bgdesk.app.networks.store import default_store; print(default_store().weights({DEFAULT_NETWORK!r}).path)"
    where = subprocess.run([venv_program("python"), "-c", script], capture_output=True, text=True, check=True)
    network_file().write_text(json.dumps({"home": home, "path": where.stdout.strip()}), encoding="utf-8")


# --- run -------------------------------------------------------------------------------------------------------------


def needs_window(arguments: Sequence[str]) -> bool:
    """True unless bgdesk was given one of its commands, or asked for its version or help."""
    return not (arguments and arguments[0] in COMMANDS) and not {"-h", "--help", "--version"}.intersection(arguments)


def needs_network(arguments: Sequence[str]) -> bool:
    return needs_window(arguments) or (arguments[:1] in (["cut"], ["batch"], ["watch"]) and not {"-h", "--help"}.intersection(arguments))


def has_display(environment: Mapping[str, str], system: str) -> bool:
    """Windows and macOS always have one; elsewhere an X or Wayland server, or the Qt platform that the person chose."""
    return system in ("win32", "darwin") or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def run(arguments: list[str]) -> int:
    window = needs_window(arguments)
    if window and not has_display(os.environ, sys.platform):
        say("There is no display to open a window on. Without one: python3 packaging/dev.py run cut photo.jpg -o out.png")
        return 2
    if window:
        ensure_system("The window", system_needs.window)
    ensure_environment()
    if needs_network(arguments):
        ensure_network()
    if needs_network(arguments) or arguments[:1] in (["matte"], ["bench"]):
        ensure_kernels()
    if window and not arguments:
        arguments = [str(SAMPLE)]
    command = [str(venv_program("bgdesk")), *arguments]
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], command)  # so that signals and the exit status are the program's own
    return subprocess.run(command).returncode


# --- test ------------------------------------------------------------------------------------------------------------


def onnx_file(home: Path, network: str) -> Path:
    """Where the test cache keeps the file that a network's weights were converted from: tests compare against it."""
    return home / "onnx" / f"{network}.onnx"


def step(title: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> bool:
    """Run one check from the top of the repository and say how it went."""
    print(f"== {title}", flush=True)
    started = time.monotonic()
    ok = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode == 0
    print(f"== {title}: {'ok' if ok else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
    return ok


def test(arguments: list[str]) -> int:
    ensure_system("The tests", system_needs.tests)
    ensure_environment(("dev",))
    ensure_kernels()
    python = venv_program("python")
    results: dict[str, bool] = {}
    fill: list[str | Path] = [venv_program("python"), ROOT / "packaging" / "fill_test_cache.py", TEST_HOME, *TEST_NETWORKS]
    results["networks"] = step("networks", fill)
    results["ruff check"] = step("ruff check", [venv_program("ruff"), "check", "."])
    results["ruff format"] = step("ruff format", [venv_program("ruff"), "format", "--check", "."])
    results["vulture"] = step("vulture", [python, "-m", "vulture"])
    results["mypy"] = step("mypy", [python, "-m", "mypy"])
    results["import rules"] = step("import rules", [venv_program("lint-imports"), "--no-logo"])
    failed = [title for title, ok in results.items() if not ok]
    if failed:
        print(f"== failed before the tests: {', '.join(failed)}; the tests run all the same", flush=True)
    # pytest comes last and speaks last: its closing line is what a reader, or a CI, looks for.
    status = subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    return status or (1 if failed else 0)


# --- build -----------------------------------------------------------------------------------------------------------


def build(arguments: list[str]) -> int:
    """Make FOLDER/bgdesk, which runs without Python and this repository, and prove it: only then is an older one replaced."""
    folder = Path(arguments[0]).absolute() if arguments else ROOT / "dist"
    ensure_system("The build", system_needs.build)
    ensure_environment(("build", "onnx"))  # nothing can be installed into a frozen build later, so it has ONNX Runtime
    ensure_network()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
        work = Path(scratch)
        python, kernels = venv_program("python"), work / "kernels"
        places: list[str | Path] = ["--distpath", work / "dist", "--workpath", work / "work"]
        make: dict[str, list[str | Path]] = {
            "kernels": [python, ROOT / "packaging" / "kernels.py", kernels],
            "PyInstaller": [python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", *places, SPEC, "--", kernels],
        }
        for title, command in make.items():
            if not step(title, command):
                raise SetupError(f"{title} failed; the reason is above.")
        prove(work / "dist" / "bgdesk", work / "proof")
        target = folder / "bgdesk"
        if target.exists():
            shutil.rmtree(target)
        (work / "dist" / "bgdesk").replace(target)
    size = sum(file.lstat().st_size for file in target.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"== built: {target}, {size / 1e6:.0f} MB", flush=True)
    return 0


def prove(program: Path, scratch: Path) -> None:
    """Cut the samples with the built program, alone and as a queue, in a home that holds the default network and nothing else.

    Raises SetupError if that fails, or if it had to compile what it should carry.
    """
    script = "from bgdesk.app.system.paths import models_folder; print(models_folder())"
    models = subprocess.run([venv_program("python"), "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    home, compiled = scratch / "home", scratch / "compiled"
    (home / "models").mkdir(parents=True)
    for file in Path(models).glob(f"{DEFAULT_NETWORK}.*"):
        shutil.copy(file, home / "models")
    environment = {**os.environ, "BGDESK_HOME": str(home), "NUMBA_CACHE_DIR": str(compiled)}
    start = program / ("bgdesk.exe" if os.name == "nt" else "bgdesk")
    if not step("bgdesk --version", [start, "--version"], environment):
        raise SetupError("The built program does not start; the reason is above.")
    samples = SAMPLE.parent
    calls = {"cut": ["--format", "png"], "batch": ["--gate", "0"]}
    for name, options in calls.items():
        out = scratch / name
        if not step(f"bgdesk {name}", [start, name, samples, "-o", out, *options], environment):
            raise SetupError(f"The built program starts, but bgdesk {name} fails; the reason is above.")
        if len([file for file in out.glob("*.png") if file.stat().st_size]) != len(list(samples.glob("*.png"))):
            raise SetupError(f"The built program's bgdesk {name} did not cut every photo of {samples}.")
    if made := sorted(file.name for file in compiled.rglob("*") if file.is_file()):
        raise SetupError(f"The built program compiled what it should carry: {', '.join(made)}. Add the case to packaging/kernels.py.")


# --- the door --------------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    commands = {"run": run, "test": test, "build": build}
    if command not in commands or (command == "build" and (len(rest) > 1 or any(word.startswith("-") for word in rest))):
        print(USAGE, end="", file=sys.stderr)
        return 2
    try:
        return commands[command](rest)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
