"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // In a frame without an address of its own, a fragment would load the page around it.
  if (location.protocol === "about:") {
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      const goal = link && byId(link.getAttribute("href").slice(1));
      if (!goal) return;
      event.preventDefault();
      goal.scrollIntoView();
      goal.focus({ preventScroll: true });
    });
  }

  const table = byId("table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const cards = new Map(rows.map((row) => [row, byId(row.dataset.card)]));
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const texts = new Map(rows.map((row) => {
    const card = cards.get(row);
    return [row, fold(row.textContent + " " + (card ? card.textContent : ""))];
  }));

  // Filter: every word has to occur in the row or in its card.
  const search = byId("filter");
  const boxes = Array.from(document.querySelectorAll(".controls input[type=checkbox]"));
  const apply = () => {
    const words = fold(search.value).split(/\s+/).filter(Boolean);
    const off = boxes.filter((box) => !box.checked);
    let shown = 0;
    for (const row of rows) {
      const keep = off.every((box) => row.dataset[box.name] !== box.value)
        && words.every((word) => texts.get(row).includes(word));
      row.hidden = !keep;
      const card = cards.get(row);
      if (card) card.hidden = !keep;
      shown += keep ? 1 : 0;
    }
    byId("shown").textContent = shown + " of " + rows.length;
    byId("nothing").hidden = shown > 0;
  };
  search.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  document.querySelector(".controls").hidden = false;
  // A link to a card that is filtered away shows it again.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#finding-"]');
    const card = link && byId(link.getAttribute("href").slice(1));
    if (card && card.hidden) {
      search.value = "";
      boxes.forEach((box) => { box.checked = true; });
      apply();
    }
  }, true);
  if (search.value || boxes.some((box) => !box.checked)) apply();

  // Sort: first click ascending, second descending; equal values keep their rank.
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, index) => {
    const kind = head.dataset.sort;
    if (!kind) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[index].dataset.value;
      const compare = kind === "number"
        ? (a, b) => Number(value(a)) - Number(value(b))
        : (a, b) => value(a).localeCompare(value(b));
      rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)) || rank(a) - rank(b));
      body.append(...rows);
    });
  });
  function rank(row) { return Number(row.cells[0].dataset.value); }
})();
