// Shared by the charts and the face map: plotly.js on demand, the page's colours, radio buttons, saved images.
const PLOTLY_URL = `${(window.gradio_config?.root ?? "").replace(/\/$/, "")}/plotly.min.js`;

function loadPlotly() {
  window.ascclPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = PLOTLY_URL;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.js did not load"));
    document.head.append(script);
  });
  return window.ascclPlotly;
}

const LEGEND_ROW = 20; // pixels
const TEXT_KEYS = ["name", "text", "ticktext", "x"]; // of figures
const RESIZE_MS = 200; // after the last change of the window's size
const copy = (value) => JSON.parse(JSON.stringify(value));

// Texts of a figure in the language of the page, before Plotly measures them.
function withTranslatedTexts(value, key) {
  if (Array.isArray(value)) return value.map((item) => withTranslatedTexts(item, key));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withTranslatedTexts(item, name)]));
  }
  if (typeof value !== "string" || !TEXT_KEYS.includes(key)) return value;
  return value.split("<br>").map((line) => window.ascclTranslate?.(line) ?? line).join("<br>");
}

function withPageTheme(figure, width) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  const themed = withTranslatedTexts(copy(figure));
  const isNarrow = element.clientWidth < 520;
  const axis = { color: colour("--ink-soft"), gridcolor: colour("--line"), zerolinecolor: colour("--ink-soft") };
  themed.layout.font = { ...themed.layout.font, color: colour("--ink"), size: isNarrow ? 11 : 13 };
  for (const name of ["xaxis", "yaxis", "yaxis2"]) {
    const original = themed.layout[name];
    if (!original) continue;
    themed.layout[name] = { ...original, ...axis, tickfont: { size: 11 } };
    if (original.title) themed.layout[name].title = { ...original.title, font: { size: 12 } };
  }
  themed.layout.hoverlabel = {
    bgcolor: colour("--card"),
    bordercolor: colour("--line"),
    font: { color: colour("--ink") },
  };
  for (const trace of themed.data) {
    if (trace.error_y) trace.error_y.color = colour("--ink-soft");
    if (isNarrow && trace.type === "bar") trace.textangle = -90; // across a narrow bar, the number would be tiny
  }
  themed.layout.title = undefined;
  themed.layout.autosize = true;
  if (isHeatmap(themed)) {
    themed.layout.margin = { l: 6, r: 6, t: 6, b: 6 };
  } else {
    const top = 14 + LEGEND_ROW * legendRows(themed, width, isNarrow);
    themed.layout.margin = { ...themed.layout.margin, t: top, l: isNarrow && !themed.layout.yaxis2?.title ? 44 : 60 };
    themed.layout.legend = { ...themed.layout.legend, yref: "container", y: 1, yanchor: "top" };
  }
  return themed;
}

// The legend has its own rows above the plot: placed by Plotly, it lies on the plot after the window changes its size.
function legendRows(figure, width, isNarrow) {
  const names = figure.data.filter(({ showlegend }) => showlegend !== false).map(({ name }) => name ?? "");
  const entry = 48 + Math.max(...names.map(({ length }) => length)) * (isNarrow ? 6.2 : 7.4);
  return Math.ceil(names.length / Math.max(1, Math.floor((width - 68) / entry)));
}

function isHeatmap(figure) {
  return figure.data[0]?.type === "heatmap";
}

async function drawFigure(plot, figure) {
  const Plotly = await loadPlotly();
  const { data, layout } = withPageTheme(figure, plot.clientWidth);
  await Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
}

// A saved image keeps its title and has dark text on white, in either theme of the page.
async function saveFigure(original, name, format) {
  const Plotly = await loadPlotly();
  const figure = withTranslatedTexts(copy(original));
  const isSquare = isHeatmap(figure);
  const layout = { ...figure.layout, paper_bgcolor: "#ffffff" };
  // Title and legend each have a line of their own above the plot.
  layout.title = { ...layout.title, y: 1, yref: "container", yanchor: "top", pad: { t: 14, l: 12 } };
  layout.margin = { ...layout.margin, t: isSquare ? 52 : 92, l: 72 };
  const size = { width: isSquare ? 760 : 960, height: isSquare ? 700 : 540 };
  const scale = format === "svg" ? 1 : 2;
  const url = await Plotly.toImage({ data: figure.data, layout }, { format, scale, ...size });
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.${format}`;
  link.click();
}

function buildSaveButtons(parent, name, getFigure) {
  parent.replaceChildren(
    ...["png", "svg"].map((format) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = format.toUpperCase();
      button.setAttribute("aria-label", `Save this chart as ${format.toUpperCase()}`);
      button.addEventListener("click", () => saveFigure(getFigure(), name, format));
      return button;
    }),
  );
}

// Real radio buttons, so that mouse, touch, arrow keys and screen readers can use them.
let radioGroups = 0;
function buildRadioButtons(parent, options, selected, onChange) {
  const group = `asccl-${element.id}-${radioGroups++}`;
  parent.replaceChildren(
    ...options.map(([value, text]) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { type: "radio", name: group, value, checked: String(value) === String(selected) });
      input.addEventListener("change", () => onChange(value));
      const span = document.createElement("span");
      span.textContent = text;
      label.append(input, span);
      return label;
    }),
  );
  parent.hidden = options.length < 2;
}

const part = (name) => element.querySelector(`[data-part="${name}"]`);

function onAppearanceChange(redraw) {
  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(redraw, RESIZE_MS);
  });
  let wasDark = document.body.classList.contains("dark");
  new MutationObserver(() => {
    const isDark = document.body.classList.contains("dark");
    if (isDark !== wasDark) {
      wasDark = isDark;
      redraw();
    }
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
