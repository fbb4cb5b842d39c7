"""The public interface as functions: the parts put together with the person's own installed networks."""

from os import PathLike
from pathlib import Path

from bgdesk.app import one_photo
from bgdesk.app.networks.open_engine import EngineChoice, open_engine
from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, EngineStatus, Reach
from bgdesk.core.errors import MattingError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe, ExportRecipe, MatteRecipe, Quality
from bgdesk.core.results import Confidence, Patch
from bgdesk.core.tasks import Progress, silent
from bgdesk.files.metadata import LoadedImage


class Engine:
    """The engine with an installed network.

    An engine is cheap to make. The networks are loaded at the first photo that needs them; a missing one raises ModelError
    then, so that matting from a trimap works without any network. Long calls take `progress`, and raise Cancelled when `progress`
    raises it.

    Parameters
    ----------
    model
        Id of an installed network; None: the default one.
    device
        auto, cpu, cuda, xpu or mps.
    precision
        auto, fp32, bf16 or fp16.
    matting
        Id of an installed matting network, such as ViTMatte, that works out edges; None: bgdesk's own solver.

    Examples
    --------
    >>> photo = bgdesk.load("portrait.jpg")
    >>> cutout = bgdesk.Engine().cut(photo.pixels)
    >>> bgdesk.save(cutout, "portrait.png", photo=photo)
    """

    def __init__(self, model: str | None = None, device: str = "auto", precision: str = "auto", matting: str | None = None) -> None:
        #: The stages themselves; their answers have notes beside the arrays.
        self.pipeline: EngineProtocol = open_engine(EngineChoice(model=model, matting=matting, device=device, precision=precision))

    @property
    def status(self) -> EngineStatus:
        """Device, precision and networks; empty until a network is loaded."""
        return self.pipeline.status

    def cut(self, pixels: Pixels) -> Cutout:
        """Cut the subject out with the default recipe.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.

        Returns
        -------
        Cutout
            Alpha, foreground and trimap of the photo's size, and notes for a person.

        Raises
        ------
        ModelError, DeviceError, MattingError
        """
        return self.auto(pixels)

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        """Cut the subject out as `recipe` says. Returns and raises like `cut`."""
        return self.pipeline.auto(pixels, recipe, progress)

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        """Return the network's matte, float32 H×W in [0, 1].

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        quality
            How much time the network takes.

        Raises
        ------
        ModelError, DeviceError, MattingError
        """
        return self.pipeline.segment(pixels, progress, quality)

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Alpha:
        """Return alpha from a trimap, float32 H×W; exactly 0 and 1 where the trimap is known.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        trimap
            uint8 H×W: 0 background, 128 unknown, 255 foreground.
        prior
            A soft guess at alpha, H×W in [0, 1], or None.

        Raises
        ------
        MattingError, ModelError
        """
        return self.pipeline.matte(pixels, trimap, prior, progress).alpha

    def rematte(
        self,
        pixels: Pixels,
        labels: Trimap,
        alpha: Alpha,
        roi: tuple[int, int, int, int],
        progress: Progress = silent,
        *,
        reach: Reach | str = Reach.SMART,
        fixed: Mask | None = None,
        again: bool | None = None,
    ) -> Patch:
        """Work out alpha and labels anew around strokes; no argument is written to.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        labels
            uint8 H×W, the trimap with the strokes painted into it.
        alpha
            float32 H×W in [0, 1], from before the strokes.
        roi
            left, top, right, bottom in pixels of what was painted.
        reach
            "smart": the label under a stroke propagates to what belongs to it. "exact": only the painted pixels change.
        fixed
            bool H×W, pixels that "smart" must not relabel, such as earlier strokes.
        again
            Whether unknown pixels in `roi` ask for an answer that does not lean on the old one; None: yes, unless a known
            label contradicts the old alpha.

        Raises
        ------
        MattingError
        """
        try:
            reach = Reach(reach)
        except ValueError:
            raise MattingError(f"Unknown reach {reach!r}. Use smart or exact.") from None
        return self.pipeline.rematte(pixels, labels, alpha, Rect(*roi), progress, reach=reach, fixed=fixed, again=again)

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        """Return the subject's own colours as `recipe` wants them, shape and type of `pixels`.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        alpha
            float32 H×W in [0, 1].
        recipe
            How much of the estimated colours is used, and which backdrop's spill is removed.

        Raises
        ------
        MattingError
        """
        return self.pipeline.foreground(pixels, alpha, progress, recipe).foreground

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        """Return how likely `cutout` is good.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        cutout
            Made of `pixels`.

        Raises
        ------
        MattingError, ModelError, DeviceError
        """
        return self.pipeline.confidence(pixels, cutout, progress)

    def close(self) -> None:
        """Free the networks; the next call that needs one loads it again."""
        self.pipeline.close()


def load(path: str | PathLike[str]) -> LoadedImage:
    """Decode a photo.

    Parameters
    ----------
    path
        Any file that bgdesk reads; its kind is told from its content.

    Returns
    -------
    LoadedImage
        Its pixels are upright, sRGB, H×W×3, uint8 or uint16, and read-only.

    Raises
    ------
    LoadError
        The text names the file and says what to do.
    """
    return one_photo.load(Path(path)).photo


def save(
    cutout: Cutout,
    path: str | PathLike[str],
    recipe: ExportRecipe | None = None,
    photo: LoadedImage | None = None,
    edge: EdgeRecipe | None = None,
) -> Path:
    """Write a cut-out beside its target, read it back and compare, and then put it in its place in one step.

    Parameters
    ----------
    cutout
        What to write.
    path
        The file, in a folder that exists. A file of that name is replaced.
    recipe
        How the cut-out is written; None: as the suffix of `path` says.
    photo
        Where the pixels came from. Its EXIF, XMP and resolution travel along, and its file is never overwritten.
    edge
        How the edge is finished before; None: it is written as it was solved.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    SaveError
        The text names the file and says what to do. Whatever was at `path` before is still there.
    """
    finished = cutout if edge is None else one_photo.finish(cutout, edge)
    return one_photo.write(finished, Path(path), recipe, photo)
