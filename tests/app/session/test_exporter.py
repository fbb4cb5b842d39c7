"""Exports of the current photo, in the background."""

import threading
from typing import Any

from bgdesk.app.work.events import Exported, ForegroundChanged, NameTaken, Offer
from bgdesk.core.errors import SaveError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.trimap import Label

PNG = ExportRecipe(Format.PNG)


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_writes_what_is_shown(desk: Any) -> None:
    desk.open()
    desk.stroke((50, 20))
    desk.settle()
    work = desk.session.work
    target = desk.session.suggested_name(PNG)
    assert target == desk.folder / "a_cutout.png"
    desk.session.export(target, PNG)
    desk.settle()
    cutout, recipe, metadata, protect = desk.files.saved[target]
    assert (cutout.alpha == work.solved).all()
    assert (cutout.foreground == work.foreground).all()
    assert cutout.source is work.source
    assert recipe == PNG
    assert metadata.path == desk.folder / "a.jpg"
    assert protect == (desk.folder / "a.jpg",)
    assert desk.heard(Exported) == [Exported(target)]
    assert desk.messages[-1].offers == (Offer.SHOW_IN_FOLDER,)
    assert desk.messages[-1].path == target
    assert desk.session.busy is None


def test_an_export_does_not_see_what_is_painted_later(desk: Any) -> None:
    desk.open()
    work = desk.session.work
    alpha, foreground = work.solved.copy(), work.foreground.copy()
    desk.files.save_gate = threading.Event()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.pump.until(lambda: desk.session.busy.stage == "save")
    desk.stroke((50, 20), (250, 150))
    desk.pump.until(lambda: desk.heard(ForegroundChanged)[1:])
    assert (work.solved != alpha).any()
    desk.files.save_gate.set()
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert (cutout.alpha == alpha).all()
    assert (cutout.foreground == foreground).all()


def test_an_export_computes_what_is_still_owed(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.session.stroke_begin(Label.FOREGROUND, 10, (50, 20))
    desk.session.export(desk.folder / "out.png", PNG)  # ends the stroke
    assert not desk.session.painting
    desk.engine.release("rematte")
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert cutout.alpha[20, 50] == 1
    assert (cutout.foreground == desk.engine.colours_of(cutout.source, cutout.alpha)).all()
    assert (cutout.alpha == desk.session.work.solved).all()


def test_export_before_the_cut_out_is_refused(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.export(desk.folder / "out.png", PNG)
    assert desk.texts == ["a.jpg is not cut out yet. Wait for the network, or paint the subject by hand."]


def test_a_failed_save_says_why_and_the_source_is_protected(desk: Any) -> None:
    desk.open()
    desk.session.export(desk.folder / "a.jpg", PNG)
    desk.settle()
    assert desk.texts == ["a.jpg is the source. Choose another name."]
    desk.files.save_failure = SaveError("out.png could not be written: the disk is full.")
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    assert desk.texts[-1] == "out.png could not be written: the disk is full."
    assert desk.heard(Exported) == []


def test_a_file_that_is_there_is_replaced_only_if_that_was_wished(desk: Any) -> None:
    desk.open()
    target = desk.folder / "out.png"
    desk.files.there.add(target)
    desk.session.export(target, PNG)
    desk.settle()
    assert desk.heard(NameTaken) == [NameTaken(target, PNG, desk.session.current.key)]
    assert (desk.heard(Exported), desk.texts, desk.files.saved) == ([], [], {})  # the window asks; there is nothing else to say
    desk.session.export(target, PNG, replace=True)
    desk.settle()
    assert desk.heard(Exported) == [Exported(target)]


def test_an_export_can_be_cancelled(desk: Any) -> None:
    desk.open()
    desk.files.save_gate = threading.Event()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.pump.until(lambda: desk.session.busy.stage == "save")
    desk.session.cancel()
    desk.settle()
    assert desk.texts == ["Cancelled. out.png was not written."]
    assert desk.files.saved == {}


def test_suggested_names_are_free(desk: Any) -> None:
    desk.open()
    assert desk.session.suggested_name(ExportRecipe(Format.PSD)).name == "a_cutout.psd"
    (desk.folder / "a_cutout.png").touch()
    (desk.folder / "a_cutout-2.png").touch()
    assert desk.session.suggested_name(ExportRecipe()).name == "a_cutout-3.png"
    assert desk.session.suggested_name(ExportRecipe(alpha_only=True)).name == "a_alpha.png"
