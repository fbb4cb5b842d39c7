"""Networks from ONNX files, run by ONNX Runtime: the only module that imports it.

A network that somebody brought gives the pipeline the same pair as our own: what to feed it, and a function to run it.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import LONGEST, NetworkSpec, sides
from bgdesk.engine.networks.device import Device, OutOfMemory, Run

Floats: TypeAlias = NDArray[np.float32]

#: Where ONNX Runtime can compute beside the CPU: our name, its name, words for a person. Tried in this order.
_PROVIDERS = (
    ("cuda", "CUDAExecutionProvider", "NVIDIA GPU"),
    ("mps", "CoreMLExecutionProvider", "Apple GPU"),
    ("directml", "DmlExecutionProvider", "GPU (DirectML)"),
)
CPU = "CPUExecutionProvider"
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
#: Most that a device's answer to the sample may differ from the CPU's, anywhere and on the mean.
_MOST_ANYWHERE, _MOST_ON_MEAN = 2e-2, 2e-3
#: The CPU's answer to the sample is remembered at this many places in each direction.
_PLACES = 32
#: What is tried on a matting network that takes any size.
_TRIAL = 256


@dataclass(frozen=True)
class OnnxNetwork:
    """A verified network file. sha256: of that file, checked by who made this. answer: see Trial."""

    id: str
    path: Path
    sha256: str
    spec: NetworkSpec
    answer: str


@dataclass(frozen=True)
class OnnxNet:
    """What segment has to know of a network; see nets.Net, whose place it takes."""

    spec: NetworkSpec
    reduced: bool = True
    mirror: float = 1.0

    @property
    def stretch(self) -> bool:
        return self.spec.stretch

    @property
    def size(self) -> Size:
        if self.spec.size is None:
            raise ValueError("only a network that was tried can be used")
        return self.spec.size

    @property
    def any_size(self) -> bool:
        """The file takes other sizes too."""
        return self.spec.fit != "exact"

    def size_for(self, photo: Size, scale: float = 1.0) -> Size:
        """The size that a photo of this size is given to the network in; scale: wished relative to the network's own.

        A network that was tried at one size stays at it: a file may say that it takes any, and fail.
        """
        if self.spec.fit != "aspect":
            return self.size
        multiple, shortest = self.spec.multiple, min(self.size) * scale
        factor = shortest / min(photo)
        return Size(*(max(multiple, round(min(side * factor, LONGEST * shortest) / multiple) * multiple) for side in photo))

    def normalise(self, pixels: Floats) -> Floats:
        mean, std = np.array(self.spec.mean, np.float32), np.array(self.spec.std, np.float32)
        normalised: Floats = (pixels / np.float32(self.spec.scale) - mean) / std
        return normalised


@dataclass(frozen=True, eq=False)
class Opened:
    """A network in memory. notes: fall-backs taken."""

    net: OnnxNet
    device: Device
    run: Run
    notes: tuple[str, ...]


def runtime() -> ModuleType:
    """ONNX Runtime itself, which must come in by this door alone. ModelError if it is not installed."""
    # Before it is loaded: from 1.32 on it writes down how it is used, under a number for this machine, to send to its makers.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError('Networks from ONNX files need ONNX Runtime. Install it with: pip install "bgdesk[onnx]"') from error
    return onnxruntime  # type: ignore[no-any-return]


def sample(size: Size) -> Floats:
    """A picture to try networks on, H×W×3 in [0, 255]: a round subject with a soft rim before a backdrop with some grain."""
    ys, xs = np.mgrid[: size.height, : size.width].astype(np.float32)
    x, y = xs / size.width - 0.5, ys / size.height - 0.5
    alpha = np.clip((0.3 - np.hypot(x, y)) * 20 + 0.5, 0, 1)[..., None]
    front = np.stack([200 + 40 * x, 120 + 60 * y, 60 + 20 * np.sin(40 * x)], -1)
    grain = 6 * np.sin(97 * x + 61 * y) * np.sin(53 * y - 31 * x)
    back = np.stack([60 + 30 * y + grain, 90 + 40 * x + grain, 140 - 30 * y + grain], -1)
    picture: Floats = (alpha * front + (1 - alpha) * back).astype(np.float32)
    return picture


def sample_batch(net: OnnxNet, size: Size) -> Floats:
    """The sample as the network takes it: 1×3×H×W, or 1×4×H×W with the sample's trimap."""
    planes = [net.normalise(sample(size))]
    if net.spec.kind == "matte":
        ys, xs = np.mgrid[: size.height, : size.width].astype(np.float32)
        distance = np.hypot(xs / size.width - 0.5, ys / size.height - 0.5)
        planes.append(np.where(distance < 0.24, 1.0, np.where(distance > 0.36, 0.0, 0.5)).astype(np.float32)[..., None])
    return np.ascontiguousarray(np.concatenate(planes, -1).transpose(2, 0, 1)[None])


