let measure = "cosine";
let head = null;

function figureOf(section) {
  return section.figures[head][measure];
}

function paint() {
  const value = props.value;
  if (!value || !part("grid")) return;
  for (const section of value.sections) {
    const box = element.querySelector(`[data-chart="${section.name}"]`);
    const figure = figureOf(section);
    box.querySelector("figcaption").textContent = figure.layout.title.text;
    draw(box.querySelector(".chart-plot"), figure);
  }
}

function build() {
  const value = props.value;
  if (!value || !part("grid")) return;
  if (!value.heads.some(([id]) => id === head)) head = value.heads[0][0];
  choices(part("measure"), value.measures, measure, (chosen) => {
    measure = chosen;
    paint();
  });
  choices(part("head"), value.heads, head, (chosen) => {
    head = chosen;
    document.dispatchEvent(new CustomEvent("asccl-mapping", { detail: chosen }));
    paint();
  });
  part("grid").replaceChildren(...value.sections.map(frame));
  part("moments").replaceChildren(...(value.moments.length ? strip(value.moments) : []));
  paint();
}

function frame(section) {
  const box = document.createElement("figure");
  box.className = `chart chart-${section.name}`;
  box.dataset.chart = section.name;
  box.innerHTML = '<figcaption></figcaption><div class="chart-save"></div><div class="chart-plot"></div>';
  savers(box.querySelector(".chart-save"), section.name, () => figureOf(section));
  if (section.name === "time") {
    const place = box.querySelector(".chart-plot");
    plotly().then(() => {
      const wait = setInterval(() => {
        if (!place.on) return;
        clearInterval(wait);
        place.on("plotly_click", (event) => trigger("pick", { times: event.points[0].customdata }));
      }, 50);
    });
  }
  return box;
}

function strip(moments) {
  const title = document.createElement("h3");
  title.textContent = "Where the two differ most";
  const row = document.createElement("div");
  row.className = "moment-row";
  row.append(
    ...moments.map((moment) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Look at ${moment.text}`);
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
onTheme(paint);
build();
