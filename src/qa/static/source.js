// The article beside the conversation: citations open it, hovering shows the quote, its marks can be stepped through.
const chat = () => document.querySelector("#chat");
let asked = null; // the citation that was clicked: its reader is taken to the article
let cameFrom = null; // and back

// The sanitiser of the chat keeps classes only: "at-START-END-DIGEST-HEX", the source in hexadecimal UTF-8.
function placeOf(cite) {
  const [, start, end, digest, hex] = /(?:^| )at-(\d+)-(\d+)-([0-9a-f]+)-([0-9a-f]+)/.exec(cite.className);
  return { source: verbatim.unhex(hex), digest, spans: [[Number(start), Number(end)]], language: verbatim.language };
}

async function open(cite) {
  const place = placeOf(cite);
  const beside = [...cite.closest(".answer, .refusal").querySelectorAll(".cite")]
    .filter((other) => other !== cite)
    .map(placeOf)
    .filter((other) => other.source === place.source);
  document.querySelectorAll("#chat .cite.open").forEach((other) => other.classList.remove("open"));
  cite.classList.add("open");
  const html = await server.show({ ...place, spans: [...place.spans, ...beside.flatMap((other) => other.spans)] });
  if (!cite.classList.contains("open")) return; // Another click came in between.
  asked = cite;
  if (props.value === html) arrive();
  props.value = html;
}

// --- marks: the one in focus stands out, is in view, and is what "copy" copies ---
const marks = (number) => [...element.querySelectorAll(number === undefined ? "mark" : `mark[data-mark="${number}"]`)];
const focused = () => Number(element.querySelector("mark.focus")?.dataset.mark ?? -1);

function focusMark(number) {
  marks().forEach((mark) => {
    mark.classList.toggle("focus", mark.dataset.mark === String(number));
    mark.classList.toggle("other", mark.dataset.mark !== String(number));
  });
  reveal();
}

function step(by) {
  const order = [...new Set(marks().map((mark) => Number(mark.dataset.mark)))]; // as they stand in the text
  focusMark(order[(order.indexOf(focused()) + by + order.length) % order.length]);
}

function reveal() {
  const pane = element.querySelector(".text");
  const mark = element.querySelector("mark.focus");
  if (mark) pane.scrollTop += mark.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
}

let shown = null;

function arrive() { // Another article is shown, or the same one for another answer.
  shown = props.value;
  focusMark(0); // The pane moves, the page stays,
  if (!asked) return;
  if (element.getBoundingClientRect().top > window.innerHeight - 80) element.scrollIntoView(); // unless it is below.
  element.querySelector("h2")?.focus({ preventScroll: true }); // A keyboard goes on from the article,
  cameFrom = asked;
  asked = null;
}

function goBack() { // and comes back to its number.
  const cite = cameFrom?.isConnected ? cameFrom : chat().querySelector(".cite");
  cite?.scrollIntoView({ block: "center" });
  cite?.focus();
}

async function copyQuote() {
  const tools = element.querySelector(".tools");
  const text = marks(focused()).map((mark) => mark.textContent).join("");
  await verbatim.copy(`“${text}” – ${JSON.parse(tools.dataset.references)[focused()]}`);
  tools.querySelector("[role=status]").textContent = verbatim.words.copied;
}

async function copyLink(button) {
  const said = JSON.parse(verbatim.unhex(/(?:^| )to-([0-9a-f]+)/.exec(button.className)[1]));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(said)) for (const one of [value].flat()) query.append(name, one);
  await verbatim.copy(`${location.origin}${location.pathname}?${query}`);
  button.textContent = verbatim.words.copied;
  setTimeout(() => (button.textContent = verbatim.words.copy_link), 2000);
}

const actions = {
  "#chat .cite": open,
  "#chat .link": copyLink,
  "#source .copy": copyQuote,
  "#source .previous": () => step(-1),
  "#source .next": () => step(1),
  "#source .back": goBack,
  "#source mark": (mark) => focusMark(mark.dataset.mark),
};
document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(actions)) {
    const target = event.target.closest?.(selector);
    if (target) return act(target);
  }
});
new MutationObserver(() => props.value !== shown && arrive()).observe(element, { childList: true, subtree: true });

// --- a number that is hovered or focused shows its quote where it stands ---
const tip = document.createElement("div");
tip.id = "peek";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);
let shownFor = null;

function line(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text; // never markup
  return made;
}

async function peek(cite) {
  shownFor = cite;
  const said = await server.peek(placeOf(cite));
  if (shownFor !== cite || !said.quote) return;
  const quoted = document.createElement("p");
  quoted.append(said.before, line("mark", said.quote), said.after);
  const facts = line("small", "");
  said.facts.split("\n").forEach((fact, n) => facts.append(n ? " · " : "", verbatim.apart(fact)));
  tip.replaceChildren(quoted, facts);
  tip.hidden = false;
  cite.setAttribute("aria-describedby", "peek");
  put(cite);
}

function put(cite) {
  const at = cite.getBoundingClientRect();
  const room = window.innerHeight - at.bottom > tip.offsetHeight + 12;
  tip.style.top = `${room ? at.bottom + 6 : Math.max(6, at.top - tip.offsetHeight - 6)}px`;
  tip.style.left = `${Math.max(6, Math.min(at.left, window.innerWidth - tip.offsetWidth - 6))}px`;
}

function hide() {
  shownFor = null;
  tip.hidden = true;
}

const citeOf = (event) => event.target.closest?.("#chat .cite");
for (const start of ["mouseover", "focusin"])
  document.addEventListener(start, (event) => citeOf(event) && citeOf(event) !== shownFor && peek(citeOf(event)));
for (const end of ["mouseout", "focusout"])
  document.addEventListener(end, (event) => citeOf(event) === shownFor && hide(), true);
document.addEventListener("click", hide, true);
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
document.addEventListener("scroll", () => { // A number that is reached by the keyboard may have to be scrolled to.
  if (shownFor && shownFor === document.activeElement) put(shownFor);
  else hide();
}, true);

// --- a new question stands at the top of the chat, so that its answer is read from its beginning ---
let seen = "";

function follow() {
  const asked = [...chat().querySelectorAll(".asked")].pop();
  const now = asked ? chat().querySelectorAll(".asked, .cite, .refusal").length + asked.textContent : "";
  if (asked && now !== seen) {
    const scroller = chat().querySelector("[role=log]");
    scroller.scrollTop += asked.getBoundingClientRect().top - scroller.getBoundingClientRect().top - 24;
  }
  seen = now;
}

// --- Gradio's chat names a message by its markup and edits it as such; both go by the text ---
function tidy() {
  for (const bubble of chat().querySelectorAll("[data-testid][aria-label]")) bubble.removeAttribute("aria-label");
  chat().querySelector(".examples[role=list]")?.removeAttribute("role"); // Its buttons are no list items.
  for (const area of chat().querySelectorAll("textarea")) {
    const typed = new DOMParser().parseFromString(area.value, "text/html").querySelector("p.asked")?.textContent;
    if (typed === undefined) continue;
    area.value = typed;
    area.setAttribute("aria-label", verbatim.words.question);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
new MutationObserver(() => {
  if (!chat()) return;
  tidy();
  follow();
}).observe(document.body, { childList: true, subtree: true });
