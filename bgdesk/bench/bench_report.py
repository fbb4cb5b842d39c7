"""What a bench found, figure by figure, as JSON, Markdown or plain text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass


@dataclass(frozen=True)
class Bar:
    """The limit that a figure has to keep."""

    of: str  #: what is compared: "value" or "ratio"
    limit: float  #: in the unit of what is compared
    most: bool = True  #: whether `limit` is an upper one

    def holds(self, figure: "Figure") -> bool | None:
        """Return whether `figure` keeps the limit; None if its value or ratio was not measured."""
        found = figure.value if self.of == "value" else figure.ratio
        if found is None:
            return None
        return found <= self.limit if self.most else found >= self.limit

    def __str__(self) -> str:
        ratio = "ratio " if self.of == "ratio" else ""
        return f"{ratio}{'≤' if self.most else '≥'} {_number(self.limit)}"


def at_most(limit: float) -> Bar:
    """Return the bar of a value that must not be above `limit`."""
    return Bar("value", limit)


def at_least(limit: float) -> Bar:
    """Return the bar of a value that must not be below `limit`."""
    return Bar("value", limit, most=False)


def ratio_at_most(limit: float) -> Bar:
    """Return the bar of a ratio to the peer's value that must not be above `limit`."""
    return Bar("ratio", limit)


@dataclass(frozen=True)
class Figure:
    """One measured number, and what it is compared with."""

    name: str  #: unique in a report; the part before the first dot names the runner
    value: float | None  #: None if it was not measured; `note` says why
    _: KW_ONLY
    unit: str = ""  #: of both values; empty for shares and counts
    peer: str = ""  #: whose value stands beside ours: "onnxruntime", "the raw matte"
    peer_value: float | None = None  #: measured in the same run
    bar: Bar | None = None  #: the limit that the figure has to keep
    note: str = ""  #: on what it was measured

    @property
    def ratio(self) -> float | None:
        """Our value divided by the peer's; None without either, or if the peer's is 0."""
        if self.value is None or not self.peer_value:
            return None
        return self.value / self.peer_value

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps its bar; None without a bar or a value."""
        return self.bar.holds(self) if self.bar else None


def not_measured(name: str, why: str) -> Figure:
    """Return a figure without a value, whose note says why."""
    return Figure(name, None, note=f"not measured: {why}")


@dataclass(frozen=True)
class Report:
    """All figures of one run."""

    machine: Mapping[str, str]  #: what the figures were measured on, in words
    figures: tuple[Figure, ...]  #: in the order in which they were measured

    @property
    def missed(self) -> tuple[Figure, ...]:
        """The figures that do not keep their bars."""
        return tuple(figure for figure in self.figures if figure.met is False)


def to_json(report: Report) -> str:
    """Return the report as JSON: machine, and figures with their ratios and whether they keep their bars."""
    figures = [asdict(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in report.figures]
    return json.dumps({"machine": dict(report.machine), "figures": figures}, indent=1, ensure_ascii=False)


_HEADS = ("figure", "bgdesk", "beside", "ratio", "bar", "met")


def to_markdown(report: Report) -> str:
    """Return the figures as a table for the README."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    for figure in report.figures:
        cells = [f"{figure.name} ({figure.note})" if figure.note else figure.name, *_cells(figure)[1:]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def to_text(report: Report) -> str:
    """Return the figures in columns for a terminal, and their notes below."""
    rows = [_HEADS, *(_cells(figure) for figure in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [f"{name}: {value}" for name, value in report.machine.items()]
    lines += ["", *_aligned(rows, widths)]
    notes: dict[str, list[str]] = {}
    for figure in report.figures:
        if figure.note:
            notes.setdefault(figure.note, []).append(figure.name)
    if notes:
        lines += ["", *(f"{names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)}: {note}" for note, names in notes.items())]
    counted = [figure for figure in report.figures if figure.met is not None]
    if counted:
        lines += ["", f"{len(counted) - len(report.missed)} of {len(counted)} bars met."]
    return "\n".join(lines)


def _aligned(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> list[str]:
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(figure: Figure) -> tuple[str, ...]:
    beside = f"{_quantity(figure.peer_value, figure.unit)} {figure.peer}" if figure.peer_value is not None else ""
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    return figure.name, _quantity(figure.value, figure.unit), beside, ratio, str(figure.bar or ""), met


def _quantity(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{_number(value)} {unit}".strip()


def _number(value: float) -> str:
    """Three figures, and never an exponent for what a person reads."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.1e}"
