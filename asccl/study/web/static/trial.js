// One question after the other on one page. Clips are fetched whole before they play, the next ones meanwhile.
const root = document.getElementById("trial");
const { study, token } = root.dataset;
const said = JSON.parse(root.dataset.said);
const find = (name) => document.getElementById(name);
const query = `s=${encodeURIComponent(study)}&p=${encodeURIComponent(token)}`;
const SIDES = ["left", "right"];
const blobs = new Map(); // name of a clip -> promise of its object URL
let screen = null;
let videos = {};
let plays = {};
let running = null; // the slots that play now, or wait for their turn
let answerKey = "";
let sending = false;

const mode = () => root.querySelector("[name=mode]:checked").value;
const chosen = () => root.querySelector("[name=answer]:checked")?.value;
const watched = () => SIDES.every((side) => plays[side] > 0);
const hint = (text, failed = false) => {
  find("hint").textContent = text;
  find("hint").classList.toggle("failed", failed);
};
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function patient(address, options) {
  // Asks until there is an answer; a server that is away, or busy, is asked again.
  for (let wait = 0.5; ; wait = Math.min(8, 2 * wait)) {
    try {
      const reply = await fetch(address, options);
      if (reply.status < 500 && reply.status !== 429) return reply;
    } catch {
      // no connection
    }
    hint(said.retrying, true);
    await pause(wait);
  }
}

function load(name) {
  if (!blobs.has(name)) {
    const address = `study/clip?${query}&c=${encodeURIComponent(name)}`;
    const made = fetch(address).then(async (reply) => {
      if (!reply.ok) throw new Error(`clip ${reply.status}`);
      return URL.createObjectURL(await reply.blob());
    });
    made.catch(() => blobs.delete(name));
    blobs.set(name, made);
  }
  return blobs.get(name);
}

function forget(kept) {
  for (const [name, made] of blobs) {
    if (kept.has(name)) continue;
    blobs.delete(name);
    made.then((url) => URL.revokeObjectURL(url), () => {});
  }
}

function figure(slot) {
  const made = document.createElement("figure");
  made.dataset.slot = slot;
  const video = document.createElement("video");
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.preload = "auto";
  video.setAttribute("aria-label", said[slot]);
  const caption = document.createElement("figcaption");
  caption.textContent = said[slot];
  const button = document.createElement("button");
  button.type = "button";
  button.className = "one";
  button.setAttribute("aria-label", `${said.play_one}: ${said[slot]}`);
  button.addEventListener("click", () => start([[slot]]));
  video.addEventListener("click", () => start([[slot]]));
  video.addEventListener("ended", () => ended(slot));
  made.append(video, caption, button);
  videos[slot] = video;
  return made;
}

async function show(next) {
  if (!next) return location.reload();
  screen = next;
  videos = {};
  plays = {};
  running = null;
  answerKey = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  find("answers").reset();
  find("choices").disabled = find("play").disabled = find("next").disabled = true;
  find("question").textContent = screen.question;
  find("practice").hidden = !screen.practice;
  find("bar").max = screen.total;
  find("bar").value = screen.position - 1;
  find("count").textContent = said.progress.replace("{done}", screen.position).replace("{total}", screen.total);
  const slots = screen.clips.map((clip) => clip.slot);
  find("clips").dataset.count = slots.length;
  find("clips").replaceChildren(...slots.map(figure));
  hint(said.loading);
  find("question").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  forget(new Set([...screen.clips.map((clip) => clip.clip), ...screen.next]));
  try {
    const urls = await Promise.all(screen.clips.map((clip) => load(clip.clip)));
    if (screen !== next) return;
    slots.forEach((slot, index) => (videos[slot].src = urls[index]));
  } catch {
    return hint(said.failed_video, true);
  }
  find("play").disabled = false;
  hint(said.watch_first);
  paint();
  for (const name of screen.next) load(name).catch(() => {});
}

function start(steps) {
  // steps: slots that play together, one group after the other
  if (find("play").disabled) return;
  stop();
  running = { steps: steps.map((step) => [...step]), left: new Set() };
  step();
}

function step() {
  const now = running?.steps.shift();
  if (!now) {
    running = null;
    return paint();
  }
  running.left = new Set(now);
  const loud = now.includes("left") ? "left" : now[0];
  for (const slot of now) {
    const video = videos[slot];
    video.currentTime = 0;
    video.muted = slot !== loud;
  }
  Promise.all(now.map((slot) => videos[slot].play())).catch((error) => {
    if (error.name !== "AbortError") hint(said.failed_video, true);
  });
  paint();
}

function stop() {
  running = null;
  for (const video of Object.values(videos)) video.pause();
  paint();
}

function toggle() {
  if (running) return stop();
  const slots = Object.keys(videos);
  start(mode() === "together" ? [slots] : slots.map((slot) => [slot]));
}

function ended(slot) {
  plays[slot] = (plays[slot] ?? 0) + 1;
  if (watched() && find("choices").disabled) {
    find("choices").disabled = false;
    hint(said.choose_now);
  }
  running?.left.delete(slot);
  if (running && running.left.size === 0) step();
  paint();
}

function paint() {
  const pair = Object.keys(videos).length === 2;
  find("play").textContent = running ? said.pause : watched() ? said.play_again : pair ? said.play_both : said.play_all;
  find("play").classList.toggle("primary", !watched());
  const solo = running && running.left.size === 1 ? [...running.left][0] : "";
  for (const one of find("clips").children) {
    one.classList.toggle("playing", running?.left.has(one.dataset.slot) ?? false);
    one.classList.toggle("seen", plays[one.dataset.slot] > 0);
  }
  find("clips").dataset.solo = mode() === "in turn" ? solo : "";
  find("next").disabled = sending || !chosen() || !watched();
}

async function send() {
  if (find("next").disabled) return;
  sending = true;
  stop();
  hint(said.saving);
  const body = JSON.stringify({
    s: study, p: token, position: screen.position, key: answerKey, answer: chosen(), mode: mode(),
    plays_left: plays.left, plays_right: plays.right,
  });
  const reply = await patient("study/answer", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  sending = false;
  if (!reply.ok) return location.reload();
  await show((await reply.json()).screen);
}

find("play").addEventListener("click", toggle);
find("answers").addEventListener("change", paint);
find("answers").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
for (const one of root.querySelectorAll("[name=mode]")) {
  one.checked = one.value === root.dataset.mode;
  one.addEventListener("change", stop);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const tag = event.target.tagName;
  const busy = tag === "BUTTON" || tag === "SUMMARY" || tag === "A" || (tag === "INPUT" && event.target.name === "mode");
  if (event.key === " " && !busy) {
    toggle();
  } else if ("123".includes(event.key) && !find("choices").disabled) {
    const tile = root.querySelectorAll("[name=answer]")[event.key - 1];
    if (!tile) return;
    tile.checked = true;
    tile.focus();
    paint();
  } else if (event.key === "Enter" && !busy) {
    send();
  } else {
    return;
  }
  event.preventDefault();
});

patient(`study/screen?${query}`).then(async (reply) => {
  if (reply.ok) return show((await reply.json()).screen);
  hint(said.failed_video, true);
});
