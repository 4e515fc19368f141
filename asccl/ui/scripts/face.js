const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }; // (row, column)
const DIRECTIONS = ["up left", "up", "up right", "left", "right", "down left", "down", "down right"];
let kind = "corresponding"; // what the colours show: corresponding or daas
let mapIndex = 1; // feature map, 0 to 3
let head = null;
let region = null; // selected [row, column]
let summary = null; // value for all compared frames
let current = null; // displayed value: the summary or one moment

const figureOf = () => current.figures[head][mapIndex][kind];
const columns = () => figureOf().data[0].x.length;
const rows = () => figureOf().data[0].y.length;

function withFaceImage(figure) {
  const layered = copy(figure);
  const fullSize = { xref: "x", yref: "y", x: 0, y: 0, sizex: 1, sizey: 1, sizing: "stretch", layer: "below" };
  layered.layout.images = [{ source: current.picture, ...fullSize }];
  return layered;
}

function withRegionOutline(figure) {
  const [row, column] = region;
  const [w, h] = [1 / columns(), 1 / rows()];
  const box = { x0: column * w, x1: (column + 1) * w, y0: row * h, y1: (row + 1) * h };
  const outline = { type: "rect", xref: "x", yref: "y", ...box };
  figure.layout.shapes = [
    { ...outline, line: { color: "#ffffff", width: 3 } },
    { ...outline, line: { color: "#1b1613", width: 1 } },
  ];
  return figure;
}

// The region with the lowest similarity is selected first.
function leastSimilarRegion() {
  const z = current.figures[head][mapIndex].corresponding.data[0].z;
  let best = [0, 0];
  z.forEach((line, r) => line.forEach((v, c) => v !== null && v < (z[best[0]][best[1]] ?? 2) && (best = [r, c])));
  return best;
}

// The colour that the heat map gives a value, on the colour of the page.
function shade(value) {
  const { colorscale, zmin, zmax, z } = figureOf().data[0];
  const numbers = z.flat().filter((number) => number !== null);
  const [low, high] = [zmin ?? Math.min(...numbers), zmax ?? Math.max(...numbers)];
  const level = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
  const end = Math.max(1, colorscale.findIndex(([step]) => step >= level));
  const [[startLevel, startColour], [endLevel, endColour]] = [colorscale[end - 1], colorscale[end]];
  const share = (100 * (level - startLevel)) / (endLevel - startLevel);
  return `color-mix(in srgb, ${endColour} ${share.toFixed(0)}%, ${startColour})`;
}

// Dark text on the light half of the scale, light text on the dark half.
function inkOn(hundredths) {
  if (hundredths === null) return "var(--ink)";
  const { zmin, zmax, z } = figureOf().data[0];
  const numbers = z.flat().filter((number) => number !== null);
  const [low, high] = [zmin ?? Math.min(...numbers), zmax ?? Math.max(...numbers)];
  const level = Math.max(0, Math.min(1, (hundredths / 100 - low) / (high - low || 1)));
  return (kind === "daas" ? 1 - level : level) < 0.65 ? "#ffffff" : "#241f1b";
}

function listNeighbours() {
  const [row, column] = region;
  const offset = 8 * (row * columns() + column);
  const [corresponding, nonCorresponding, weight] = current.rings[head][mapIndex].map((values) =>
    values.slice(offset, offset + 8),
  );
  const isWeight = kind === "daas";
  const format = (hundredths) => (hundredths === null ? "–" : (hundredths / 100).toFixed(2));
  const cells = DIRECTIONS.map((direction, k) => {
    const value = isWeight ? weight[k] : corresponding[k];
    const others = `others ${format(nonCorresponding[k])}`;
    const text = value === null ? "outside the image" : `${format(value)}${isWeight ? "" : `, ${others}`}`;
    const detail = isWeight ? "" : `<small>${others}</small>`;
    const background = value === null ? "none" : `linear-gradient(${shade(value / 100)} 0 0), #ffffff`;
    const attributes = `style="background:${background};color:${inkOn(value)}" aria-label="${direction}: ${text}"`;
    return `<li ${attributes}><b>${format(value)}</b>${detail}</li>`;
  });
  cells.splice(4, 0, `<li class="ring-centre">region<br>${row + 1}, ${column + 1}</li>`);
  const explanation = isWeight
    ? "DAAS weight of the region's disparity to each neighbour, eq. 6: higher where they differ more."
    : "Cosine along the channels. Large: i→j in both faces. Small: i→j of the source against the other neighbours of the generated face.";
  part("ring").innerHTML = `<h3>Its eight neighbours</h3><ol>${cells.join("")}</ol><p>${explanation}</p>`;
}

async function draw() {
  if (!current || !part("plot")) return;
  const plot = part("plot");
  part("about").textContent = current.about;
  part("summary").hidden = current.whole || !summary;
  await drawFigure(plot, withRegionOutline(withFaceImage(figureOf())));
  if (!plot.dataset.listening) {
    plot.dataset.listening = "yes";
    plot.on("plotly_click", (event) => selectRegion(event.points[0].pointNumber ?? event.points[0].pointIndex));
  }
  listNeighbours();
}

function selectRegion([row, column]) {
  region = [Math.max(0, Math.min(rows() - 1, row)), Math.max(0, Math.min(columns() - 1, column))];
  draw();
}

function build() {
  if (!current || !part("plot")) return;
  if (!current.figures[head]) head = current.heads[0][0];
  const maps = current.figures[head].map((_, n) => [n, `Map ${n + 1}`]);
  buildRadioButtons(part("kind"), current.kinds, kind, (value) => {
    kind = value;
    draw();
  });
  buildRadioButtons(part("map"), maps, mapIndex, (value) => {
    mapIndex = Number(value);
    region = leastSimilarRegion();
    draw();
  });
  part("summary").onclick = () => {
    current = summary;
    build();
  };
  part("plot").onkeydown = (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    selectRegion([region[0] + step[0], region[1] + step[1]]);
  };
  buildSaveButtons(part("save"), "face", () => withFaceImage(figureOf()));
  if (!region || region[0] >= rows() || region[1] >= columns()) region = leastSimilarRegion();
  draw();
}

function receiveValue() {
  const previous = summary;
  const { value } = props;
  current = value ? { ...value, figures: JSON.parse(value.figures), rings: JSON.parse(value.rings) } : null;
  if (!current || current.whole) summary = current;
  if (current && current.whole && current.picture !== previous?.picture) region = null;
  build();
}

document.addEventListener("asccl-mapping", (event) => {
  head = event.detail;
  if (current) draw();
});
watch("value", receiveValue);
onAppearanceChange(draw);
receiveValue();
