"use strict";
// Tables sort by any column and filter by any words. Without scripts they are the same tables, in their own order.
const MISSING = "–";

// The number that a cell begins with: "90.2 [88.1, 92.0] n=3" is 90.2, "<0.0001" is 0.0001; NaN for other texts.
function numberOf(text) {
  const found = /^[<+]?(-?[\d,]*\.?\d+(?:e[+-]?\d+)?)(?![\w/])/.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) : NaN;
}

function compare(a, b) {
  const x = numberOf(a), y = numberOf(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
}

function sort(table, place, heading) {
  const descends = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descends ? "descending" : "ascending");
  const text = row => row.cells[place].textContent.trim();
  // What is missing comes last, whichever way the column is sorted.
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [x, y] = [text(a), text(b)];
    if ((x === MISSING) !== (y === MISSING)) return x === MISSING ? 1 : -1;
    return descends ? compare(y, x) : compare(x, y);
  });
  table.tBodies[0].append(...rows);
}

function addFilter(table, label) {
  const box = document.createElement("div"), input = document.createElement("input");
  const field = document.createElement("label"), count = document.createElement("span");
  box.className = "filter";
  field.append("Rows with ", input);
  input.type = "search";
  input.setAttribute("aria-label", "Rows of “" + label + "” with these words");
  count.setAttribute("role", "status");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? shown + " of " + table.tBodies[0].rows.length + " rows" : "";
  });
  box.append(field, count);
  table.parentElement.before(box);
}

for (const table of document.querySelectorAll("table[data-sorts]")) {
  [...table.tHead.rows[0].cells].forEach((heading, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, place, heading));
    heading.append(button);
  });
  if (table.tBodies[0].rows.length > 7) addFilter(table, table.parentElement.getAttribute("aria-label"));
}
