const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const AROUND = ["up left", "up", "up right", "left", "right", "down left", "down", "down right"];
let kind = "corresponding";
let number = 1;
let head = null;
let chosen = null;
let whole = null;
let shown = null;

const figureOf = () => shown.figures[head][number][kind];
const columns = () => figureOf().data[0].x.length;
const rows = () => figureOf().data[0].y.length;

function withPicture(figure) {
  const out = copy(figure);
  const place = { xref: "x", yref: "y", x: 0, y: 0, sizex: 1, sizey: 1, sizing: "stretch", layer: "below" };
  out.layout.images = [{ source: shown.picture, ...place }];
  return out;
}

function withMark(figure) {
  const [row, column] = chosen;
  const [w, h] = [1 / columns(), 1 / rows()];
  const mark = { type: "rect", xref: "x", yref: "y", line: { color: "#ffffff", width: 3 } };
  figure.layout.shapes = [
    { ...mark, x0: column * w, x1: (column + 1) * w, y0: row * h, y1: (row + 1) * h },
    { ...mark, x0: column * w, x1: (column + 1) * w, y0: row * h, y1: (row + 1) * h, line: { color: "#1b1613", width: 1 } },
  ];
  return figure;
}

// The region that differs most is where to look first.
function first() {
  const z = shown.figures[head][number].corresponding.data[0].z;
  let best = [0, 0];
  z.forEach((line, r) => line.forEach((v, c) => v !== null && v < (z[best[0]][best[1]] ?? 2) && (best = [r, c])));
  return best;
}

function shade(share) {
  return `color-mix(in srgb, #df6b33 ${Math.round(100 * Math.max(0, Math.min(1, share)))}%, var(--card-2))`;
}

function ring() {
  const [row, column] = chosen;
  const at = 8 * (row * columns() + column);
  const [same, other, weight] = shown.rings[head][number].map((all) => all.slice(at, at + 8));
  const tell = (v) => (v === null ? "–" : (v / 100).toFixed(2));
  const cells = AROUND.map((where, k) => {
    const main = kind === "daas" ? weight[k] : same[k];
    const share = main === null ? 0 : kind === "daas" ? main / 200 : main / 100;
    const small = kind === "daas" ? "" : `<small>others ${tell(other[k])}</small>`;
    const label = main === null ? `${where}: beyond the border` : `${where}: ${tell(main)}${kind === "daas" ? "" : `, others ${tell(other[k])}`}`;
    return `<li style="background:${shade(share)}" aria-label="${label}"><b>${tell(main)}</b>${small}</li>`;
  });
  cells.splice(4, 0, `<li class="ring-centre">region<br>${row + 1}, ${column + 1}</li>`);
  const explain =
    kind === "daas"
      ? "DAAS weight of the region's disparity to each neighbour, eq. 6: more where they differ more."
      : "Cosine along the channels. Large: i→j in both faces. Small: i→j of the source against the other neighbours of the generated face.";
  part("ring").innerHTML = `<h3>Its eight neighbours</h3><ol>${cells.join("")}</ol><p>${explain}</p>`;
}

async function paint() {
  if (!shown || !part("plot")) return;
  const place = part("plot");
  part("about").textContent = shown.about;
  part("whole").hidden = shown.whole || !whole;
  await draw(place, withMark(withPicture(figureOf())));
  if (!place.dataset.listening) {
    place.dataset.listening = "yes";
    place.on("plotly_click", (event) => choose(event.points[0].pointNumber ?? event.points[0].pointIndex));
  }
  ring();
}

function choose(place) {
  chosen = [Math.max(0, Math.min(rows() - 1, place[0])), Math.max(0, Math.min(columns() - 1, place[1]))];
  paint();
}

function build() {
  if (!shown || !part("plot")) return;
  if (!shown.figures[head]) head = shown.heads[0][0];
  const maps = shown.figures[head].map((each, n) => [n, `Map ${n + 1}`]);
  choices(part("kind"), shown.kinds, kind, (value) => {
    kind = value;
    paint();
  });
  choices(part("map"), maps, number, (value) => {
    number = Number(value);
    chosen = first();
    paint();
  });
  part("whole").onclick = () => {
    shown = whole;
    build();
  };
  part("plot").onkeydown = (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    choose([chosen[0] + step[0], chosen[1] + step[1]]);
  };
  savers(part("save"), "face", () => withPicture(figureOf()));
  if (!chosen || chosen[0] >= rows() || chosen[1] >= columns()) chosen = first();
  paint();
}

function receive() {
  const before = whole;
  shown = props.value ?? null;
  if (!shown || shown.whole) whole = shown;
  if (shown && shown.whole && shown !== before) chosen = null;
  build();
}

document.addEventListener("asccl-mapping", (event) => {
  head = event.detail;
  if (shown) paint();
});
watch("value", receive);
onTheme(paint);
receive();
