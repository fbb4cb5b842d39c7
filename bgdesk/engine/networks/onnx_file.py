"""Somebody's ONNX file: read with care, checked for what this program cannot run, and packed into one file.

An ONNX file is not a pickle: nothing in it is executed while it is read. But it may name further files that hold its
weights, and such a name may point anywhere.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from onnx import ModelProto

#: Families of operators that ONNX Runtime has built in.
_BUILT_IN = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"})
#: One protobuf message holds no more.
_MOST_BYTES = 2**31 - 1


def pack(source: Path, target: Path, progress: Progress = silent) -> None:
    """Write a network, with the weights that lie beside its file, to a single file.

    Parameters
    ----------
    source
        The person's ONNX file.
    target
        The file to write.

    Raises
    ------
    ModelError
        The file is not an ONNX file, is cut short, lacks its weights, wants weights from outside its own folder, or needs
        operators that ONNX Runtime does not have.
    OSError
        From the disk.
    Cancelled
    """
    progress("verify", 0.0)
    model = _read(source)
    _refuse_custom_operators(model, source.name)
    places = [tensor for tensor in _tensors(model.graph) if tensor.external_data]
    if not places:
        shutil.copyfile(source, target)
    else:
        _refuse_escapes(places, source)
        _join(model, source, target)
    progress("verify", 1.0)


def _read(source: Path) -> "ModelProto":
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(source), load_external_data=False)
    except (DecodeError, ValueError, TypeError) as error:
        raise ModelError(f"{source.name} is not a complete ONNX file. Download it again, or export it anew.") from error
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{source.name} is not an ONNX file: it holds no network. Download it again, or export it anew.")
    return model


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and the graphs inside its nodes (the branches of If, the bodies of Loop and Scan)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    for each in _graphs(graph):
        yield from each.initializer
        for node in each.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def _refuse_custom_operators(model: "ModelProto", name: str) -> None:
    defined = {(function.domain, function.name) for function in model.functions}
    foreign = Counter(
        f"{node.domain}:{node.op_type}"
        for graph in _graphs(model.graph)
        for node in graph.node
        if node.domain not in _BUILT_IN and (node.domain, node.op_type) not in defined
    )
    if foreign:
        listed = ", ".join(sorted(foreign)[:4])
        raise ModelError(
            f"{name} needs operators of its own that ONNX Runtime does not have ({listed}); bgdesk loads no foreign code for them. "
            "Export the network with standard operators only."
        )


def _refuse_escapes(tensors: list[Any], source: Path) -> None:
    folder = source.resolve().parent
    for tensor in tensors:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        beside = (folder / location).resolve() if location else folder
        # resolve() follows links, so a link that leads out of the folder is seen as well.
        if not location or Path(location).is_absolute() or not beside.is_relative_to(folder):
            raise ModelError(f"{source.name} wants weights from outside its own folder ({location!r}), so it is not opened.")
        if not beside.is_file():
            raise ModelError(f"{source.name} keeps its weights in the file {location}, which is missing. Put it beside {source.name}.")


def _join(model: "ModelProto", source: Path, target: Path) -> None:
    import onnx
    from onnx.external_data_helper import load_external_data_for_model

    try:
        load_external_data_for_model(model, str(source.resolve().parent))
        if model.ByteSize() > _MOST_BYTES:
            raise ModelError(f"{source.name} and its weights are larger than 2 GB. Export the network in half precision (fp16).")
        onnx.save(model, str(target))
    except (ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"The weights beside {source.name} do not belong to it ({error}). Copy all its files anew.") from error
