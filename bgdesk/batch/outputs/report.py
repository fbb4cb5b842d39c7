"""What became of a queue, to keep and to show: a CSV file, and one HTML file that needs no other."""

import base64
import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from PIL import Image

from bgdesk.app.system import paths
from bgdesk.batch.model import words
from bgdesk.batch.model.values import Decision, Item, State, Summary
from bgdesk.core.stages import Stage
from bgdesk.files.atomic import staged

#: Up to so many items all have their picture in the page; of more, those in review and failed, and a sample of the others.
PICTURES = 2000

_SIDE = 96  # pixels, of a picture in the page
_BINS = 20  # of the histogram
_MOST = 12  # reasons listed, the most frequent first

#: In this order on the page.
_STATES = (
    State.DONE, State.REVIEW, State.FAILED, State.REJECTED, State.SKIPPED, State.QUEUED, State.RUNNING, State.WRITTEN,
)  # fmt: skip
_COLUMNS = (
    "id", "name", "source", "state", "decision", "confidence", "reason", "seconds", "width", "height", "outputs", "bytes", "changed",
    "crashes", "interrupted", "model", "device", "precision", "model_sha256", "source_sha256",
)  # fmt: skip


def write_csv(items: Sequence[Item], path: Path) -> None:
    """One line an item, in UTF-8 with a mark, so that spreadsheets read it right; stages' seconds are the last columns.

    Written complete or not at all. Raises SaveError.
    """
    stages = _stages(items)
    with staged(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        writer = csv.writer(stream)
        writer.writerow((*_COLUMNS, *(f"{stage}_seconds" for stage in stages)))
        for item in items:
            done = item.outcome
            confidence = "" if item.confidence is None else f"{item.confidence:.4f}"
            row = (
                item.id,
                item.name,
                item.source,
                item.state.value,
                item.decision.value if item.decision else "",
                confidence,
                item.reason,
                "" if item.seconds is None else f"{item.seconds:.3f}",
                *((done.width, done.height) if done else ("", "")),
                " | ".join(map(str, item.present)),
                item.size,
                datetime.fromtimestamp(item.mtime / 1e9).isoformat(" ", "seconds"),
                item.crashes,
                item.interrupted,
                *((done.model, done.device, done.precision, done.model_sha256, done.source_sha256) if done else [""] * 5),
                *((f"{done.timings[stage]:.3f}" if done and stage in done.timings else "") for stage in stages),
            )
            writer.writerow([_harmless(cell) for cell in row])


def write_html(
    items: Sequence[Item],
    summary: Summary,
    title: str,
    path: Path,
    thumbs: Path | None = None,
    *,
    gate: float | None = None,
    now: datetime | None = None,
) -> None:
    """A page with figures, and a table that can be sorted and filtered; pictures, style and script are in it.

    thumbs: the folder with <item id>.jpg or .png, for items whose outcome has no thumbnail. gate: the recipe's, drawn into
    the histogram. now: the time that the page shows. Written complete or not at all. Raises SaveError.
    """
    page = paths.resource("templates/report.html").read_text("utf-8")
    before, after = page.split("$rows")
    pictured = _pictured(items)
    script = page.partition("<script>")[2].partition("</script>")[0]
    values = {
        "title": escape(title),
        "hash": "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "head": _head(items, summary, len(pictured), now or datetime.now()),
        "counts": "".join(f'<div class="count"><b>{n:,}</b>{words.state(s)}</div>' for s in _STATES if (n := summary.counts.get(s, 0))),
        "figures": "".join(_figures(items, summary, gate)),
        "states": "".join(f'<option value="{s.value}">{words.state(s)}</option>' for s in _STATES if summary.counts.get(s, 0)),
    }
    with staged(path) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as stream:
        stream.write(Template(before).substitute(values))
        for item in items:
            stream.write(_row(item, _picture(item, thumbs) if item.id in pictured else ""))
        stream.write(after)


def failures(items: Iterable[Item]) -> list[tuple[str, int]]:
    """Why items failed and how often, the most frequent first; the names of photos and outputs in a reason are left out."""
    return _counted(_general(item.error, item) for item in items if item.state is State.FAILED)


def seconds_by_stage(items: Iterable[Item]) -> dict[str, tuple[float, float]]:
    """Stage -> (mean, 95th percentile) in seconds, in the order in which stages run."""
    found: dict[str, list[float]] = defaultdict(list)
    for item in items:
        for stage, seconds in item.outcome.timings.items() if item.outcome else ():
            found[stage].append(seconds)
    return {stage: (sum(values) / len(values), _percentile(values, 0.95)) for stage, values in found.items()}


def acceptance(decisions: Mapping[Decision, int]) -> float | None:
    """The share of results in review that a person accepted as they were; None before any was decided."""
    total = sum(decisions.values())
    return decisions.get(Decision.ACCEPTED, 0) / total if total else None


def _percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least `share` of them do not pass."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _stages(items: Sequence[Item]) -> tuple[Stage, ...]:
    return tuple(dict.fromkeys(stage for item in items if item.outcome for stage in item.outcome.timings))


def _harmless(cell: object) -> object:
    """A name like "=1+1.jpg" is text, and no formula that a spreadsheet may run."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _general(reason: str, item: Item) -> str:
    for own in sorted(
        {str(item.source), item.name, *map(str, item.outputs), *(output.name for output in item.outputs)}, key=len, reverse=True
    ):
        reason = reason.replace(own, "…") if own else reason
    return reason or "no reason was given"


def _counted(reasons: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0]))


def _pictured(items: Sequence[Item]) -> Collection[int]:
    """The items that get their picture."""
    if len(items) <= PICTURES:
        return {item.id for item in items}
    asked = [item.id for item in items if item.state in (State.REVIEW, State.FAILED)][:PICTURES]
    others = [item.id for item in items if item.state not in (State.REVIEW, State.FAILED)]
    room = PICTURES - len(asked)
    step = max(1, -(-len(others) // room)) if room else len(others) + 1
    return {*asked, *(others[::step] if room else ())}


def _head(items: Sequence[Item], summary: Summary, pictured: int, now: datetime) -> str:
    lines = [f"{words.count(summary.finished, 'photo')} of {summary.total:,} finished. Written {now:%Y-%m-%d %H:%M} by bgdesk."]
    if pictured < len(items):
        lines.append(
            f"So that the page stays small, {pictured:,} of {len(items):,} photos have their picture here: those in review, "
            "those that failed, and a sample of the others."
        )
    return "".join(f'<p class="hint">{line}</p>' for line in lines)


def _figures(items: Sequence[Item], summary: Summary, gate: float | None) -> Iterator[str]:
    facts: list[tuple[str, str]] = []
    if summary.rate:
        facts.append(("Photos a minute, lately", f"{summary.rate * 60:.1f}"))
    timed = [item.seconds for item in items if item.seconds is not None and item.outcome is not None]
    if timed:
        facts.append(("Seconds a photo, from claim to result", f"{sum(timed) / len(timed):.2f}"))
    pixels = [item.outcome.width * item.outcome.height / 1e6 for item in items if item.outcome]
    if pixels:
        facts.append(("Megapixels a photo", f"{sum(pixels) / len(pixels):.1f}"))
    facts += [(what, ", ".join(name)) for what, name in _engines(items)]
    if facts:
        yield _section("Pace", _table(facts))
    stages = [(stage, f"{mean:.2f}", f"{high:.2f}") for stage, (mean, high) in seconds_by_stage(items).items()]
    if stages:
        yield _section("Seconds by stage", _table(stages, ("stage", "mean", "95 % within")))
    confident = [item.confidence for item in items if item.confidence is not None]
    if confident:
        yield _section("Confidence", _histogram(confident, gate))
    failed = failures(items)
    if failed:
        yield _section("Failures", _reasons(failed))
    share = acceptance(summary.decisions)
    if share is not None:
        decided = [(words.decision(d), f"{summary.decisions[d]:,}") for d in Decision if summary.decisions.get(d)]
        rejected = _counted(_general(item.reason, item) for item in items if item.decision is Decision.REJECTED)
        more = f"<h2>Why rejected</h2>{_reasons(rejected)}" if rejected else ""
        yield _section("Review", _table([("Accepted as they were", f"{100 * share:.0f} %"), *decided]) + more)
    waiting = [item.outcome for item in items if item.outcome and item.state is not State.DONE]
    doubts = _counted(re.sub(r"\d[\d.,]* %", "… %", reason) for outcome in waiting for reason in outcome.reasons)
    if doubts:
        yield _section("Why photos need review", _reasons(doubts))


def _engines(items: Sequence[Item]) -> Iterator[tuple[str, list[str]]]:
    for what, field in (("Network", "model"), ("Device", "device"), ("Precision", "precision")):
        names = sorted({getattr(item.outcome, field) for item in items if item.outcome} - {""})
        if names:
            yield what, names


def _section(head: str, content: str) -> str:
    return f"<section><h2>{escape(head)}</h2>{content}</section>"


def _reasons(reasons: Sequence[tuple[str, int]]) -> str:
    rows = [(reason, f"{number:,}") for reason, number in reasons[:_MOST]]
    if len(reasons) > _MOST:
        rows.append(("other reasons", f"{sum(number for _, number in reasons[_MOST:]):,}"))
    return _table(rows)


def _table(rows: Sequence[tuple[str, ...]], heads: Sequence[str] = ()) -> str:
    """Words in the first column, numbers in the others."""
    lines = (
        ["<tr>" + "".join(f"<th{' class=n' if n else ''}>{escape(head)}</th>" for n, head in enumerate(heads)) + "</tr>"] if heads else []
    )
    lines += ["<tr>" + "".join(f"<td{' class=n' if n else ''}>{escape(cell)}</td>" for n, cell in enumerate(row)) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _histogram(values: Sequence[float], gate: float | None) -> str:
    """Bars of how many results have which confidence, 0 at the left and 1 at the right; the gate is a broken line."""
    bins = Counter(min(_BINS - 1, max(0, int(value * _BINS))) for value in values)
    most, wide, high = max(bins.values()), 320, 96
    step = wide / _BINS
    parts = []
    for index, number in sorted(bins.items()):
        tall = max(1.0, number / most * high)
        span = f"{index / _BINS:.2f} to {(index + 1) / _BINS:.2f}: {words.count(number, 'photo')}"
        parts.append(
            f'<rect class="bar" x="{8 + index * step + 1:.1f}" y="{16 + high - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}">'
            f"<title>{span}</title></rect>"
        )
    if gate is not None:
        at = 8 + gate * wide
        parts.append(f'<line class="gate" x1="{at:.1f}" x2="{at:.1f}" y1="12" y2="{16 + high}"/>')
        anchor = "end" if gate > 0.5 else "start"
        parts.append(f'<text x="{at:.1f}" y="9" text-anchor="{anchor}">gate {gate:g}</text>')
    base = 16 + high
    ticks = "".join(
        f'<text x="{8 + tick * wide:.0f}" y="{base + 14}" text-anchor="middle">{tick:g}</text>' for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    axis = f'<line class="axis" x1="8" x2="{8 + wide}" y1="{base}" y2="{base}"/>'
    label = f"Confidence of {words.count(len(values), 'result')}"
    return f'<svg viewBox="0 0 {wide + 16} {base + 20}" role="img" aria-label="{label}">{axis}{"".join(parts)}{ticks}</svg>'


def _row(item: Item, picture: str) -> str:
    names = "".join(f"<br>{_link(output)}" for output in item.outputs if item.state in (State.DONE, State.SKIPPED))
    done = item.outcome
    pixels = f"{done.width} × {done.height}" if done else ""
    confidence = "" if item.confidence is None else f"{item.confidence:.2f}"
    seconds = "" if item.seconds is None else f"{item.seconds:.2f}"
    decision = f"<br>{words.decision(item.decision).lower()}" if item.decision and item.state is not State.REJECTED else ""
    return (
        f'<tr data-state="{item.state.value}"><td>{picture}</td><td data-value="{escape(item.name)}">{_link(item.source)}{names}</td>'
        f'<td class="state {item.state.value}">{words.state(item.state)}{decision}</td><td class="n">{confidence}</td>'
        f'<td class="n">{seconds}</td><td class="n" data-value="{done.width * done.height if done else ""}">{pixels}</td>'
        f"<td>{escape(item.reason)}</td></tr>\n"
    )


def _link(path: Path) -> str:
    try:
        return f'<a href="{escape(path.as_uri())}" title="{escape(str(path))}">{escape(path.name)}</a>'
    except ValueError:  # a relative path
        return escape(str(path))


def _picture(item: Item, thumbs: Path | None) -> str:
    """The item's thumbnail as an <img>; "" if it cannot be read: no picture is worth losing the report for."""
    candidates = [item.outcome.thumbnail] if item.outcome and item.outcome.thumbnail else []
    candidates += [thumbs / f"{item.id}{suffix}" for suffix in (".jpg", ".png")] if thumbs else []
    for file in candidates:
        try:
            with Image.open(file, formats=("JPEG", "PNG", "WEBP")) as image:
                image.thumbnail((_SIDE, _SIDE))
                small = image.convert("RGBA" if image.has_transparency_data else "RGB")
            with io.BytesIO() as stream:
                small.save(stream, "WEBP", quality=70)
                data = base64.b64encode(stream.getvalue()).decode()
        except Exception:  # decoders raise anything on bad data
            continue
        return f'<img src="data:image/webp;base64,{data}" width="{small.width}" height="{small.height}" alt="">'
    return ""