# --- running one ---


def open_network(network: OnnxNetwork, device: str = "auto", precision: str = "auto") -> Opened:
    """Load the network for the fastest place that this ONNX Runtime offers and that gives the CPU's answer.

    device: auto, cpu, or one of _PROVIDERS' names. precision: an ONNX file is computed as it was exported, whatever
    is asked. Raises ModelError.
    """
    net, notes = OnnxNet(network.spec), []
    offered = set(runtime().get_available_providers())
    wanted = [each for each in _PROVIDERS if device in ("auto", each[0]) and each[1] in offered]
    if device not in ("auto", "cpu") and not wanted:
        notes.append(f"ONNX Runtime was installed without {device}, so {network.id} computes on the CPU.")
    for kind, provider, title in wanted:
        try:
            session = _proved(network, net, provider)
        except (ModelError, OutOfMemory) as error:
            notes.append(f"{title} is not used for {network.id}: {str(error).rstrip('.')}. The CPU computes instead.")
            continue
        found = _precision(session, precision, network.id, notes)
        return Opened(net, Device(kind, title, found), _runner(session, network), tuple(notes))
    session = session_for(network.path, network.path.name, [CPU])
    found = _precision(session, precision, network.id, notes)
    return Opened(net, Device("cpu", "CPU", found), _runner(session, network), tuple(notes))


def _precision(session: Any, asked: str, id: str, notes: list[str]) -> str:
    found = "fp16" if session.get_inputs()[0].type == "tensor(float16)" else "fp32"
    if asked not in ("auto", found):
        notes.append(f"{id} computes in {found}, as its file was exported, not in {asked}.")
    return found


def _runner(session: Any, network: OnnxNetwork) -> Run:
    spec, name = network.spec, network.path.name

    def run(batch: Floats) -> Floats:
        # One picture at a time: most files are exported for a single one.
        answers = []
        for index in range(len(batch)):
            (answer,) = ask(session, [spec.output], batch[index : index + 1], name)
            if not is_map(answer, Size(batch.shape[3], batch.shape[2])):
                raise ModelError(f"{name} gave an answer of shape {shape_words(np.shape(answer))}, which is no map of the picture.")
            if not np.isfinite(answer).all():
                raise ModelError(f"{name} gives values that are no numbers (NaN or infinite) on this photo. Use another network.")
            answers.append(activated(np.asarray(answer, np.float32).reshape(1, 1, *batch.shape[2:]), spec.activation))
        return np.concatenate(answers)

    return run


def _proved(network: OnnxNetwork, net: OnnxNet, provider: str) -> Any:
    """A session on an accelerator whose answer to the sample is the CPU's. Raises ModelError, OutOfMemory."""
    session = session_for(network.path, network.path.name, [provider, CPU])
    if session.get_providers()[0] != provider:  # it falls back by itself, and says so in its log only
        raise ModelError("ONNX Runtime could not start it.")
    answer = _runner(session, network)(sample_batch(net, trial_size(net)))[0, 0]
    difference = np.abs(_from_text(as_text(answer)) - _from_text(network.answer))
    worst, mean = float(difference.max()), float(difference.mean())
    if worst > _MOST_ANYWHERE or mean > _MOST_ON_MEAN:
        raise ModelError(f"Its answer differs from the CPU's by {worst:.3f} at worst and {mean:.4f} on the mean.")
    return session


