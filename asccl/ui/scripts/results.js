// The results of this visit: choose one, compare two, download, delete. "pick" shows what window.asccl.display contains.
const state = window.asccl;
const list = element.querySelector('[data-part="items"]');
let items = state.results();
let shown = null;
let compared = null; // a second result beside the shown one

const byId = (id) => items.find((item) => item.id === id);

// Labels of two results; with their facts where the labels are equal.
function distinct(...results) {
  const isEqual = results[0].label === results[1].label;
  return results.map(({ label, facts }) => (isEqual ? `${label} (${facts})` : label));
}

function display() {
  const one = byId(shown);
  if (!one) return { player: null, still: null, video: null, report: null, metrics: "", source: null };
  const two = byId(compared);
  const pair = two
    ? { source: two.file, edited: one.file, labels: distinct(two, one), span: null }
    : { source: one.source, edited: one.file, labels: ["Original", one.label], span: one.span };
  const still = two ? { ...one.still, source: two.still?.edited, labels: pair.labels } : one.still;
  return {
    player: one.is_still ? null : pair,
    still: one.is_still ? still : null,
    video: one.file, report: one.report, metrics: one.metrics, source: one.source,
  };
}

// Why a result cannot be shown beside the shown one; empty where it can.
function obstacle(item) {
  if (item.id === shown) return items.length < 2 ? "There is no other result yet" : "This is the shown result";
  return item.is_still !== byId(shown)?.is_still ? "A video and a photo cannot be compared" : "";
}

function describe(item) {
  const entry = document.createElement("li");
  entry.className = "result-item";
  entry.dataset.id = item.id;
  entry.classList.toggle("is-shown", item.id === shown);
  // the server has escaped all texts of a result
  entry.innerHTML = `<button type="button" data-part="show" aria-pressed="${item.id === shown}">
    <img alt="" src="${item.poster}"><strong>${item.label}</strong><small>${item.facts}</small></button>
    <span><button type="button" data-part="compare" aria-pressed="${item.id === compared}"
      title="${obstacle(item) || "Beside the shown result"}" ${obstacle(item) ? "disabled" : ""}>Compare</button>
    <a href="${item.file.url}" download="${item.name}" aria-label="Download ${item.label}">↓</a>
    <button type="button" data-part="delete" aria-label="Delete ${item.label}">✕</button></span>`;
  return entry;
}

function draw() {
  list.replaceChildren(...items.map(describe));
  element.querySelector('[data-part="study"]').hidden = !canStudy();
  state.shown = byId(shown) ?? null;
  state.display = display();
  state.announce();
  trigger("pick");
}

// Browsers that have logged in at the pages of studies can compare results there, which other visitors do not see.
const canStudy = () => localStorage.getItem("asccl-study-admin") !== null && items.filter((item) => !item.is_still).length > 1;

// What the page of a new study needs of a result: its files, its item, and the method as its settings tell it.
function toClip({ id, poster, file, source, settings }) {
  const { emotion, generator = "warp", intensity, variant = 0 } = settings;
  const name = source.orig_name ?? source.path.split("/").at(-1);
  return {
    id, poster, file: file.url, source: source.url, source_name: name,
    item: `${name.replace(/\.\w+$/, "")}-${emotion}`,
    method: `${generator.split(" ")[0]}-${intensity}${variant ? `-version-${variant}` : ""}`,
  };
}

const studies = new BroadcastChannel("asccl-results");
studies.addEventListener("message", ({ data }) => {
  if (data === "list") studies.postMessage({ results: items.filter((item) => !item.is_still).map(toClip) });
});

function show(id) {
  shown = id;
  if (compared === id) compared = null;
  draw();
}

function remove(id) {
  state.deleted = [byId(id).file, byId(id).report];
  trigger("delete");
  items = items.filter((item) => item.id !== id);
  state.keepResults(items);
  if (compared === id) compared = null;
  show(shown === id ? items.at(-1)?.id ?? null : shown);
}

element.addEventListener("click", (event) => {
  const name = event.target.closest("button")?.dataset.part;
  const id = event.target.closest("li")?.dataset.id;
  if (name === "study") window.open(`${(window.gradio_config?.root ?? "").replace(/\/$/, "")}/study/admin/new`, "_blank");
  if (name === "show") show(id);
  if (name === "delete") remove(id);
  if (name === "compare") {
    compared = compared === id ? null : id;
    draw();
  }
});

watch("value", () => {
  const item = props.value;
  if (!item?.id || byId(item.id)) return;
  items = [...items, item];
  state.keepResults(items);
  compared = null;
  show(item.id);
});
if (items.length) show(items.at(-1).id);
