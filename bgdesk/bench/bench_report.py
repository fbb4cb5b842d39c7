"""What a bench found, figure by figure, and how it is told: JSON, Markdown, plain text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach. of: "value" or "ratio". most: the limit is an upper one (else a lower one)."""

    of: str
    limit: float
    most: bool = True

    def holds(self, figure: "Figure") -> bool | None:
        """None when there is nothing to hold it against."""
        found = figure.value if self.of == "value" else figure.ratio
        if found is None:
            return None
        return found <= self.limit if self.most else found >= self.limit

    def __str__(self) -> str:
        ratio = "ratio " if self.of == "ratio" else ""
        return f"{ratio}{'≤' if self.most else '≥'} {_number(self.limit)}"


def at_most(limit: float) -> Bar:
    return Bar("value", limit)


def at_least(limit: float) -> Bar:
    return Bar("value", limit, most=False)


def ratio_at_most(limit: float) -> Bar:
    return Bar("ratio", limit)


@dataclass(frozen=True)
class Figure:
    """One measured number, and what it is held against.

    name: unique in a report; the part before the first dot is the runner's. value: None when it was not measured, and
    note then says why. peer: whose number stands beside it ("onnxruntime", "the raw matte"), measured in the same run.
    note: on what it was measured.
    """

    name: str
    value: float | None
    unit: str = ""
    peer: str = ""
    peer_value: float | None = None
    bar: Bar | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours to the peer's; None without a peer, or when the peer's number is 0."""
        if self.value is None or not self.peer_value:
            return None
        return self.value / self.peer_value

    @property
    def met(self) -> bool | None:
        """Whether it reaches its bar; None without a bar or a number."""
        return self.bar.holds(self) if self.bar else None


def not_measured(name: str, why: str) -> Figure:
    return Figure(name, None, note=f"not measured: {why}")


@dataclass(frozen=True)
class Report:
    """All figures of one run. machine: what it ran on, as words."""

    machine: Mapping[str, str]
    figures: tuple[Figure, ...]

    @property
    def missed(self) -> tuple[Figure, ...]:
        return tuple(figure for figure in self.figures if figure.met is False)


def to_json(report: Report) -> str:
    """The report as JSON: machine, and figures with their ratios and whether they reach their bars."""
    figures = [asdict(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in report.figures]
    return json.dumps({"machine": dict(report.machine), "figures": figures}, indent=1, ensure_ascii=False)


_HEADS = ("figure", "bgdesk", "beside", "ratio", "bar", "met")


def to_markdown(report: Report) -> str:
    """A table for the README."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    for figure in report.figures:
        cells = [f"{figure.name} ({figure.note})" if figure.note else figure.name, *_cells(figure)[1:]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def to_text(report: Report) -> str:
    """Columns for a terminal, notes underneath their figures' runner."""
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
