"""Networks that people bring: how each wants its photo, and what its licence allows.

Taken from the networks' papers, repositories and model cards. A file's own facts come first: a fixed input size, or a
last step that was exported or left out, is seen when the file is tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import Activation, Fit, NetworkKind, NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is said of a network that somebody brings: by a preset, or by the person."""

    title: str
    spec: NetworkSpec
    licence: str = ""
    licence_url: str = ""
    commercial: bool | None = None  #: whether the licence of the weights allows commercial use; None where nobody knows
    homepage: str = ""
    insist: bool = False  #: the person named the network's size


_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_HALF, _ONE, _ZERO = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
_MIT = "https://opensource.org/license/mit"


def _birefnet(kind: str, side: int) -> Description:
    """Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image Segmentation", CAAI AIR 2024."""
    spec = NetworkSpec(
        kind=NetworkKind.SEGMENT, size=Size(side, side), mean=_MEAN, std=_DEVIATION, activation=Activation.SIGMOID, multiple=32
    )
    return Description(
        title=f"BiRefNet, {kind}",
        spec=spec,
        licence="MIT",
        licence_url=_MIT,
        commercial=True,
        homepage="https://github.com/ZhengPeng7/BiRefNet",
    )


def _vitmatte(kind: str) -> Description:
    """Yao et al., "ViTMatte: Boosting image matting with pretrained plain vision transformers", Information Fusion 103, 2024.

    Trained with ImageNet's mean and deviation, whatever later copies of its settings say.
    """
    spec = NetworkSpec(kind=NetworkKind.MATTE, size=Size(1024, 1024), mean=_MEAN, std=_DEVIATION, activation=Activation.NONE, multiple=32)
    return Description(
        title=f"ViTMatte, {kind}",
        spec=spec,
        licence="MIT",
        licence_url=_MIT,
        commercial=True,
        homepage="https://github.com/hustvl/ViTMatte",
    )


PRESETS: Mapping[str, Description] = {
    "birefnet-general": _birefnet("general", 1024),
    "birefnet-lite": _birefnet("lite", 1024),
    "birefnet-portrait": _birefnet("portrait", 1024),
    "birefnet-matting": _birefnet("matting", 1024),
    "birefnet-hr": _birefnet("high resolution", 2048),
    "birefnet-hr-matting": _birefnet("high resolution, matting", 2048),
    # Meyer and Spruyt, "BEN: Using Confidence-Guided Matting for Dichotomous Image Segmentation", 2025.
    "ben2": Description(
        title="BEN2, base",
        spec=NetworkSpec(
            kind=NetworkKind.SEGMENT, size=Size(1024, 1024), mean=_ZERO, std=_ONE, activation=Activation.NONE, stretch=True, multiple=32
        ),
        licence="MIT",
        licence_url=_MIT,
        commercial=True,
        homepage="https://github.com/PramaLLC/BEN2",
    ),
    "rmbg-1.4": Description(
        title="RMBG 1.4",
        spec=NetworkSpec(
            kind=NetworkKind.SEGMENT, size=Size(1024, 1024), mean=_HALF, std=_ONE, activation=Activation.NONE, stretch=True, multiple=32
        ),
        licence="bria-rmbg-1.4",
        licence_url="https://bria.ai/bria-huggingface-model-license-agreement/",
        commercial=False,
        homepage="https://huggingface.co/briaai/RMBG-1.4",
    ),
    "rmbg-2.0": Description(
        title="RMBG 2.0",
        spec=NetworkSpec(
            kind=NetworkKind.SEGMENT, size=Size(1024, 1024), mean=_MEAN, std=_DEVIATION, activation=Activation.NONE, multiple=32
        ),
        licence="CC-BY-NC-4.0",
        licence_url="https://creativecommons.org/licenses/by-nc/4.0/",
        commercial=False,
        homepage="https://huggingface.co/briaai/RMBG-2.0",
    ),
    # Ke et al., "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition", AAAI 2022.
    "modnet": Description(
        title="MODNet",
        spec=NetworkSpec(
            kind=NetworkKind.SEGMENT, size=Size(512, 512), mean=_HALF, std=_HALF, activation=Activation.NONE, fit=Fit.ASPECT, multiple=32
        ),
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        commercial=True,
        homepage="https://github.com/ZHKKKe/MODNet",
    ),
    # Kim et al., "Revisiting Image Pyramid Structure for High Resolution Salient Object Detection", ACCV 2022. It fills [0, 1] by itself.
    "inspyrenet": Description(
        title="InSPyReNet",
        spec=NetworkSpec(
            kind=NetworkKind.SEGMENT, size=Size(1024, 1024), mean=_MEAN, std=_DEVIATION, activation=Activation.NONE, multiple=32
        ),
        licence="MIT",
        licence_url=_MIT,
        commercial=True,
        homepage="https://github.com/plemeri/InSPyReNet",
    ),
    "vitmatte-small": _vitmatte("small"),
    "vitmatte-base": _vitmatte("base"),
}


def parse_size(text: str) -> Size:
    """`1024`, `1280x720`. Raises ValueError whose text says so."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    try:
        return Size(int(width), int(height or width))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a size; give 1024 or 1280x720.") from error


def parse_three(text: str) -> tuple[float, ...]:
    """`0.5`, `0.4, 0.5, 0.6`, `0.4 0.5 0.6`: always three numbers. Raises ValueError whose text says so."""
    try:
        numbers = tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number; give one, or three: for red, green and blue.") from error
    if len(numbers) not in (1, 3):
        raise ValueError(f"{text!r} are {len(numbers)} numbers; give one, or three: for red, green and blue.")
    return numbers if len(numbers) == 3 else numbers * 3


def describe(
    id: str,
    preset: str | None = None,
    *,
    kind: str | None = None,
    size: Size | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    title: str | None = None,
    licence: str | None = None,
    commercial: bool | None = None,
    **more: Any,
) -> Description:
    """Describe a network that somebody brings.

    Parameters
    ----------
    id
        Its title where nothing else gives one.
    preset
        A key of PRESETS; None to begin with nothing, which takes `mean` and `std`.
    kind, size, mean, std, title
        What is said in place of the preset's.
    licence, commercial
        A licence that is named replaces the preset's; what it allows is then known only if that is said too.
    more
        Other fields of NetworkSpec.

    Returns
    -------
    Description
        Checked.

    Raises
    ------
    ModelError
        The preset is unknown, something is missing, or no network can have such values.
    """
    given: Mapping[str, Any] = {
        key: value for key, value in {"kind": kind, "size": size, "mean": mean, "std": std, **more}.items() if value is not None
    }
    if preset is not None:
        if preset not in PRESETS:
            raise ModelError(f"There is no preset called {preset!r}. The presets are: {', '.join(PRESETS)}.")
        base = PRESETS[preset]
    elif mean is None or std is None:
        raise ModelError(
            f"{id} is not in the catalogue (see: bgdesk models list). To import a network of your own, say how it wants its photos: "
            f"with --preset, or with --size, --mean and --std. The presets are: {', '.join(PRESETS)}."
        )
    else:
        bare = NetworkSpec(kind=NetworkKind.SEGMENT, size=None, mean=mean, std=std)
        base = Description(title=id, spec=replace(bare, multiple=32) if kind == NetworkKind.MATTE else bare)
    described = replace(base, spec=replace(base.spec, **given), title=title or base.title, insist=size is not None)
    if licence is not None:
        described = replace(described, licence=licence, licence_url="", commercial=commercial)
    elif commercial is not None:
        described = replace(described, commercial=commercial)
    described.spec.check()
    return described
