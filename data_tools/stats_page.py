"""The statistics as one HTML page: tables, and histograms drawn as SVG."""

from __future__ import annotations

from html import escape

from data_tools.stats import Count, Histogram, Stats

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
td.n, th.n { text-align: right } tr:nth-child(even) { background: #f4f4f4 }
.row { display: flex; flex-wrap: wrap; gap: 2rem } svg text { font-size: 11px; fill: #555 }
"""


def page(stats: Stats) -> str:
    """A whole HTML document without scripts or outside files."""
    title = escape(stats.folder)
    tables = "".join(
        f"<section><h2>{escape(name)}</h2>{_table(counts)}</section>"
        for name, counts in stats.by.items()
    )
    pictures = "".join(
        f"<section><h2>{escape(h.name)} [{escape(h.unit)}]</h2>{_svg(h)}</section>"
        for h in stats.histograms
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{stats.clips} clips, {stats.hours:.2f} hours, "
        f"{stats.speakers} speakers; {stats.unreadable} clips unreadable, "
        f"{stats.damaged_lines} damaged lines.</p>"
        f'<div class="row">{pictures}</div><div class="row">{tables}</div>'
        f"<h2>speakers</h2>{_table(stats.per_speaker)}</html>"
    )


def _table(counts: list[Count]) -> str:
    rows = "".join(
        f'<tr><td>{escape(c.value)}</td><td class="n">{c.clips}</td>'
        f'<td class="n">{c.hours:.2f}</td><td class="n">{c.speakers}</td></tr>'
        for c in counts
    )
    return (
        '<table><tr><th></th><th class="n">clips</th><th class="n">hours</th>'
        f'<th class="n">speakers</th></tr>{rows}</table>'
    )


def _svg(histogram: Histogram, width: int = 280, height: int = 130) -> str:
    top = max(1, *histogram.counts)
    bar = width / len(histogram.counts)
    bars = "".join(
        f'<rect x="{i * bar:.1f}" y="{height - count / top * height:.1f}" '
        f'width="{bar - 1:.1f}" height="{count / top * height:.1f}" fill="#3b6ea8">'
        f"<title>{histogram.edges[i]:g} to {histogram.edges[i + 1]:g}: {count}</title></rect>"
        for i, count in enumerate(histogram.counts)
    )
    ends = (
        f'<text x="0" y="{height + 14}">{histogram.edges[0]:g}</text>'
        f'<text x="{width}" y="{height + 14}" text-anchor="end">{histogram.edges[-1]:g}</text>'
        f'<text x="0" y="-4">{top}</text>'
    )
    return (
        f'<svg width="{width}" height="{height + 34}" viewBox="0 -16 {width} {height + 34}" '
        f'role="img" aria-label="{escape(histogram.name)}">{bars}{ends}'
        f'<line x1="0" x2="{width}" y1="{height}" y2="{height}" stroke="#999"/></svg>'
    )
