"""report.html: what a bundle does and where it errs, in one file that needs no other."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from training import curves
from training.measuring import measure
from training.mistakes import FALSE, KINDS, MISS, NEAR, Mistake, Subject
from training.panel import Panel, panels
from training.runs import validations
from training.scorecard import Card
from wakeword.spec import read_json, write_atomic

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } h3 { font-size: 1rem }
table { border-collapse: collapse; margin: .5rem 0 } caption { text-align: left; color: #555 }
td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
tr:nth-child(even) td { background: #f5f5f5 } svg { max-width: 100%; height: auto }
.tables { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start }
details { margin: .4rem 0 } summary { cursor: pointer; font-weight: 600 }
.bar { display: inline-block; height: .6rem; background: #c8553d; vertical-align: middle }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem }
figure { margin: 0; border: 1px solid #ddd; border-radius: 6px; padding: .7rem }
figure img { width: 100% } figure audio { width: 100%; height: 2.2rem }
code { background: #f0f0f0; padding: 0 .25rem } p.note, .dim { color: #666; font-size: .9em }
"""


def write(
    run_or_bundle: str | Path,
    folders: Sequence[Path] = (),
    out: Path | None = None,
    point: str | None = None,
    most: int = 60,
    workers: int = 1,
) -> Path:
    """Measure, explain and write the page; its path. At most ``most`` mistakes are drawn."""
    subject = Subject.open(run_or_bundle, folders, point, workers)
    card = measure(subject.bundle, subject.folders, workers=workers)
    mistakes = subject.mistakes()
    chosen = choose(mistakes, most)
    drawn = panels(subject.bundle, chosen, subject.point.threshold, workers)
    run = Path(run_or_bundle) if (Path(run_or_bundle) / "recipe.toml").exists() else None
    if run and (run / "evaluation.json").exists():
        card |= {k: v for k, v in read_json(run / "evaluation.json").items() if k == "voices"}
    html = page(card, subject, mistakes, list(drawn), validations(run) if run else [])
    if out is None:
        out = (run or Path()) / "report.html"
    write_atomic(out, html.encode())
    return out


def choose(mistakes: Sequence[Mistake], most: int) -> list[Mistake]:
    """At most so many, every kind and condition getting its turn."""
    shelves: dict[tuple[str, ...], list[Mistake]] = {}
    for mistake in mistakes:
        stream = mistake.stream
        shelves.setdefault((mistake.kind, stream.who, stream.condition), []).append(mistake)
    chosen: set[str] = set()
    for turn in range(max(map(len, shelves.values()), default=0)):
        for shelf in shelves.values():
            if turn < len(shelf) and len(chosen) < most:
                chosen.add(shelf[turn].id)
    return [mistake for mistake in mistakes if mistake.id in chosen]


def page(
    card: Card,
    subject: Subject,
    mistakes: Sequence[Mistake],
    drawn: Sequence[Panel],
    lines: Sequence[dict[str, float]],
) -> str:
    """The whole document."""
    bundle, point = subject.bundle, subject.point
    title = f"{bundle.name}: “{bundle.phrase}”"
    shown = next(p for p in card["points"] if p["name"] == point.name)
    parts = [f"<h1>{escape(title)}</h1>", _summary(card), _points(card)]
    if card["det"]["fa_per_hour"]:
        parts.append("<h2>Misses against false accepts</h2>" + curves.det(card))
        parts.append(
            f'<p class="note">Open marks: peers, measured the same way but on {curves.PEERS_ON}: '
            "colours are clean, 10 dB and 5 dB, as of the first three curves. Nothing is drawn "
            "below half an event.</p>"
        )
    if lines:
        parts.append("<h2>Learning</h2>" + curves.learning(lines))
    parts.append(f"<h2>Near misses at {escape(point.name)}</h2>" + _near_misses(shown))
    parts.append(f"<h2>Groups at {escape(point.name)}</h2>" + _groups(shown))
    parts.append(_mistakes(mistakes, drawn, point.name, point.threshold))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"{''.join(parts)}</html>\n"
    )


def _summary(card: Card) -> str:
    return (
        f"<p>The device's own detector, gate {'on' if card['gate'] else 'off'}, on "
        f"{card['speech_hours']:.2f} h of speech ({card['distinct_speech_hours']:.2f} h distinct). "
        f"Intervals are 95 %: Clopper-Pearson, Poisson, and over speakers drawn anew."
        f"{' Of those who say the phrase: ' + card['voices'] + '.' if 'voices' in card else ''}</p>"
    )


