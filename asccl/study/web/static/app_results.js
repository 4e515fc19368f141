// Offers the edited videos that tabs of the app hold in this browser as clips of a new study, and sends the chosen ones
// as a folder: one item for each video and emotion, with the source and one method for each result.
const box = document.getElementById("app-results");
const form = box.form;
const hint = document.getElementById("app-results-hint");
const results = new Map(); // id -> result, see toClip in asccl/ui/scripts/results.js
const sources = new Map(); // name of an item -> address of its source
const channel = new BroadcastChannel("asccl-results");

const extension = (name) => name.match(/\.\w+$/)?.[0] ?? ".mp4";
const toFileName = (text) => text.trim().replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+/, "");

// The name without a number, or with the first number that is free.
function numbered(name, isFree) {
  for (let number = 1; ; number++) {
    const candidate = number > 1 ? `${name}-${number}` : name;
    if (isFree(candidate)) return candidate;
  }
}

function addResult(result) {
  if (results.has(result.id)) return;
  const item = numbered(toFileName(result.item), (name) => (sources.get(name) ?? result.source) === result.source);
  sources.set(item, result.source);
  const usedNames = [...results.values()].filter((other) => other.item === item).map((other) => other.method);
  const method = numbered(result.method, (name) => !usedNames.includes(name));
  results.set(result.id, { ...result, item, method });
  const [entry] = document.getElementById("app-result").content.cloneNode(true).children;
  entry.dataset.id = result.id;
  entry.querySelector("img").src = result.poster;
  entry.querySelector("span").textContent = item;
  entry.querySelector("[type=text]").value = method;
  document.getElementById("app-results-list").append(entry);
  box.hidden = false;
}

async function fetchClip(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(address);
  return response.blob();
}

// The form with the clips in place of its folder.
async function collect(entries) {
  const data = new FormData(form);
  data.delete("folder");
  const added = new Set();
  for (const entry of entries) {
    const { item, source, source_name: name, file } = results.get(entry.dataset.id);
    if (!added.has(item)) data.append("folder", await fetchClip(source), `results/${item}/source${extension(name)}`);
    added.add(item);
    const method = toFileName(entry.querySelector("[type=text]").value);
    data.append("folder", await fetchClip(file), `results/${item}/${method}.mp4`);
  }
  return data;
}

async function send(entries) {
  const button = form.querySelector("button.primary");
  button.disabled = true;
  hint.textContent = "The clips are being sent…";
  try {
    const response = await fetch(form.action, { method: "POST", body: await collect(entries) });
    if (response.redirected) return location.assign(response.url);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    hint.textContent = page.querySelector("h1 + p")?.textContent ?? "The study could not be created.";
  } catch {
    hint.textContent = "A result is no longer on the server: create it again in the app, or do not choose it.";
  }
  button.disabled = false;
}

channel.addEventListener("message", ({ data }) => (data.results ?? []).forEach(addResult));
channel.postMessage("list");
form.addEventListener("submit", (event) => {
  const entries = [...box.querySelectorAll("li:has(:checked)")];
  if (!entries.length) return;
  event.preventDefault();
  send(entries);
});