def session_for(path: Path, name: str, providers: Sequence[str]) -> Any:
    ort = runtime()
    options = ort.SessionOptions()
    # Its own log goes to the terminal from C++; whatever matters arrives as an exception.
    options.log_severity_level = 4
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # DirectML cannot work with it, and the others gain nothing where sizes change.
    options.enable_mem_pattern = False
    # Otherwise the memory of the largest run is kept for good: a desktop program gives it back.
    options.enable_cpu_mem_arena = False
    try:
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime has a class for each of its status codes, with no common base
        reason = reason_of(error).replace(str(path), name)
        raise ModelError(f"{name} could not be loaded by ONNX Runtime: {reason}. Export it anew with standard operators.") from error


def reason_of(error: Exception) -> str:
    """The first line of one of ONNX Runtime's errors, without its prefix and its full stop."""
    text = (str(error).splitlines() or [""])[0].strip()
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    return text[:300].rstrip(". ") or type(error).__name__


def shape_words(shape: Sequence[int | str | None]) -> str:
    return "×".join(str(side) if isinstance(side, int) else "?" for side in shape) or "a single number"


def trial_size(net: OnnxNet) -> Size:
    """As small as the file and the kind allow for matting, whose tiles may be large; a network's own size otherwise."""
    if net.spec.kind == "segment":
        return net.size_for(Size(800, 600))
    if not net.any_size:
        return net.size
    side = -(-_TRIAL // net.spec.multiple) * net.spec.multiple
    return Size(side, side)


def ask(session: Any, outputs: Sequence[str], batch: Floats, name: str) -> list[Any]:
    feed = session.get_inputs()[0]
    try:
        answers: list[Any] = session.run(list(outputs), {feed.name: batch.astype(TYPES[feed.type], copy=False)})
    except Exception as error:  # see session_for
        reason = reason_of(error)
        words = reason.lower()
        if any(sign in words for sign in ("out of memory", "failed to allocate", "bad_alloc", "alloc_failed")):
            if session.get_providers()[0] != CPU:
                raise OutOfMemory(reason) from error
            needs = "needs more memory than this computer has free"
            raise ModelError(f"{name} {needs} ({reason}). Close other programs, or use a smaller network.") from error
        shape = sides(Size(batch.shape[3], batch.shape[2]))
        raise ModelError(f"{name} could not be run on a picture of {shape} pixels: {reason}. Check its size.") from error
    return answers


def is_map(answer: Any, size: Size) -> bool:
    shape = np.shape(answer)
    floating = isinstance(answer, np.ndarray) and np.issubdtype(answer.dtype, np.floating)
    return floating and len(shape) >= 2 and shape[-2:] == (size.height, size.width) and int(np.prod(shape[:-2])) == 1


def activated(answer: Floats, activation: str) -> Floats:
    if activation == "sigmoid":
        # By tanh, which cannot overflow.
        answer = 0.5 + 0.5 * np.tanh(np.float32(0.5) * answer)
    opacity: Floats = np.clip(answer, 0, 1).astype(np.float32, copy=False)
    return opacity


def as_text(answer: Floats) -> str:
    rows = np.linspace(0, answer.shape[0] - 1, _PLACES).astype(int)
    columns = np.linspace(0, answer.shape[1] - 1, _PLACES).astype(int)
    levels = np.rint(answer[np.ix_(rows, columns)] * 65535).astype("<u2")
    return base64.b64encode(levels.tobytes()).decode("ascii")


def _from_text(text: str) -> Floats:
    levels = np.frombuffer(base64.b64decode(text), "<u2")
    return levels.astype(np.float32) / np.float32(65535)