def _points(card: Card) -> str:
    rows = []
    for point in card["points"]:
        for name, of in point["phrases"].items():
            low, high = of["frr_by_speaker"]
            rows.append(
                [point["name"], f"missed, {name}", *_share(of["frr"]), f"{low:.1%} to {high:.1%}"]
            )
        for name, of in point["near_misses"].items():
            what = f"{name.rpartition(', ')[0]} that fire"
            rows.append([point["name"], what, *_share(of["fired"]), ""])
        speech = point["speech"].get("all")
        if speech and speech["fa_per_hour"]:
            rate = speech["fa_per_hour"]
            interval = f"{rate['low']:.2g} to {rate['high']:.2g}"
            of_hours = f"{speech['events']} in {speech['hours']:.2f} h"
            rows.append([point["name"], "false accepts an hour", f"{rate['value']:.2g}", interval,
                         of_hours, ""])  # fmt: skip
        elif speech:
            rows.append([point["name"], "false accepts an hour", "-", speech["refused"], "", ""])
    heads = ["point", "", "share", "interval", "events", "other speakers"]
    return _table(heads, rows, right=(2,))


def _near_misses(point: Card) -> str:
    rows = [
        [text, f"{fired} of {said}", _bar(fired / said)]
        for of in point["near_misses"].values()
        for text, (fired, said) in of["texts"].items()
    ]
    if not point["near_misses"]:
        return "<p>The streams hold none.</p>"
    if not rows:
        return "<p>None fires.</p>"
    return _table(["what was said", "fires", ""], rows, right=(1,), raw=(2,))


def _groups(point: Card) -> str:
    parts = []
    for name, of in point["phrases"].items():
        tables = []
        for group, values in of["groups"].items():
            if len(values) < 2:
                continue
            rows = [
                [value, f"{n['events']} of {n['of']}", _bar(n["value"])]
                for value, n in sorted(values.items(), key=lambda v: -v[1]["value"])
                if n["events"]
            ]
            whole = f"{len(values) - len(rows)} of {len(values)} missed nothing"
            if rows:
                tables.append(_table([group, "missed", ""], rows, (1,), (2,), whole))
        opened = "" if parts else " open"
        parts.append(
            f"<details{opened}><summary>{escape(name)}</summary>"
            f'<div class="tables">{"".join(tables)}</div></details>'
        )
    speech = point["speech"].get("all")
    if speech:
        rows = [
            [name, str(n["events"]), f"{n['hours']:.2f} h"] for name, n in speech["sources"].items()
        ]
        parts.append(_table(["source", "false accepts", "in"], rows, (1, 2), (), "speech"))
    return "".join(parts)


def _mistakes(
    mistakes: Sequence[Mistake], drawn: Sequence[Panel], point: str, threshold: float
) -> str:
    parts = [
        f"<h2>Every mistake at {escape(point)}</h2><p>{len(drawn)} of {len(mistakes)} are drawn. "
        "Above: what the network sees, the utterance between dotted lines. Over the grey one, "
        "where float weights are at hand: what each value brings to the wake head's logit, by its "
        "gradient. Below that: what each "
        "100 ms of each band does for the score of the bundle as it is shipped; red speaks for the "
        "phrase, blue against it (the score's fall in logits when the piece is silenced). Last: "
        "the score, the threshold "
        f"{threshold:.3f}, and in green when the gate was open. <code>wakeword train errors</code> "
        "makes training clips of those that you choose by their id.</p>"
    ]
    titles = {FALSE: "False accepts", NEAR: "Near misses that fired", MISS: "Misses"}
    for kind in reversed(KINDS):
        of_kind = [p for p in drawn if p.mistake.kind == kind]
        count = sum(m.kind == kind for m in mistakes)
        if of_kind:
            parts.append(f"<h3>{titles[kind]}: {count}</h3>")
            parts.append(f'<div class="mistakes">{"".join(map(_panel, of_kind))}</div>')
    return "".join(parts)


def _panel(panel: Panel) -> str:
    m = panel.mistake
    speaker = (m.clip and (m.clip.voice or m.clip.speaker)) or "unknown"
    about = f"{m.said}, speaker {speaker}, {m.stream.who} {m.stream.condition}, score {m.peak:.2f}"
    return (
        f"<figure><figcaption><code>{m.id}</code> {escape(about)}</figcaption>"
        f'<img alt="{escape(m.kind)}" src="data:image/png;base64,{_base64(panel.png)}">'
        f'<audio controls preload="none" src="data:audio/ogg;base64,{_base64(panel.ogg)}"></audio>'
        f'<div class="dim">{escape(panel.why)} {escape(m.stream.name)} at {m.start_s:.2f} s'
        "</div></figure>"
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _share(of: Card) -> list[str]:
    interval = f"{of['low']:.1%} to {of['high']:.1%}"
    return [f"{of['value']:.1%}", interval, f"{of['events']} of {of['of']}"]


def _bar(share: float) -> str:
    return f'<span class="bar" style="width:{share * 8:.2f}rem"></span>'


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    raw: Sequence[int] = (),
    caption: str = "",
) -> str:
    """Cells are escaped but in the columns ``raw``."""

    def cell(tag: str, i: int, text: str) -> str:
        kind = ' class="n"' if i in right else ""
        return f"<{tag}{kind}>{text if i in raw else escape(text)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(cell('td', i, text) for i, text in enumerate(row))}</tr>" for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<tr>{head}</tr>{body}</table>"
