"""The public interface as functions: the parts put together with the person's own installed networks."""

from os import PathLike
from pathlib import Path

from bgdesk.app.networks.store import default_store
from bgdesk.app.system.proven_devices import ProvenFile
from bgdesk.core.cutout import Cutout
from bgdesk.core.recipe import ExportRecipe
from bgdesk.engine.pipeline import Pipeline
from bgdesk.files.load import LoadedImage
from bgdesk.files.load import load as _load


class Engine(Pipeline):
    """The engine with an installed network.

    model: id of an installed network (None: the default one). device: auto, cpu, cuda, xpu or mps. precision: auto, fp32,
    bf16 or fp16. matting: id of an installed matting network, such as ViTMatte, to work out edges (None: bgdesk's solver).
    Cheap to make; the networks are loaded at the first photo, and a missing one is said then (ModelError), so that matting
    with a trimap works without any.
    """

    def __init__(self, model: str | None = None, device: str = "auto", precision: str = "auto", matting: str | None = None) -> None:
        store = default_store()
        edges = None if matting is None else lambda: store.matting(matting)
        super().__init__(lambda: store.weights(model), device, precision, edges, ProvenFile())


def load(path: str | PathLike[str]) -> LoadedImage:
    """Decode a photo: upright, sRGB, H×W×3 uint8 or uint16. Raises LoadError, which names the file."""
    return _load(Path(path))


def save(cutout: Cutout, path: str | PathLike[str], recipe: ExportRecipe | None = None, photo: LoadedImage | None = None) -> Path:
    """Write a cutout as the suffix (or the recipe) says; returns the path. Raises SaveError.

    Written beside the target, read back and compared, then put in its place in one step. photo: where the pixels came
    from; its EXIF, XMP and resolution travel along, and its file is never overwritten.
    """
    from bgdesk.files.save import save as _save

    return _save(cutout, Path(path), recipe or ExportRecipe(), metadata=photo)
