"""The first run of a network from an ONNX file: is it what it was said to be, and what does the file leave open?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import Activation, Fit, NetworkKind, NetworkSpec, sides
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks.onnx_net import (
    CPU,
    TYPES,
    Floats,
    OnnxNet,
    activated,
    as_text,
    ask,
    is_map,
    sample_batch,
    session_for,
    shape_words,
    trial_size,
)

#: An answer that goes below this …
_LOWEST_OPACITY = -0.25
#: … or above this is taken for logits, any other for opacity.
_HIGHEST_OPACITY = 1.25
#: What a matting network that takes any size is given at once, if nobody says otherwise.
_MATTING_TILE = Size(1024, 1024)


@dataclass(frozen=True)
class NetworkTrial:
    """What a first run told."""

    spec: NetworkSpec  #: complete, nothing left open
    answer: str  #: the CPU's answer to the sample, as text
    notes: tuple[str, ...]  #: sentences for a person: what is otherwise than the person or a preset said


def attempt(path: Path, name: str, wish: NetworkSpec, insist: bool, progress: Progress = silent) -> NetworkTrial:
    """Run a network once on the CPU, and settle what its description leaves open.

    Parameters
    ----------
    path
        The ONNX file, packed.
    name
        What messages call the file.
    wish
        What the person, or a preset, says about the network.
    insist
        The person has named the size: a file made for another size is refused. Else the file's own size is taken.

    Raises
    ------
    ModelError
        The file is not a network of that kind, or gives no finite map.
    """
    wish.check()
    session = session_for(path, name, [CPU])
    progress("verify", 0.3)
    spec = _with_size(session, name, wish, insist)
    net = OnnxNet(spec)
    size = trial_size(net)
    answers = ask(session, [output.name for output in session.get_outputs()], sample_batch(net, size), name)
    progress("verify", 0.9)
    output, answer = _choose_output(session, answers, spec, size, name)
    activation, note = _settle_activation(answer, spec.activation)
    progress("verify", 1.0)
    settled = replace(spec, output=output, activation=activation)
    return NetworkTrial(settled, as_text(activated(answer, activation)), (note,) if note else ())


def _with_size(session: Any, name: str, wish: NetworkSpec, insist: bool) -> NetworkSpec:
    """`wish` with the size that the file can take. Raises ModelError for an input that bgdesk cannot feed."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        listed = ", ".join(each.name for each in inputs)
        raise ModelError(f"{name} has {len(inputs)} inputs ({listed}); bgdesk takes networks with a single one. Export it with one input.")
    shape, kind = inputs[0].shape, inputs[0].type
    if kind not in TYPES:
        raise ModelError(f"{name} takes values of type {kind}; bgdesk gives 32 or 16 bit floats. Export it with a float input.")
    if len(shape) != 4 or (shape[0] != 1 and isinstance(shape[0], int)):
        raise ModelError(f"{name} takes an input of shape {shape_words(shape)}; bgdesk gives 1×{wish.channels}×height×width.")
    if isinstance(shape[1], int) and shape[1] != wish.channels:
        hint = (
            "Import it with --kind matte." if shape[1] == 4 else "Import it with --kind segment." if shape[1] == 3 else "It cannot be used."
        )
        other = "a photo and a trimap" if wish.kind is NetworkKind.MATTE else "a photo"
        raise ModelError(f"{name} takes {shape[1]} channels (shape {shape_words(shape)}); {other} has {wish.channels}. {hint}")
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        size = wish.size or (_MATTING_TILE if wish.kind is NetworkKind.MATTE else None)
        if size is None:
            raise ModelError(f"{name} takes photos of any size. Say which one it was trained for, with --size.")
        return replace(wish, size=size)
    fixed = Size(width, height)
    if insist and wish.size is not None and wish.size != fixed:
        raise ModelError(f"{name} was made for {sides(fixed)} pixels, not for {sides(wish.size)}. Leave --size out, or export it anew.")
    return replace(wish, size=fixed, fit=Fit.EXACT)


def _choose_output(session: Any, answers: Sequence[Any], spec: NetworkSpec, size: Size, name: str) -> tuple[str, Floats]:
    """The output that is a map of the picture's size: the one that was named, else the first."""
    names = [output.name for output in session.get_outputs()]
    if spec.output and spec.output not in names:
        raise ModelError(f"{name} has no output called {spec.output}. Its outputs are: {', '.join(names)}.")
    for output, answer in zip(names, answers, strict=True):
        if spec.output in ("", output) and is_map(answer, size):
            found = np.asarray(answer, np.float32).reshape(size.height, size.width)
            if not np.isfinite(found).all():
                raise ModelError(f"{name} gives values that are not numbers (NaN or infinite) on a sample. Export it in fp32.")
            return output, found
    shapes = ", ".join(f"{output} {shape_words(np.shape(answer))}" for output, answer in zip(names, answers, strict=True))
    raise ModelError(f"{name} gives no map of {sides(size)} pixels, one number for each; its outputs are: {shapes}.")


def _settle_activation(answer: Floats, said: Activation) -> tuple[Activation, str]:
    """(what is left to do with such answers, what was said wrongly): the same network is exported with and without its last step."""
    logits = bool(answer.min() < _LOWEST_OPACITY or answer.max() > _HIGHEST_OPACITY)
    found = Activation.SIGMOID if logits else Activation.NONE
    if said in (Activation.AUTO, found):
        return found, ""
    if logits:
        return found, "Its answers are logits, not opacities: they are passed through the logistic function."
    return found, "Its answers lie between 0 and 1 already: they are taken as they are."
