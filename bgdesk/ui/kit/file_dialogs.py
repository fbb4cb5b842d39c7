"""Everything the window asks a person in a dialog of its own: one door, so that tests can answer."""

from enum import Enum
from pathlib import Path

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog, QMessageBox, QWidget

from bgdesk.core.recipe import Format

_FILTERS = {Format.PNG: "PNG, straight alpha (*.png)", Format.PSD: "Photoshop, layers and mask (*.psd)"}


class Closing(Enum):
    EXPORT = "export"
    DISCARD = "discard"
    CANCEL = "cancel"


class Ask:
    """The real dialogs, native where the system has them."""

    def photos(self, parent: QWidget, suffixes: tuple[str, ...]) -> list[Path]:
        """Files to open; none if the person thought better of it."""
        patterns = " ".join(f"*{suffix}" for suffix in suffixes)
        names, _ = QFileDialog.getOpenFileNames(parent, "Open photos", "", f"Photos ({patterns});;All files (*)")
        return [Path(name) for name in names]

    def network_file(self, parent: QWidget, title: str) -> Path | None:
        name, _ = QFileDialog.getOpenFileName(parent, f"Import {title}", "", "Network (*.onnx)")
        return Path(name) if name else None

    def folder(self, parent: QWidget, title: str) -> Path | None:
        name = QFileDialog.getExistingDirectory(parent, title)
        return Path(name) if name else None

    def export_target(self, parent: QWidget, suggestion: Path, format: Format) -> tuple[Path, Format] | None:
        """Where to save, and as what. A file that is there already is asked about once, by the dialog itself."""
        order = [format, *(other for other in Format if other is not format)]
        dialog = QFileDialog(parent, "Export", str(suggestion.parent), ";;".join(_FILTERS[f] for f in order))
        dialog.setObjectName("dialog.export")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setDefaultSuffix(format.value)  # added before the dialog asks about replacing a file
        dialog.selectFile(suggestion.name)

        def follow(chosen: str) -> None:
            suffix = next(f.value for f, text in _FILTERS.items() if text == chosen)
            dialog.setDefaultSuffix(suffix)
            name = Path(dialog.selectedFiles()[0]).name if dialog.selectedFiles() else suggestion.name
            dialog.selectFile(str(Path(name).with_suffix("." + suffix)))

        dialog.filterSelected.connect(follow)
        if not dialog.exec() or not dialog.selectedFiles():
            return None
        path = Path(dialog.selectedFiles()[0])
        by_suffix = next((f for f in Format if f.suffix == path.suffix.lower()), None)
        if by_suffix is not None:
            return path, by_suffix
        by_filter = next((f for f, text in _FILTERS.items() if text == dialog.selectedNameFilter()), format)
        return path.with_name(path.name + by_filter.suffix), by_filter

    def colour(self, parent: QWidget, title: str, current: str) -> str | None:
        """A colour as #rrggbb."""
        chosen = QColorDialog.getColor(QColor(current), parent, title)
        return chosen.name() if chosen.isValid() else None

    def closing(self, parent: QWidget, names: list[str], can_export: bool) -> Closing:
        """There are strokes that no export holds."""
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
        answer = QMessageBox.question(
            parent,
            "Remove a network",
            f"Remove {title} from this computer? It can be installed again.",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel,
        )
        return answer is QMessageBox.StandardButton.Yes

    def leave_queue(self, parent: QWidget, title: str, left: int) -> bool:
        """A queue runs, and the program is to end. Asked once and never again."""
        box = QMessageBox(parent)
        box.setObjectName("dialog.leave_queue")
        box.setIcon(QMessageBox.Icon.Information)
        box.setWindowTitle("bgdesk")
        photos = "1 photo is" if left == 1 else f"{left:,} photos are"
        box.setText(f"The queue {title} is not finished: {photos} left.")
        box.setInformativeText("Nothing is lost. bgdesk offers to go on with it at the next start.")
        leave = box.addButton("Quit", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(leave)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is leave

    def forget_queue(self, parent: QWidget, title: str) -> bool:
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
