let measure = "cosine";
let head = null;

const parsedFigures = new Map(); // name of a section -> { text, figures }

function figureOf({ name, figures: text }) {
  if (parsedFigures.get(name)?.text !== text) parsedFigures.set(name, { text, figures: JSON.parse(text) });
  return parsedFigures.get(name).figures[head][measure];
}

function drawCharts() {
  const value = props.value;
  if (!value || !part("grid")) return;
  showHeadline(value.headlines[head][measure]);
  for (const section of value.sections) {
    const box = element.querySelector(`[data-chart="${section.name}"]`);
    const figure = figureOf(section);
    box.querySelector("figcaption").textContent = figure.layout.title.text;
    drawFigure(box.querySelector(".chart-plot"), figure);
  }
}

// The headline and its place among known populations; both follow the choice of measure and mapping.
function showHeadline(headline) {
  part("verdict").textContent = headline.text;
  const box = part("scale");
  box.hidden = headline.scale.length === 0;
  if (box.hidden) return;
  const low = Math.min(headline.value, ...headline.scale.map(([, lowest]) => lowest)) - 0.03;
  const place = (value) => `${Math.max(0, Math.min(100, (100 * (value - low)) / (1 - low))).toFixed(1)}%`;
  const row = ([label, lowest, middle, highest]) => {
    const band = `<i style="left:${place(lowest)};right:calc(100% - ${place(highest)})"></i>`;
    const median = `<b style="left:${place(middle)}"></b><em style="left:${place(headline.value)}"></em>`;
    return `<dt>${label}</dt><dd title="${lowest.toFixed(2)} to ${highest.toFixed(2)}">${band}${median}</dd>`;
  };
  const remark = `<p>${headline.remark}</p>`;
  const note = "Bands hold 80 % of pairs of takes by synthetic speakers; the line is this comparison.";
  box.innerHTML = `<dl>${headline.scale.map(row).join("")}</dl>${remark}<small>${note}</small>`;
}

function build() {
  const value = props.value;
  if (!value || !part("grid")) return;
  if (!value.heads.some(([id]) => id === head)) head = value.heads[0][0];
  buildRadioButtons(part("measure"), value.measures, measure, (selected) => {
    measure = selected;
    drawCharts();
  });
  buildRadioButtons(part("head"), value.heads, head, (selected) => {
    head = selected;
    document.dispatchEvent(new CustomEvent("asccl-mapping", { detail: selected }));
    drawCharts();
  });
  part("grid").replaceChildren(...value.sections.map(chartBox));
  part("moments").replaceChildren(...(value.moments.length ? momentRow(value.moments) : []));
  drawCharts();
}

function chartBox(section) {
  const box = document.createElement("figure");
  box.className = `chart chart-${section.name}`;
  box.dataset.chart = section.name;
  box.innerHTML = '<figcaption></figcaption><div class="chart-save"></div><div class="chart-plot"></div>';
  buildSaveButtons(box.querySelector(".chart-save"), section.name, () => figureOf(section));
  if (section.name === "time") {
    const plot = box.querySelector(".chart-plot");
    loadPlotly().then(() => {
      const timer = setInterval(() => {
        if (!plot.on) return; // Plotly adds `on` when it draws the figure
        clearInterval(timer);
        plot.on("plotly_click", (event) => trigger("pick", { times: event.points[0].customdata }));
      }, 50);
    });
  }
  return box;
}

function momentRow(moments) {
  const title = document.createElement("h3");
  title.textContent = "Where the two differ most";
  const row = document.createElement("div");
  row.className = "moment-row";
  row.append(
    ...moments.map((moment) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Show ${moment.text}`);
      const image = document.createElement("img");
      image.alt = "";
      image.src = moment.picture;
      const text = document.createElement("span");
      text.textContent = moment.text;
      button.append(image, text);
      button.addEventListener("click", () => trigger("pick", { times: moment.times }));
      return button;
    }),
  );
  return [title, row];
}

watch("value", build);
onAppearanceChange(drawCharts);
build();
