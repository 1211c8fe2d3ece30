"use strict";
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const sheets = JSON.parse(document.getElementById("sheets").textContent);

// The table: a click on a column's head sorts by it, a second one the other way around.
for (const button of all("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    all("thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what is missing comes last either way
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, {numeric: true}) : x - y;
      return down ? -order : order;
    };
    const body = document.querySelector("tbody");
    body.append(...[...body.rows].sort(compare));
  });
}

// A row pointed at stands out in the charts.
const charts = document.querySelector(".charts");
const mark = run => {
  charts?.classList.toggle("dim", run !== undefined);
  all(".line, tbody tr").forEach(part => part.classList.toggle("on", part.dataset.run === run));
};
for (const row of all("tbody tr")) {
  row.addEventListener("pointerenter", () => mark(row.dataset.run));
  row.addEventListener("pointerleave", () => mark());
}
for (const line of all(".line")) {
  line.addEventListener("pointerenter", () => mark(line.dataset.run));
  line.addEventListener("pointerleave", () => mark());
}

// A link to a run opens it.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.matches("details")) { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();

// Contact sheets by step, and photo and result of each photo cut out of the sheet that is shown.
for (const run of all("details.run")) {
  const sheet = run.querySelector(".sheet");
  if (!sheet) continue;
  const steps = sheets[run.id], slider = run.querySelector(".step input"), shown = run.querySelector(".step output");
  const layers = all(".pair > div", run);
  steps.at(-1)[1] = sheet.src;
  for (const layer of layers) {
    const {x, y, w, h} = layer.dataset;
    layer.style.backgroundSize = `${100 / w}% ${100 / h}%`;
    layer.style.backgroundPosition = `${100 * x / (1 - w)}% ${100 * y / (1 - h)}%`;
  }
  const show = () => {
    const [step, data] = slider ? steps[slider.value] : steps.at(-1);
    sheet.src = data;
    if (shown) shown.textContent = `step ${step.toLocaleString("en")}`;
    layers.forEach(layer => { layer.style.backgroundImage = `url("${data}")`; });
  };
  slider?.addEventListener("input", show);
  const begin = () => { if (run.open) show(); };
  run.addEventListener("toggle", begin);
  begin();
  for (const input of all(".pair input", run)) {
    input.addEventListener("input", () => input.parentElement.style.setProperty("--cut", `${input.value}%`));
  }
}
