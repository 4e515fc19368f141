// What both parts share: plotly.js on demand, the page's colours, groups of choices, saved pictures.
const PLOTLY = `${(window.gradio_config?.root ?? "").replace(/\/$/, "")}/plotly.min.js`;

function plotly() {
  window.ascclPlotly ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = PLOTLY;
    script.onload = () => done(window.Plotly);
    script.onerror = () => fail(new Error("plotly.js did not load"));
    document.head.append(script);
  });
  return window.ascclPlotly;
}

const copy = (thing) => JSON.parse(JSON.stringify(thing));

function dressed(figure) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  const out = copy(figure);
  const narrow = element.clientWidth < 520;
  const axis = { color: colour("--ink-soft"), gridcolor: colour("--line"), zerolinecolor: colour("--ink-soft") };
  out.layout.font = { ...out.layout.font, color: colour("--ink"), size: narrow ? 11 : 13 };
  for (const name of ["xaxis", "yaxis", "yaxis2"]) {
    const was = out.layout[name];
    if (!was) continue;
    out.layout[name] = { ...was, ...axis, tickfont: { size: 11 } };
    if (was.title) out.layout[name].title = { ...was.title, font: { size: 12 } };
  }
  out.layout.hoverlabel = { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } };
  for (const trace of out.data) if (trace.error_y) trace.error_y.color = colour("--ink-soft");
  out.layout.title = undefined;
  out.layout.autosize = true;
  const margin = { ...out.layout.margin, t: narrow ? 52 : 34, l: narrow ? 44 : 56 };
  out.layout.margin = isHeat(out) ? { l: 6, r: 6, t: 6, b: 6 } : margin;
  return out;
}

function isHeat(figure) {
  return figure.data[0]?.type === "heatmap";
}

async function draw(place, figure) {
  const Plotly = await plotly();
  const { data, layout } = dressed(figure);
  await Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
}

// A saved picture has its title and dark ink on white, whatever the page looks like.
async function save(figure, name, format) {
  const Plotly = await plotly();
  const square = isHeat(figure);
  const layout = { ...copy(figure.layout), paper_bgcolor: "#ffffff" };
  const size = { width: square ? 760 : 960, height: square ? 700 : 540 };
  const url = await Plotly.toImage({ data: copy(figure.data), layout }, { format, scale: format === "svg" ? 1 : 2, ...size });
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.${format}`;
  link.click();
}

function savers(place, name, figure) {
  place.replaceChildren(
    ...["png", "svg"].map((format) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = format.toUpperCase();
      button.setAttribute("aria-label", `Save this chart as ${format.toUpperCase()}`);
      button.addEventListener("click", () => save(figure(), name, format));
      return button;
    }),
  );
}

// Real radio buttons: mouse, touch, arrow keys and screen readers know them.
let groups = 0;
function choices(place, options, chosen, changed) {
  const group = `asccl-${element.id}-${groups++}`;
  place.replaceChildren(
    ...options.map(([value, label]) => {
      const box = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { type: "radio", name: group, value, checked: String(value) === String(chosen) });
      input.addEventListener("change", () => changed(value));
      const text = document.createElement("span");
      text.textContent = label;
      box.append(input, text);
      return box;
    }),
  );
  place.hidden = options.length < 2;
}

const part = (name) => element.querySelector(`[data-part="${name}"]`);

function onTheme(redraw) {
  let dark = document.body.classList.contains("dark");
  new MutationObserver(() => {
    const now = document.body.classList.contains("dark");
    if (now !== dark) {
      dark = now;
      redraw();
    }
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
