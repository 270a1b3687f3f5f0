// The conversations of this browser: open, rename, delete, save as a file. Names are text, never markup.
const { words, fill, sentence, dialog } = verbatim;

function made(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

async function save(one, form) {
  const { text, problem } = await server.export({ turns: one.turns, name: one.name, form });
  if (problem) return dialog(problem, { yes: "OK" });
  const type = form === "html" ? "text/html" : "text/markdown";
  const link = made("a", { href: URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` })) });
  const base = one.name.normalize("NFKD").replace(/[^\w-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "verbatim";
  link.download = `${base}.${form === "html" ? "html" : "md"}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function rename(one) {
  const name = await dialog(words.rename_to, { yes: words.save, no: words.cancel, input: one.name });
  if (name) verbatim.rename(one.id, name);
}

async function remove(one) {
  const sure = await dialog(sentence("delete_sure", { name: one.name }), { yes: words.delete, no: words.cancel });
  if (sure) verbatim.remove(one.id);
}

function open(one) {
  verbatim.select(one.id);
  trigger("opened", { turns: one.turns });
}

function button(label, name, act) {
  const shown = made("button", { textContent: label, onclick: act });
  shown.setAttribute("aria-label", name);
  return shown;
}

function row(one) {
  const { name } = one;
  const count = one.turns.length === 1 ? words.one_question : fill("questions", { count: one.turns.length });
  const when = new Date(one.at).toLocaleString(verbatim.language, { dateStyle: "medium", timeStyle: "short" });
  return made(
    "li", {},
    made("div", { className: "about" },
      button(name, fill("open_named", { name }), () => open(one)),
      made("span", { className: "facts", textContent: `${when} · ${count}` })),
    made("div", { className: "acts" },
      button(words.rename, `${words.rename}: ${name}`, () => rename(one)),
      button(words.markdown, fill("export_as", { name, form: words.markdown }), () => save(one, "markdown")),
      button(words.html, fill("export_as", { name, form: words.html }), () => save(one, "html")),
      button(words.delete, `${words.delete}: ${name}`, () => remove(one))),
  );
}

function draw() {
  const kept = verbatim.all();
  const list = made("ul", {}, ...kept.map(row));
  list.setAttribute("aria-label", words.conversations);
  element.replaceChildren(kept.length ? list : made("p", { className: "hint", textContent: words.no_history }));
}

document.addEventListener("verbatim:kept", draw);
window.addEventListener("storage", draw); // from another window
draw();
