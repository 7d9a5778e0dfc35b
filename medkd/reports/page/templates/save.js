// CSV and PNG of a figure, made here: nothing is sent or fetched
(() => {
  "use strict";
  const save = (name, extension, uri) => {
    const link = document.createElement("a");
    link.download = `${name.trim().replace(/[^\p{L}\p{N}]+/gu, "_")}.${extension}`;
    link.href = uri;
    link.click();
  };
  // a picture of its own: with the styles of the page, and with what it shows of elsewhere in the page
  const alone = (svg) => {
    const copy = svg.cloneNode(true);
    const box = svg.viewBox.baseVal;
    copy.setAttribute("width", 2 * box.width);
    copy.setAttribute("height", 2 * box.height);
    copy.removeAttribute("class"); // or a layout for another width would be hidden
    const theme = document.getElementById("theme").dataset.dark === "true" ? "dark" : "light";
    copy.dataset.theme = theme;
    const ground = getComputedStyle(document.body).backgroundColor;
    const style = document.createElementNS(svg.namespaceURI, "style");
    style.textContent = document.getElementById("style").textContent;
    const sheet = document.createElementNS(svg.namespaceURI, "rect");
    for (const [key, value] of Object.entries({ x: box.x, y: box.y, width: box.width, height: box.height, fill: ground })) sheet.setAttribute(key, value);
    const parts = document.createElementNS(svg.namespaceURI, "defs");
    const names = new Set([...copy.querySelectorAll("use")].map((use) => use.getAttribute("href").slice(1)));
    for (const name of names) if (!copy.querySelector(`[id="${name}"]`)) parts.append(document.getElementById(name).cloneNode(true));
    copy.prepend(style, parts, sheet);
    copy.style.fontFamily = getComputedStyle(document.body).fontFamily;
    return copy;
  };
  const png = (figure) => {
    const svg = [...figure.querySelectorAll("svg")].find((one) => one.getClientRects().length);
    const copy = alone(svg);
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = copy.getAttribute("width");
      canvas.height = copy.getAttribute("height");
      canvas.getContext("2d").drawImage(image, 0, 0);
      save(figure.dataset.name, "png", canvas.toDataURL("image/png"));
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  };
  for (const button of document.querySelectorAll("button[data-save]")) {
    const figure = button.closest("figure");
    const kind = button.dataset.save;
    button.setAttribute("aria-label", `Save ${figure.dataset.name} as ${kind.toUpperCase()}`);
    button.addEventListener("click", () => {
      if (kind === "png") png(figure);
      else save(figure.dataset.name, "csv", `data:text/csv;charset=utf-8,${encodeURIComponent(figure.dataset.csv)}`);
    });
  }
})();
