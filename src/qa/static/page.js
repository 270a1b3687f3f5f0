// A click on a citation opens its article at the quote. `element`, `props` and `server` come from gr.HTML.
let asked = false; // by a click, so the reader wants to be taken there

function reveal() {
  const article = element.querySelector("article");
  const mark = element.querySelector("mark.focus");
  if (!mark) return;
  article.scrollTop = mark.offsetTop - article.clientHeight / 3; // The pane moves, the page stays,
  const pane = article.getBoundingClientRect();
  if (asked && pane.top > window.innerHeight - 80) element.scrollIntoView(); // unless the pane is below it.
  asked = false;
}

// The sanitiser of the chat keeps classes only: "at-START-END-DIGEST-HEX", the source in hexadecimal UTF-8.
function placeOf(cite) {
  const [, start, end, digest, hex] = /(?:^| )at-(\d+)-(\d+)-([0-9a-f]+)-([0-9a-f]+)/.exec(cite.className);
  const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  return { source: new TextDecoder().decode(bytes), digest, span: [Number(start), Number(end)] };
}

async function open(cite) {
  const { source, digest, span } = placeOf(cite);
  const beside = [...cite.closest(".answer, .refusal").querySelectorAll(".cite")]
    .filter((other) => other !== cite)
    .map(placeOf)
    .filter((place) => place.source === source);
  document.querySelectorAll("#chat .cite.open").forEach((other) => other.classList.remove("open"));
  cite.classList.add("open");
  const shown = await server.show({ source, digest, spans: [span, ...beside.map((place) => place.span)] });
  asked = true;
  if (cite.classList.contains("open")) props.value = shown; // Another click may have come in between.
}

document.addEventListener("click", (event) => {
  const cite = event.target.closest && event.target.closest("#chat .cite");
  if (cite) open(cite);
});
new MutationObserver(reveal).observe(element, { attributes: true, childList: true, subtree: true });
