"""What the program remembers between two starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Every remembered choice, frozen: `dataclasses.replace` makes a new one, `save` writes it.

    theme: "system", "light", "dark" or "contrast".
    brush_size: diameter in image pixels. overlay: strength of the overlay in [0, 1].
    export_format: "png" or "psd". export_folder: "" for the source's own folder.
    undo_bytes: most memory the undo steps of one photo may take. memory_bytes: most memory for open photos together.
    device, precision: "auto" or what engine.device knows. model: catalogue id, "" for the default network.
    precut: cut out the next photos of the film strip while nothing else runs.
    window_geometry, window_state, splitter_state: base64, opaque.
    folded: names of the inspector's sections that are folded.
    """

    theme: str = "system"
    brush_size: float = 40.0
    overlay: float = 0.45
    export_format: str = "png"
    export_folder: str = ""
    undo_bytes: int = 256 * 1024 * 1024
    memory_bytes: int = 2 * 1024 * 1024 * 1024
    device: str = "auto"
    precision: str = "auto"
    model: str = ""
    precut: bool = True
    window_geometry: str = ""
    window_state: str = ""
    splitter_state: str = ""
    folded: tuple[str, ...] = ()
