// CSV and PNG of a figure, made here: nothing is sent or fetched
(() => {
  "use strict";
  const WIDEST = 16000; // pixels: some browsers draw nothing on wider canvases
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
    const scale = Math.max(2, 400 / box.height); // slices are small
    copy.setAttribute("width", Math.round(scale * box.width));
    copy.setAttribute("height", Math.round(scale * box.height));
    // the views of its case; its own classes may hide it at this width
    copy.setAttribute("class", ["errors", "zoomed"].filter((view) => svg.closest(`.${view}`)).join(" "));
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
  const drawn = (svg) => {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(alone(svg)))}`;
    return image.decode().then(() => image);
  };
  // a figure has one visible drawing; those of a case stand side by side, each below its title
  const png = async (figure) => {
    const seen = [...figure.querySelectorAll("svg")].filter((one) => one.getClientRects().length);
    const titles = figure.matches(".case") ? seen.map((svg) => svg.nextElementSibling.innerText.split("\n")[0]) : [];
    const images = await Promise.all((titles.length ? seen : seen.slice(0, 1)).map(drawn));
    const [gap, top] = titles.length ? [8, 28] : [0, 0];
    const width = images.reduce((sum, image) => sum + image.width + gap, -gap);
    const height = top + Math.max(...images.map((image) => image.height));
    const shrink = Math.min(1, WIDEST / width);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(shrink * width);
    canvas.height = Math.round(shrink * height);
    const pen = canvas.getContext("2d");
    pen.scale(shrink, shrink);
    const { backgroundColor, color, fontFamily } = getComputedStyle(document.body);
    pen.fillStyle = backgroundColor;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = color;
    pen.font = `16px ${fontFamily}`;
    let left = 0;
    images.forEach((image, place) => {
      if (titles.length) pen.fillText(titles[place], left + 4, 20, image.width - 8);
      pen.drawImage(image, left, top);
      left += image.width + gap;
    });
    save(figure.dataset.name, "png", canvas.toDataURL("image/png"));
  };
  for (const button of document.querySelectorAll("button[data-save]")) {
    const figure = button.closest("[data-name]");
    const kind = button.dataset.save;
    button.setAttribute("aria-label", `Save ${figure.dataset.name} as ${kind.toUpperCase()}`);
    button.addEventListener("click", () => {
      if (kind === "png") png(figure).catch(() => (button.textContent = "PNG failed"));
      else save(figure.dataset.name, "csv", `data:text/csv;charset=utf-8,${encodeURIComponent(figure.dataset.csv)}`);
    });
  }
})();
