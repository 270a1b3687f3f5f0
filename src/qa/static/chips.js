// A chip that is clicked takes its filter away.
element.addEventListener("click", (event) => {
  const chip = event.target.closest("button[data-field]");
  if (chip) trigger("dropped", { field: chip.dataset.field, value: chip.dataset.value });
});
