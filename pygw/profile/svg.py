"""A profile as a flame graph in one SVG file.

Owns: an icicle that a browser shows without anything else: colours by kind, light and dark, a click
looks closer, a search marks; without scripts it is a picture.
Runs in: the process of the command.
Never does: measure; let a name become markup.
Read next: `flame`, `spent`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from .spent import Spent
from .table import time_text

_WIDTH, _MARGIN = 1200, 16
_ROW, _TOP, _FOOT = 24, 84, 40
_LETTER = 6.9
"""What a character of the labels takes, at 11.5 px."""

_BARE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML has no form for (XML 1.0, 2.2)."""

KINDS = {
    "route": ("#8fa3bf", "#3f5573"),
    "part": ("#b9c4d0", "#37424f"),
    "filter": ("#9ccfae", "#2c6a49"),
    "lua": ("#8fb6ff", "#2a5db8"),
    "python": ("#ffd97a", "#8a6a10"),
    "native": ("#f3a183", "#9c4524"),
}
"""Fill by kind, on light and on dark."""

_STYLE = """\
svg{font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1d2733}
.page{fill:#fff}.t{font-size:17px;font-weight:600}.s{font-size:12px;opacity:.72}
text{fill:currentColor}.f text,.k{font-size:11.5px}.f text{pointer-events:none;white-space:pre}
.f text,.n{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.f{cursor:pointer}.f rect{stroke:#fff;stroke-width:.8}.f:hover rect{stroke:#1d2733}
.n{font-size:11.5px}.b{cursor:pointer;text-decoration:underline}.hit rect{fill:#e545b4!important}
.off{opacity:.5}.gone{display:none}
"""
_DARK = ".page{fill:#12171e}.f rect{stroke:#12171e}.f:hover rect{stroke:#dfe7f0}svg{color:#dfe7f0}"

# Positions are in the unit of the whole: data-x and data-w of each box. Names go in as text only.
_SCRIPT = """\
(function(){
var svg=document.documentElement,M=%(margin)d,W=%(inner)d,whole=%(whole)d,L=%(letter)s;
var boxes=[].slice.call(svg.querySelectorAll('.f')),note=svg.getElementById('n');
var back=svg.getElementById('b'),find=svg.getElementById('s'),said=note.textContent;
function num(g,a){return+g.getAttribute('data-'+a)}
function fit(g,w){var t=g.querySelector('text'),n=g.getAttribute('data-n'),k=Math.floor((w-8)/L);
 var p=n+'  '+(100*num(g,'w')/whole).toFixed(1)+' %%';
 t.textContent=k<2?'':p.length<=k?p:n.length<=k?n:n.slice(0,k-1)+'\\u2026'}
function look(g){var x=num(g,'x'),w=num(g,'w'),y=num(g,'y');
 boxes.forEach(function(o){var ox=num(o,'x'),ow=num(o,'w'),oy=num(o,'y'),r=o.querySelector('rect');
  var above=oy<y&&ox<=x&&ox+ow>=x+w,inside=oy>=y&&ox>=x&&ox+ow<=x+w;
  o.classList.toggle('gone',!above&&!inside);o.classList.toggle('off',above);
  if(!above&&!inside)return;
  var nx=above?M:M+(ox-x)*W/w,nw=above?W:ow*W/w;
  r.setAttribute('x',nx);r.setAttribute('width',Math.max(nw,.3));
  o.querySelector('text').setAttribute('x',nx+4);fit(o,nw)});
 back.classList.toggle('gone',w===whole)}
function search(){var t=prompt('Name, or a part of one:','');if(t===null)return;
 var sum=0,seen=[];
 boxes.forEach(function(o){var hit=t!==''&&o.getAttribute('data-n').indexOf(t)>=0;
  o.classList.toggle('hit',hit);if(!hit)return;var x=num(o,'x'),w=num(o,'w');
  if(!seen.some(function(s){return s[0]<=x&&s[1]>=x+w})){seen.push([x,x+w]);sum+=w}});
 note.textContent=said=t===''?'':t+': '+(100*sum/whole).toFixed(1)+' %% of all'}
boxes.forEach(function(g){
 g.addEventListener('click',function(){look(g)});
 g.addEventListener('mouseenter',function(){
  note.textContent=g.querySelector('title').textContent.replace(/\\n/g,', ')});
 g.addEventListener('mouseleave',function(){note.textContent=said})});
back.addEventListener('click',function(){look(boxes[0])});
find.addEventListener('click',search);find.classList.remove('gone');
})();
"""


@dataclass
class _Node:
    name: str
    kind: str = "route"
    ns: int = 0
    leaf: Spent | None = None
    below: dict[str, _Node] = field(default_factory=dict)


