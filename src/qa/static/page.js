// What every part of the page shares: its words, the conversations this browser keeps, dialogs, the clipboard.
window.verbatim = (() => {
  const tables = TABLES;
  const language = navigator.language.slice(0, 2).toLowerCase() in tables ? navigator.language.slice(0, 2).toLowerCase() : "en";
  const words = tables[language];
  document.documentElement.lang = language;
  const fill = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const sentence = (key, values) => words[key].split(/\{(\w+)\}/).map((part, n) => (n % 2 ? apart(values[part]) : part));

  // One line of text that turns nothing around beside it, as `isolated` in transcript.py makes it.
  function apart(text) {
    const line = text.replace(/[\s\x1c-\x1e\x85]+/g, " ");
    const opened = [], loose = new Set();
    for (const { 0: sign, index } of line.matchAll(/[\u2066-\u2069]/g)) {
      if (sign !== "\u2069") opened.push(index);
      else if (opened.pop() === undefined) loose.add(index);
    }
    opened.forEach((index) => loose.add(index));
    const box = document.createElement("bdi");
    let from = 0;
    for (const at of [...loose].sort((a, b) => a - b)) {
      const sign = document.createElement("bdi");
      sign.textContent = line[at];
      box.append(line.slice(from, at), sign);
      from = at + 1;
    }
    box.append(line.slice(from));
    return box;
  }

  // --- conversations: each under a key of its own, so that two windows never overwrite each other's ---
  const PREFIX = "verbatim:";
  const CURRENT = "verbatim-current"; // in sessionStorage: a reload goes on with it, a new window starts anew

  function all() {
    const kept = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map((key) => {
      try {
        return { id: key.slice(PREFIX.length), ...JSON.parse(localStorage.getItem(key)) };
      } catch {
        return null; // not written by us
      }
    });
    return kept.filter((one) => one && Array.isArray(one.turns)).sort((a, b) => b.at - a.at);
  }

  const find = (id) => all().find((one) => one.id === id);
  const told = () => document.dispatchEvent(new CustomEvent("verbatim:kept"));

  function write(id, one) {
    try {
      localStorage.setItem(PREFIX + id, JSON.stringify(one));
    } catch {
      dialog(words.storage_full, { yes: "OK" });
    }
    told();
  }

  function keep(turns) {
    const id = sessionStorage.getItem(CURRENT) || crypto.randomUUID();
    sessionStorage.setItem(CURRENT, id);
    if (!turns || !turns.length) return remove(id);
    write(id, { name: find(id)?.name || turns[0].asked, at: Date.now(), turns });
  }

  function rename(id, name) {
    const { id: _, ...one } = find(id);
    write(id, { ...one, name });
  }

  function remove(id) {
    localStorage.removeItem(PREFIX + id);
    told();
  }

  const leave = () => sessionStorage.removeItem(CURRENT); // What was said stays in the history.
  const select = (id) => sessionStorage.setItem(CURRENT, id);

  function turns() {
    if (new URLSearchParams(location.search).has("q")) leave(); // A link opens a conversation of its own.
    return find(sessionStorage.getItem(CURRENT))?.turns || [];
  }

  const arrived = () => history.replaceState(null, "", location.pathname); // A reload does not ask again.

  // --- a question before something is done; resolves to true, to the text that was typed, or to null ---
  function dialog(said, { yes, no, input }) {
    const text = [said].flat().map((part) => part.textContent ?? part).join("");
    const box = document.createElement("dialog");
    box.className = "verbatim-dialog";
    box.setAttribute("aria-label", text);
    const form = document.createElement("form");
    form.method = "dialog";
    const line = document.createElement("p");
    line.append(...[said].flat());
    form.append(line);
    const field = document.createElement("input");
    if (input !== undefined) {
      field.value = input;
      field.setAttribute("aria-label", text);
      form.append(field);
    }
    for (const [label, value] of [[no, ""], [yes, "yes"]].filter(([label]) => label)) {
      const button = document.createElement("button");
      button.textContent = label;
      button.value = value;
      if (!value) button.type = "button";
      if (!value) button.addEventListener("click", () => box.close(""));
      form.append(button);
    }
    box.append(form);
    document.body.append(box);
    box.showModal();
    return new Promise((resolve) => {
      box.addEventListener("close", () => {
        box.remove();
        resolve(box.returnValue !== "yes" ? null : input === undefined ? true : field.value.trim() || null);
      });
    });
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not allowed, or served without HTTPS
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }

  const unhex = (hex) => new TextDecoder().decode(Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)));

  return { words, language, fill, sentence, apart, all, find, keep, rename, remove, leave, select, turns, arrived, dialog, copy, unhex };
})();
