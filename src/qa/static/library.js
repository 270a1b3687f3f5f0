// The table of articles: a title opens its article, "remove" asks first.
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-source]");
  if (!button) return;
  const source = button.dataset.source;
  if (button.classList.contains("open")) return trigger("opened", { source });
  const { words, sentence, dialog } = verbatim;
  const sure = await dialog(sentence("remove_sure", { source, folder: ".removed/" }), { yes: words.remove, no: words.cancel });
  if (sure) trigger("removed", { source });
});
