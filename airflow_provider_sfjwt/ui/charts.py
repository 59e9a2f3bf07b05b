"""The geometry of the charts: places and lengths in a box of 1,000 units, which the templates draw as SVG.

Texts stand beside the charts in HTML, since a chart is stretched to the width of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_sfjwt.tasks.report.task_report import Part
from airflow_provider_sfjwt.ui.wording import counted, duration, number, size

#: Width of a chart, and of the thinnest piece of it that is still seen.
WIDTH, _THINNEST = 1_000.0, 6.0
#: Height of a column, and of the lowest one that is still seen.
HEIGHT, _LOWEST = 60.0, 2.0


@dataclass(frozen=True)
class Bar:
    """A part of an extract or a load, on a line of time.

    :param x: where it begins.
    :param width: how long it took.
    """

    name: str
    detail: str
    x: float
    width: float


@dataclass(frozen=True)
class Segment:
    """A share of rows.

    :param kind: what became of them, which is a class of the style sheet.
    """

    kind: str
    label: str
    percent: str
    x: float
    width: float


@dataclass(frozen=True)
class Point:
    """A run of a task.

    :param value: None where the run has none.
    :param state: ``good``, ``warn`` or ``bad``.
    :param is_shown: whether it is the run that the page is of.
    """

    value: float | None
    label: str
    state: str
    href: str
    is_shown: bool


@dataclass(frozen=True)
class Column:
    """A run's column."""

    point: Point
    x: float
    y: float
    width: float
    height: float


def bars_over_time(parts: Sequence[Part]) -> list[Bar]:
    """Where each part lies between the begin of the first and the end of the last.

    :param parts: those without times are left out.
    """
    timed = [(part, part.began, part.seconds) for part in parts if part.began is not None and part.seconds is not None]
    whole = max((began + seconds for _, began, seconds in timed), default=0.0)
    scale = WIDTH / whole if whole > 0 else 0.0
    bars = []
    for part, began, seconds in timed:
        width = max(seconds * scale, _THINNEST)
        detail = f"{counted(part.rows, 'row')} · {size(part.bytes)} · {duration(seconds)}"
        bars.append(Bar(part.name, detail, round(min(began * scale, WIDTH - width), 1), round(width, 1)))
    return bars


def stacked(counts: Mapping[str, int], kinds: Sequence[str]) -> list[Segment]:
    """Shares of all rows, one after another. A share that is not empty is wide enough to be seen.

    :param counts: of rows by what became of them.
    :param kinds: those that are shown, in order.
    """
    shown = [(kind, counts[kind]) for kind in kinds if counts.get(kind, 0) > 0]
    total = sum(count for _, count in shown)
    widths = [max(count / total * WIDTH, _THINNEST) for _, count in shown]
    scale = WIDTH / sum(widths) if widths else 0.0
    segments, x = [], 0.0
    for (kind, count), width in zip(shown, widths, strict=True):
        label = f"{number(count)} {kind}"
        segments.append(Segment(kind, label, _percent(count / total), round(x, 1), round(width * scale, 1)))
        x += width * scale
    return segments


def _percent(share: float) -> str:
    """A share of rows; only all of them are 100 %, and only no row is 0 %."""
    if share == 1:
        return "100 %"
    if share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if share >= 0.9995 else f"{share * 100:.1f} %"


def columns(points: Sequence[Point]) -> list[Column]:
    """A column for each run, side by side; the highest value fills the height.

    :param points: the oldest first.
    """
    highest = max((point.value for point in points if point.value is not None), default=0.0)
    step = WIDTH / max(len(points), 12)
    drawn = []
    for place, point in enumerate(points):
        if point.value is None:
            continue
        height = max(point.value / highest * HEIGHT if highest > 0 else 0.0, _LOWEST)
        box = (place * step, HEIGHT - height, step * 0.8, height)
        drawn.append(Column(point, *(round(each, 1) for each in box)))
    return drawn