def _tree(spent: Sequence[Spent]) -> tuple[_Node, int]:
    root, depth = _Node("all"), 1
    for one in spent:
        node = root
        node.ns += one.ns
        depth = max(depth, len(one.stack) + 1)
        for name in one.stack:
            node = node.below.setdefault(name, _Node(name))
            node.ns += one.ns
        node.kind, node.leaf = one.kind, one
    return root, depth


def svg_text(spent: Sequence[Spent], title: str, note: str = "") -> str:
    """An icicle: a row a level, width is time; what is pointed at says name, time, share, runs."""
    root, depth = _tree(spent)
    height = _TOP + depth * _ROW + _FOOT
    boxes: list[str] = []
    if root.ns:
        _draw(root, 0, 0, root.ns, boxes)
    kinds = [kind for kind in KINDS if kind in {"route", *(one.kind for one in spent)}]
    script = _SCRIPT % {
        "margin": _MARGIN,
        "inner": _WIDTH - 2 * _MARGIN,
        "whole": root.ns,
        "letter": _LETTER,
    }
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" role="img">\n<style>{_STYLE}{_colours()}</style>\n',
            f'<rect class="page" width="100%" height="100%"/>\n{_words(title, note, root)}',
            *(_key(place, kind) for place, kind in enumerate(kinds)),
            *boxes,
            f'<text id="n" class="n" x="{_MARGIN}" y="{height - 14}"></text>\n',
            f"<script><![CDATA[\n{script}]]></script>\n" if root.ns else "",
            "</svg>\n",
        )
    )


def _colours() -> str:
    light = "".join(f".{kind} rect{{fill:{fill[0]}}}" for kind, fill in KINDS.items())
    dark = "".join(f".{kind} rect{{fill:{fill[1]}}}" for kind, fill in KINDS.items())
    light += "".join(f".k-{kind}{{fill:{fill[0]}}}" for kind, fill in KINDS.items())
    dark += "".join(f".k-{kind}{{fill:{fill[1]}}}" for kind, fill in KINDS.items())
    return f"{light}\n@media(prefers-color-scheme:dark){{{_DARK}{dark}}}"


def _plain(text: str) -> str:
    """For XML, which cannot say what is bare even escaped."""
    return escape(_BARE.sub("\ufffd", text))


def _words(title: str, note: str, root: _Node) -> str:
    right = _WIDTH - _MARGIN
    said = " · ".join(filter(None, (f"{time_text(root.ns)} in all", note)))
    return (
        f'<text class="t" x="{_MARGIN}" y="28">{_plain(title)}</text>\n'
        f'<text class="s" x="{_MARGIN}" y="48">{_plain(said)}</text>\n'
        f'<text id="s" class="k b gone" x="{right}" y="28" text-anchor="end">search</text>\n'
        f'<text id="b" class="k b gone" x="{right - 60}" y="28" text-anchor="end">show all</text>\n'
    )


def _key(place: int, kind: str) -> str:
    x = _MARGIN + place * 76
    return (
        f'<rect class="k-{kind}" x="{x}" y="60" width="11" height="11" rx="2"/>'
        f'<text class="k" x="{x + 16}" y="70">{kind}</text>\n'
    )


def _draw(node: _Node, at_ns: int, level: int, whole_ns: int, boxes: list[str]) -> None:
    scale = (_WIDTH - 2 * _MARGIN) / whole_ns
    width = node.ns * scale
    if width < 0.2:
        return
    x, y = _MARGIN + at_ns * scale, _TOP + level * _ROW
    letters = int((width - 8) / _LETTER)
    short = _short(node.name, f"{100 * node.ns / whole_ns:.1f} %", letters)
    kind = node.kind if node.kind in KINDS else "filter"
    name = _plain(node.name)
    boxes.append(
        f'<g class="f {kind}" data-x="{at_ns}" data-w="{node.ns}" data-y="{level}"'
        f' data-n="{name}"><title>{name}: {escape(_told(node, whole_ns))}</title>'
        f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0.2):.1f}" height="{_ROW - 1}" rx="2"/>'
        f'<text x="{x + 4:.1f}" y="{y + 16}">{escape(_BARE.sub(".", short))}</text></g>\n'
    )
    for child in sorted(node.below.values(), key=lambda one: -one.ns):
        _draw(child, at_ns, level + 1, whole_ns, boxes)
        at_ns += child.ns


def _short(name: str, share: str, letters: int) -> str:
    """As much of a label as there is room for."""
    if letters < 2:
        return ""
    if len(name) + 2 + len(share) <= letters:
        return f"{name}  {share}"
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _told(node: _Node, whole_ns: int) -> str:
    said = f"{time_text(node.ns)}, {100 * node.ns / whole_ns:.1f} %"
    if node.leaf is not None and node.leaf.count:
        said += f"\n{node.leaf.count} times, {time_text(node.leaf.mean_ns)} on average"
        if node.leaf.p99_ns:
            said += f", p99 {time_text(node.leaf.p99_ns)}"
    return said
