// A click on a citation opens its article at the quote. `element`, `props` and `server` come from gr.HTML.
function reveal() {
  const article = element.querySelector("article");
  const mark = element.querySelector("mark.focus");
  if (mark) article.scrollTop = mark.offsetTop - article.clientHeight / 3; // The pane moves, the page stays.
}

// The sanitiser of the chat keeps classes only: "at-START-END-HEX", the source in hexadecimal UTF-8.
function placeOf(cite) {
  const [, start, end, hex] = /(?:^| )at-(\d+)-(\d+)-([0-9a-f]+)/.exec(cite.className);
  const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  return { source: new TextDecoder().decode(bytes), span: [Number(start), Number(end)] };
}

async function open(cite) {
  const { source, span } = placeOf(cite);
  const beside = [...cite.closest(".answer, .refusal").querySelectorAll(".cite")]
    .filter((other) => other !== cite)
    .map(placeOf)
    .filter((place) => place.source === source);
  document.querySelectorAll("#chat .cite.open").forEach((other) => other.classList.remove("open"));
  cite.classList.add("open");
  props.value = await server.show({ source, spans: [span, ...beside.map((place) => place.span)] });
}

document.addEventListener("click", (event) => {
  const cite = event.target.closest && event.target.closest("#chat .cite");
  if (cite) open(cite);
});
new MutationObserver(reveal).observe(element, { attributes: true, childList: true, subtree: true });
