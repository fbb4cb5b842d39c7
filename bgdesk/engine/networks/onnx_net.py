"""Networks from ONNX files, run by ONNX Runtime: the only module that imports it."""

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
from bgdesk.core.network import LONGEST, Activation, Fit, NetworkKind, NetworkSpec, sides
from bgdesk.engine.networks.device import Device, OutOfMemory, Run
from bgdesk.engine.networks.network import Opened, Proven
from bgdesk.engine.networks.proof import Difference, Unproven, sample

Floats: TypeAlias = NDArray[np.float32]

#: Where ONNX Runtime can compute beside the CPU: our name -> its name. Tried in this order.
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider", "directml": "DmlExecutionProvider"}
#: Words for a person.
_NAMES = {"cpu": "CPU", "cuda": "NVIDIA GPU", "mps": "Apple GPU", "directml": "GPU (DirectML)", "xpu": "Intel GPU"}
CPU = "CPUExecutionProvider"
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
#: The CPU's answer to the sample is remembered at this many places in each direction.
_PLACES = 32
#: What is tried on a matting network that takes any size.
_TRIAL = 256

_OTHER_PRECISION = "{} computes in {}, as its file was exported, not in {}."


@dataclass(frozen=True)
class OnnxNet:
    """How to feed a network from an ONNX file: a Net and a MattingNet (see network)."""

    spec: NetworkSpec
    mirror: float = 1.0

    @property
    def stretch(self) -> bool:
        return self.spec.stretch

    @property
    def size(self) -> Size:
        if self.spec.size is None:
            raise ValueError("a network must be tried before it is used")
        return self.spec.size

    @property
    def any_size(self) -> bool:
        """The file takes other sizes too."""
        return self.spec.fit is not Fit.EXACT

    def size_for(self, photo: Size, scale: float = 1.0) -> Size:
        """The size that a photo of this size is given to the network in; scale: wished relative to the network's own.

        A network that was tried at one size stays at it: a file may say that it takes any, and fail.
        """
        if self.spec.fit is not Fit.ASPECT:
            return self.size
        multiple, shortest = self.spec.multiple, min(self.size) * scale
        factor = shortest / min(photo)
        return Size(*(max(multiple, round(min(side * factor, LONGEST * shortest) / multiple) * multiple) for side in photo))

    def padded(self, piece: Size) -> Size:
        """See MattingNet."""
        multiple = self.spec.multiple
        return Size(*(-(-side // multiple) * multiple for side in piece)) if self.any_size else self.size

    def normalise(self, pixels: Floats) -> Floats:
        mean, std = np.array(self.spec.mean, np.float32), np.array(self.spec.std, np.float32)
        normalised: Floats = (pixels / np.float32(self.spec.scale) - mean) / std
        return normalised


def runtime() -> ModuleType:
    """Import ONNX Runtime, without its telemetry; the only place that imports it. Raises ModelError if it is not installed."""
    # Set before the import: from 1.32 on, ONNX Runtime records how it is used, under an id of this machine.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError('Networks from ONNX files need ONNX Runtime. Install it with: pip install "bgdesk[onnx]"') from error
    return onnxruntime  # type: ignore[no-any-return]


def sample_batch(net: OnnxNet, size: Size) -> Floats:
    """The sample as the network takes it: float32 1×3×H×W, or 1×4×H×W with the sample's trimap."""
    planes = [net.normalise(sample(size))]
    if net.spec.kind is NetworkKind.MATTE:
        ys, xs = np.mgrid[: size.height, : size.width].astype(np.float32)
        distance = np.hypot(xs / size.width - 0.5, ys / size.height - 0.5)
        planes.append(np.where(distance < 0.24, 1.0, np.where(distance > 0.36, 0.0, 0.5)).astype(np.float32)[..., None])
    return np.ascontiguousarray(np.concatenate(planes, -1).transpose(2, 0, 1)[None])


# --- running one ---


@dataclass(frozen=True)
class OnnxNetwork:
    """A verified network file: a Network that ONNX Runtime runs."""

    id: str  #: by which the person names it
    path: Path
    sha256: str  #: of the file, checked by whoever made this
    spec: NetworkSpec  #: complete, as a trial has settled it
    answer: str  #: see NetworkTrial

    def devices(self, device: str, precision: str) -> tuple[Device, ...]:
        """See Network.devices; also directml. The precision is the one asked for: `open` finds out what the file has."""
        offered = set(runtime().get_available_providers())
        kinds = [kind for kind in PROVIDERS if PROVIDERS[kind] in offered] if device == "auto" else [device]
        return tuple(Device(kind, _NAMES.get(kind, kind), precision) for kind in (*(kind for kind in kinds if kind != "cpu"), "cpu"))

    def open(self, device: Device, proven: Proven) -> Opened[OnnxNet]:
        """See Network.open. The proof is made each time: it compares one run with the answer that came with the file."""
        if device.kind == "cpu":
            session = session_for(self.path, self.path.name, [CPU])
        else:
            session = _proved(self, device)
        precision = "fp16" if session.get_inputs()[0].type == "tensor(float16)" else "fp32"
        notes = () if device.precision in ("auto", precision) else (_OTHER_PRECISION.format(self.id, precision, device.precision),)
        opened = Device(device.kind, device.name, precision)
        return Opened(net=OnnxNet(self.spec), device=opened, run=_runner(session, self), notes=notes)


def _runner(session: Any, network: OnnxNetwork) -> Run:
    spec, name = network.spec, network.path.name

    def run(batch: Floats) -> Floats:
        # One picture at a time: most files are exported for a single one.
        answers = []
        for index in range(len(batch)):
            (answer,) = ask(session, [spec.output], batch[index : index + 1], name)
            if not is_map(answer, Size(batch.shape[3], batch.shape[2])):
                raise ModelError(f"{name} gave an answer of shape {shape_words(np.shape(answer))}, which is not a map of the picture.")
            if not np.isfinite(answer).all():
                raise ModelError(f"{name} gives values that are not numbers (NaN or infinite) on this photo. Use another network.")
            answers.append(activated(np.asarray(answer, np.float32).reshape(1, 1, *batch.shape[2:]), spec.activation))
        return np.concatenate(answers)

    return run


def _proved(network: OnnxNetwork, device: Device) -> Any:
    """A session on an accelerator whose answer to the sample is the CPU's. Raises Unproven, OutOfMemory."""
    provider = PROVIDERS.get(device.kind, "")
    if provider not in runtime().get_available_providers():
        raise Unproven("the installed ONNX Runtime does not support it")
    try:
        session = session_for(network.path, network.path.name, [provider, CPU])
        if session.get_providers()[0] != provider:  # it falls back by itself, and says so in its log only
            raise Unproven("ONNX Runtime could not start it")
        net = OnnxNet(network.spec)
        answer = _runner(session, network)(sample_batch(net, trial_size(net)))[0, 0]
    except ModelError as error:
        raise Unproven(str(error)) from error
    found = Difference.between(_from_text(as_text(answer)), _from_text(network.answer))
    if not found.ok:
        raise Unproven(f"its answer to a sample differs from the CPU's {found}")
    return session


def session_for(path: Path, name: str, providers: Sequence[str]) -> Any:
    """Load an ONNX file.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.
    providers
        ONNX Runtime's names of where it may compute, best first.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    ModelError
    """
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
    """A shape in words for a person: 1×3×?×?."""
    return "×".join(str(side) if isinstance(side, int) else "?" for side in shape) or "a single number"


def trial_size(net: OnnxNet) -> Size:
    """As small as the file and the kind allow for matting, whose tiles may be large; a network's own size otherwise."""
    if net.spec.kind is NetworkKind.SEGMENT:
        return net.size_for(Size(800, 600))
    if not net.any_size:
        return net.size
    side = -(-_TRIAL // net.spec.multiple) * net.spec.multiple
    return Size(side, side)


def ask(session: Any, outputs: Sequence[str], batch: Floats, name: str) -> list[Any]:
    """Run a session.

    Parameters
    ----------
    session
        As `session_for` returns it.
    outputs
        Names of the outputs that are wanted.
    batch
        float32 1×C×H×W.
    name
        What messages call the file.

    Raises
    ------
    OutOfMemory
        An accelerator has no room.
    ModelError
        The CPU has no room, or the network cannot be run on this batch.
    """
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
    """Whether an output is one floating-point number for each pixel of a picture of this size."""
    shape = np.shape(answer)
    floating = isinstance(answer, np.ndarray) and np.issubdtype(answer.dtype, np.floating)
    return floating and len(shape) >= 2 and shape[-2:] == (size.height, size.width) and int(np.prod(shape[:-2])) == 1


def activated(answer: Floats, activation: Activation) -> Floats:
    """The answer with what it lacks, within [0, 1]."""
    if activation is Activation.SIGMOID:
        # By tanh, which cannot overflow.
        answer = 0.5 + 0.5 * np.tanh(np.float32(0.5) * answer)
    opacity: Floats = np.clip(answer, 0, 1).astype(np.float32, copy=False)
    return opacity


def as_text(answer: Floats) -> str:
    """Some places of an answer (float32 H×W in [0, 1]) as text, to be kept in a record."""
    rows = np.linspace(0, answer.shape[0] - 1, _PLACES).astype(int)
    columns = np.linspace(0, answer.shape[1] - 1, _PLACES).astype(int)
    levels = np.rint(answer[np.ix_(rows, columns)] * 65535).astype("<u2")
    return base64.b64encode(levels.tobytes()).decode("ascii")


def _from_text(text: str) -> Floats:
    levels = np.frombuffer(base64.b64decode(text), "<u2")
    return levels.astype(np.float32) / np.float32(65535)
