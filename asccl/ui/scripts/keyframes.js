// The curve of the intensity over time. Points are buttons, so that the keyboard and screen readers reach them.
const WIDTH = 1000, HEIGHT = 200, MAX_INTENSITY = 2, MIN_GAP = 0.02; // seconds between two points
const part = (name) => element.querySelector(`[data-part="${name}"]`);
let points = []; // [seconds, intensity] in the order of time
let dragged = null;

const duration = () => Math.max(0.1, Number(document.querySelector("#time input[type=range]")?.max) || 1);
const toX = (time) => (100 * time) / duration();
const toY = (intensity) => 100 - (100 * intensity) / MAX_INTENSITY;
const round = (value, step) => Math.round(value / step) * step;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// Slopes of the monotone cubic (Fritsch and Carlson 1980), level at both ends, as asccl/editing/keyframes.py has them.
function slopes(knots) {
  const secant = knots.slice(1).map(([t, v], n) => (v - knots[n][1]) / (t - knots[n][0]));
  return knots.map((_, n) => {
    if (n === 0 || n === knots.length - 1 || secant[n - 1] * secant[n] <= 0) return 0;
    const before = knots[n][0] - knots[n - 1][0], after = knots[n + 1][0] - knots[n][0];
    const one = 2 * after + before, two = after + 2 * before;
    return (one + two) / (one / secant[n - 1] + two / secant[n]);
  });
}

function intensityAt(time) {
  if (!points.length) return 1;
  const knots = [[points[0][0] - 1, points[0][1]], ...points, [points.at(-1)[0] + 1, points.at(-1)[1]]];
  const at = clamp(time, points[0][0], points.at(-1)[0]);
  const n = Math.max(0, knots.findIndex(([t]) => t >= at) - 1);
  const [[t0, v0], [t1, v1]] = [knots[n], knots[n + 1]];
  const slope = slopes(knots), h = t1 - t0, s = (at - t0) / h;
  return (1 + 2 * s) * (1 - s) ** 2 * v0 + s * (1 - s) ** 2 * h * slope[n]
    + s * s * (3 - 2 * s) * v1 + s * s * (s - 1) * h * slope[n + 1];
}

function draw() {
  const steps = [...Array(201).keys()].map((n) => (n / 200) * duration());
  const path = steps.map((t, n) => `${n ? "L" : "M"}${10 * toX(t)} ${2 * toY(intensityAt(t))}`).join("");
  part("plot").innerHTML = `<path class="grid" d="M0 100H1000" vector-effect="non-scaling-stroke"/>
    <path class="line${points.length ? "" : " is-constant"}" d="${path}" vector-effect="non-scaling-stroke"/>`;
  const box = part("points");
  while (box.children.length > points.length) box.lastChild.remove();
  while (box.children.length < points.length) {
    box.append(Object.assign(document.createElement("button"), { type: "button", className: "curve-point" }));
  }
  points.forEach(([time, intensity], n) => {
    const button = box.children[n];
    button.style.left = `${toX(time)}%`;
    button.style.top = `${toY(intensity)}%`;
    button.setAttribute("aria-label", `Intensity ${intensity.toFixed(2)} at ${time.toFixed(2)} seconds`);
    button.title = `${intensity.toFixed(2)} at ${time.toFixed(2)} s`;
  });
  part("end").textContent = `${duration().toFixed(1)} s`;
  part("clear").disabled = !points.length;
}

function move(n, time, intensity) {
  const low = n > 0 ? points[n - 1][0] + MIN_GAP : 0;
  const high = n < points.length - 1 ? points[n + 1][0] - MIN_GAP : duration();
  points[n] = [clamp(round(time, 0.01), low, high), clamp(round(intensity, 0.05), 0, MAX_INTENSITY)];
  draw();
}

function add(time, intensity) {
  const n = points.findIndex(([t]) => t > time);
  const at = n < 0 ? points.length : n;
  points.splice(at, 0, [time, intensity]);
  move(at, time, intensity);
  return at;
}

const announce = () => trigger("input");

function place(event) {
  const box = part("plot").getBoundingClientRect();
  return [
    (clamp((event.clientX - box.left) / box.width, 0, 1)) * duration(),
    (1 - clamp((event.clientY - box.top) / box.height, 0, 1)) * MAX_INTENSITY,
  ];
}

element.addEventListener("pointerdown", (event) => {
  const button = event.target.closest(".curve-point");
  if (button) dragged = [...part("points").children].indexOf(button);
  else if (event.target.closest('[data-part="plot"]')) dragged = add(...place(event));
  else return;
  part("points").children[dragged].focus({ preventScroll: true });
  event.preventDefault();
});
window.addEventListener("pointermove", (event) => {
  if (dragged !== null) move(dragged, ...place(event));
});
window.addEventListener("pointerup", () => {
  if (dragged === null) return;
  dragged = null;
  announce();
});
element.addEventListener("keydown", (event) => {
  const n = [...part("points").children].indexOf(event.target);
  if (n < 0) return;
  const [time, intensity] = points[n];
  const steps = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] };
  if (event.key === "Delete" || event.key === "Backspace") {
    points.splice(n, 1);
    draw();
  } else if (steps[event.key]) move(n, time + steps[event.key][0], intensity + steps[event.key][1]);
  else return;
  event.preventDefault();
  announce();
});
element.addEventListener("click", (event) => {
  const name = event.target.closest("button")?.dataset.part;
  const end = duration(), fade = Math.min(1, end / 3);
  if (name === "clear") points = [];
  else if (name === "fade") points = [[0, 0], [fade, 1], [end - fade, 1], [end, 0]].map((p) => p.map((x) => round(x, 0.01)));
  else return;
  draw();
  announce();
});

window.ascclCurve = {
  text: () => (points.length ? JSON.stringify(points.map((p) => p.map((x) => Number(x.toFixed(3))))) : ""),
  show(text) {
    if (text === window.ascclCurve.text()) return draw();
    try {
      points = text ? JSON.parse(text) : [];
    } catch {
      points = [];
    }
    draw();
  },
};
new ResizeObserver(draw).observe(element); // the box opens after the length of the video is known
draw();
