"""Every question that the windows ask in a dialog, in one class, so that tests can answer in its place."""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog, QMessageBox, QWidget

from bgdesk.core.formats import Format
from bgdesk.files.names import named


@dataclass(frozen=True)
class ExportTarget:
    """Where a cut-out is to be written."""

    path: Path
    format: Format
    #: The person agreed to replace the file that has this name.
    replace: bool


def export_name(chosen: Path, format: Format) -> tuple[Path, Format]:
    """Return the file that a typed name means, and its format: by its suffix, else `format`, whose suffix is added.

    Examples
    --------
    >>> export_name(Path("shoe v1.2"), Format.PNG)[0].name
    'shoe v1.2.png'
    """
    written = Format.of_path(chosen) or format
    return named(chosen, written), written


class Closing(Enum):
    """What to do with changes that were not exported."""

    EXPORT = "export"
    DISCARD = "discard"
    CANCEL = "cancel"


class Ask:
    """The real dialogs, native where the system has them."""

    def photos(self, parent: QWidget, suffixes: tuple[str, ...]) -> list[Path]:
        """Ask for photos to open; empty if the person cancelled."""
        patterns = " ".join(f"*{suffix}" for suffix in suffixes)
        names, _ = QFileDialog.getOpenFileNames(parent, "Open photos", "", f"Photos ({patterns});;All files (*)")
        return [Path(name) for name in names]

    def network_file(self, parent: QWidget, title: str) -> Path | None:
        """Ask for an ONNX file; None if the person cancelled. title: the network's name."""
        name, _ = QFileDialog.getOpenFileName(parent, f"Import {title}", "", "Network (*.onnx)")
        return Path(name) if name else None

    def folder(self, parent: QWidget, title: str) -> Path | None:
        """Ask for a folder; None if the person cancelled. title: of the dialog."""
        name = QFileDialog.getExistingDirectory(parent, title)
        return Path(name) if name else None

    def export_target(self, parent: QWidget, suggestion: Path, format: Format) -> ExportTarget | None:
        """Ask where to save, and in which format; None if the person cancelled. An existing file is asked about exactly once."""
        while True:
            chosen = self._export_dialog(parent, suggestion, format)
            if chosen is None:
                return None
            path, written = export_name(*chosen)
            if not os.path.lexists(path):
                return ExportTarget(path, written, replace=False)
            # The dialog has asked about the very name that it returned, but not about one that got its suffix here.
            if path == chosen[0] or self.replace(parent, path):
                return ExportTarget(path, written, replace=True)
            suggestion, format = path, written

    def _export_dialog(self, parent: QWidget, suggestion: Path, format: Format) -> tuple[Path, Format] | None:
        """Ask for a name; returns it as the person gave it, and the format of the chosen filter."""
        order = [format, *(other for other in Format if other is not format)]
        dialog = QFileDialog(parent, "Export", str(suggestion.parent), ";;".join(each.filter_text for each in order))
        dialog.setObjectName("dialog.export")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        # No default suffix: Qt adds it to what a system's own dialog returns, after that dialog has looked for the file.
        dialog.selectFile(suggestion.name)
        by_filter = {each.filter_text: each for each in Format}

        def follow(chosen: str) -> None:
            name = Path(dialog.selectedFiles()[0]).name if dialog.selectedFiles() else suggestion.name
            dialog.selectFile(named(Path(name), by_filter[chosen]).name)

        dialog.filterSelected.connect(follow)
        if not dialog.exec() or not dialog.selectedFiles():
            return None
        return Path(dialog.selectedFiles()[0]), by_filter.get(dialog.selectedNameFilter(), format)

    def replace(self, parent: QWidget, path: Path) -> bool:
        """Ask whether to replace an existing file."""
        box = QMessageBox(parent)
        box.setObjectName("dialog.replace")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Export")
        box.setText(f"{path.name} already exists. Replace it?")
        box.setInformativeText(f"The file in {path.parent} will be lost.")
        replace = box.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep it", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is replace

    def colour(self, parent: QWidget, title: str, current: str) -> str | None:
        """Ask for a colour, as #rrggbb; None if the person cancelled."""
        chosen = QColorDialog.getColor(QColor(current), parent, title)
        return chosen.name() if chosen.isValid() else None

    def closing(self, parent: QWidget, names: list[str], can_export: bool) -> Closing:
        """Ask what to do with changes that were not exported. names: of the photos that have them."""
        box = QMessageBox(parent)
        box.setObjectName("dialog.closing")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("bgdesk")
        which = f"{names[0]} has" if len(names) == 1 else f"{len(names)} photos have"
        box.setText(f"{which} changes that were not exported.")
        box.setInformativeText("Without an export they are lost." + ("" if len(names) == 1 else "\n\n" + "\n".join(names[:8])))
        export = box.addButton("Export…", QMessageBox.ButtonRole.AcceptRole) if can_export else None
        discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(export or cancel)
        box.setEscapeButton(cancel)
        box.exec()
        if export is not None and box.clickedButton() is export:
            return Closing.EXPORT
        return Closing.DISCARD if box.clickedButton() is discard else Closing.CANCEL

    def remove_network(self, parent: QWidget, title: str) -> bool:
        """Ask whether to delete a network from this computer."""
        answer = QMessageBox.question(
            parent,
            "Remove a network",
            f"Remove {title} from this computer? It can be installed again.",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel,
        )
        return answer is QMessageBox.StandardButton.Yes

    def leave_queue(self, parent: QWidget, title: str, left: int) -> bool:
        """Ask whether to quit while a queue runs. left: photos that it has still to do."""
        box = QMessageBox(parent)
        box.setObjectName("dialog.leave_queue")
        box.setIcon(QMessageBox.Icon.Information)
        box.setWindowTitle("bgdesk")
        photos = "1 photo is" if left == 1 else f"{left:,} photos are"
        box.setText(f"The queue {title} is not finished: {photos} left.")
        box.setInformativeText("Nothing is lost. At the next start, bgdesk offers to continue.")
        leave = box.addButton("Quit", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(leave)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is leave

    def forget_queue(self, parent: QWidget, title: str) -> bool:
        """Ask whether to delete a queue."""
        box = QMessageBox(parent)
        box.setObjectName("dialog.forget_queue")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("bgdesk")
        box.setText(f"Forget the queue {title}?")
        box.setInformativeText("Its list, thumbnails and report are deleted. Photos and cutouts stay where they are.")
        forget = box.addButton("Forget", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.exec()
        return box.clickedButton() is forget
