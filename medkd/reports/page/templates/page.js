(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // light and dark: as the system says, until the button is used
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  };
  const label = () => {
    button.dataset.dark = isDark();
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  label();

  // on paper nothing can be opened
  addEventListener("beforeprint", () => {
    for (const part of all("details.fold")) part.open = true;
  });

  // who follows a link to a part wants to see it
  const open = () => {
    const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!part) return;
    for (const fold of all(":scope > details.fold", part)) fold.open = true;
    part.scrollIntoView();
  };
  addEventListener("hashchange", open);
  for (const link of all(".bar a")) link.addEventListener("click", () => link.hash === location.hash && open());
  open();

  // sorting: cells without a number stand last in both directions
  const value = (row, column) => {
    const cell = row.cells[column];
    if (column === 0) return cell.textContent.trim();
    return "value" in cell.dataset ? Number(cell.dataset.value) : null;
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true });
    return a - b;
  };
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        // figures: the highest first, names: from A on
        const first = column === 0 ? "ascending" : "descending";
        const now = head.getAttribute("aria-sort");
        const next = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", other === head ? next : "none"));
        const sign = next === "ascending" ? 1 : -1;
        const rows = all("tbody tr", table).map((row) => [value(row, column), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return sign * compare(a, b);
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // the method beside teacher and student: all selects of a task go together
  const choose = (task, method) => {
    for (const select of all(`select[data-choose="${task}"]`)) select.value = method;
    for (const part of all(`[data-task="${task}"][data-method]`)) part.hidden = part.dataset.method !== method;
    for (const line of all(`[data-task="${task}"][data-line]`)) {
      line.classList.toggle("faint", line.dataset.line !== method);
      line.classList.toggle("chosen", line.dataset.line === method);
    }
  };
  for (const select of all("select[data-choose]")) {
    select.addEventListener("change", () => choose(select.dataset.choose, select.value));
    // what a browser keeps of an earlier visit would not fit what is shown
    choose(select.dataset.choose, [...select.options].find((option) => option.defaultSelected).value);
  }

  // channels: each picture and its copies under the outlines show the chosen one
  for (const select of all("select[data-channels]")) {
    const show = () => {
      for (const image of all("[data-channel]", select.closest(".case"))) {
        image.setAttribute("display", image.dataset.channel === select.value ? "inline" : "none");
      }
    };
    select.addEventListener("change", show);
    select.selectedIndex = 0;
    show();
  }

  // zoom to the target, and errors in the place of outlines
  for (const button of all("button[data-view]")) {
    const viewer = button.closest(".case");
    button.addEventListener("click", () => {
      const on = viewer.classList.toggle(button.dataset.view);
      button.setAttribute("aria-pressed", String(on));
      if (button.dataset.view !== "zoomed") return;
      for (const svg of all("svg[data-near]", viewer)) {
        svg.dataset.far ??= svg.getAttribute("viewBox");
        svg.setAttribute("viewBox", on ? svg.dataset.near : svg.dataset.far);
      }
    });
  }

  // slices
  for (const viewer of all("[data-viewer]")) {
    const slices = all(".slice", viewer);
    const output = viewer.querySelector("output");
    const buttons = all("button[data-step]", viewer);
    let at = slices.findIndex((slice) => !slice.hidden);
    const go = (to) => {
      at = Math.min(Math.max(to, 0), slices.length - 1);
      slices.forEach((slice, place) => (slice.hidden = place !== at));
      output.textContent = slices[at].dataset.label;
      // not disabled: that would take the focus away from who pages by keyboard
      buttons.forEach((step) => step.setAttribute("aria-disabled", String(at + Number(step.dataset.step) < 0 || at + Number(step.dataset.step) >= slices.length)));
    };
    buttons.forEach((step) => step.addEventListener("click", () => go(at + Number(step.dataset.step))));
    viewer.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        event.preventDefault();
        go(at + step);
      }
    });
    go(at);
  }

  // dots: the name of the one that is pointed at, or walked to by arrow keys
  for (const figure of all(".caseplot")) {
    const plot = figure.querySelector("svg");
    const readout = figure.querySelector("output");
    const dots = all("circle", plot).sort((a, b) => a.cx.baseVal.value - b.cx.baseVal.value);
    let at = -1;
    const show = (dot) => {
      dots.forEach((other) => other.classList.toggle("current", other === dot));
      readout.textContent = dot ? dot.querySelector("title").textContent : "\u00a0";
    };
    plot.addEventListener("pointerover", (event) => {
      if (event.target.tagName === "circle") show(event.target);
    });
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.min(Math.max(at + step, 0), dots.length - 1);
      show(dots[at]);
    });
  }
})();
