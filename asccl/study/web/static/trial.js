// Shows one trial after the other on one page. Clips are fetched completely before they play; those of the next trial
// are fetched while the participant answers.
const root = document.getElementById("trial");
const { study, token, prefix } = root.dataset; // prefix: of the addresses of screens, clips and answers
const ratingPoints = Number(root.dataset.rating);
const texts = JSON.parse(root.dataset.texts);
const element = (id) => document.getElementById(id);
const query = `s=${encodeURIComponent(study)}&p=${encodeURIComponent(token)}`;
const SIDES = ["left", "right"];
const clipUrls = new Map(); // name of a clip -> promise of its object URL
let currentTrial = null;
let videos = {};
let plays = {};
let playback = null; // { steps: groups of slots that will play, left: slots that are playing }; null when paused
let lockstep = null; // of the videos that are playing
let answerKey = "";
let sending = false;

const mode = () => root.querySelector("[name=mode]:checked").value;
const chosenAnswer = () => root.querySelector("[name=answer]:checked")?.value;
const chosenRating = () => root.querySelector("[name=rating]:checked")?.value;
const needsRating = () => ratingPoints > 0 && chosenAnswer() !== undefined && chosenAnswer() !== "cannot";
const isComplete = () => chosenAnswer() !== undefined && (!needsRating() || chosenRating() !== undefined);
const bothWatched = () => SIDES.every((side) => plays[side] > 0);
const showHint = (text, failed = false) => {
  element("hint").textContent = text;
  element("hint").classList.toggle("failed", failed);
};
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function fetchWithRetry(address, options) {
  // Repeats the request until the server replies with neither an error of its own nor "too many requests".
  for (let wait = 0.5; ; wait = Math.min(8, 2 * wait)) {
    try {
      const response = await fetch(address, options);
      if (response.status < 500 && response.status !== 429) return response;
    } catch {
      // no connection
    }
    showHint(texts.retrying, true);
    await sleep(wait);
  }
}

function loadClip(name) {
  if (!clipUrls.has(name)) {
    const address = `${prefix}clip?${query}&c=${encodeURIComponent(name)}`;
    const url = fetch(address).then(async (response) => {
      if (!response.ok) throw new Error(`clip ${response.status}`);
      return URL.createObjectURL(await response.blob());
    });
    url.catch(() => clipUrls.delete(name));
    clipUrls.set(name, url);
  }
  return clipUrls.get(name);
}

function releaseClips(keptNames) {
  for (const [name, url] of clipUrls) {
    if (keptNames.has(name)) continue;
    clipUrls.delete(name);
    url.then((objectUrl) => URL.revokeObjectURL(objectUrl), () => {});
  }
}

function createFigure(slot) {
  const figure = document.createElement("figure");
  figure.dataset.slot = slot;
  const video = document.createElement("video");
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.preload = "auto";
  video.setAttribute("aria-label", texts[slot]);
  const caption = document.createElement("figcaption");
  caption.textContent = texts[slot];
  const button = document.createElement("button");
  button.type = "button";
  button.className = "one";
  button.setAttribute("aria-label", `${texts.play_one}: ${texts[slot]}`);
  button.addEventListener("click", () => play([[slot]]));
  video.addEventListener("click", () => play([[slot]]));
  video.addEventListener("ended", () => countPlay(slot));
  figure.append(video, caption, button);
  videos[slot] = video;
  return figure;
}

async function showTrial(trial) {
  if (!trial) return location.reload();
  currentTrial = trial;
  videos = {};
  plays = {};
  playback = null;
  answerKey = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  element("answers").reset();
  showPart(trial);
  element("choices").disabled = element("play").disabled = element("next").disabled = true;
  element("question").textContent = trial.question;
  element("practice").hidden = !trial.practice;
  element("bar").max = trial.total;
  element("bar").value = trial.position - 1;
  element("count").textContent = texts.progress.replace("{done}", trial.position).replace("{total}", trial.total);
  const slots = trial.clips.map((clip) => clip.slot);
  element("clips").dataset.count = slots.length;
  element("clips").replaceChildren(...slots.map(createFigure));
  showHint(texts.loading);
  element(element("part").hidden ? "question" : "part-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  releaseClips(new Set([...trial.clips.map((clip) => clip.clip), ...trial.next]));
  try {
    const urls = await Promise.all(trial.clips.map((clip) => loadClip(clip.clip)));
    if (currentTrial !== trial) return;
    slots.forEach((slot, index) => (videos[slot].src = urls[index]));
  } catch {
    return showHint(texts.failed_video, true);
  }
  element("play").disabled = false;
  showHint(texts.watch_first);
  update();
  for (const name of trial.next) loadClip(name).catch(() => {});
}

// A new question is announced before its first trial.
function showPart({ block, question, practice }) {
  const isAnnounced = block.starts && block.count > 1;
  element("part").hidden = !isAnnounced;
  element("task").hidden = isAnnounced;
  const numbers = texts.part_count.replace("{number}", block.number).replace("{count}", block.count);
  element("part-count").textContent = numbers;
  element("part-title").textContent = block.title;
  element("part-question").textContent = question;
  element("part-practice").hidden = !practice;
}

function beginPart() {
  element("part").hidden = true;
  element("task").hidden = false;
  element("question").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

function play(steps) {
  // Plays groups of slots, one group after the other; the slots of a group play together.
  if (element("play").disabled) return;
  stop();
  playback = { steps: steps.map((step) => [...step]), left: new Set() };
  playNextStep();
}

function playNextStep() {
  const slots = playback?.steps.shift();
  if (!slots) {
    playback = null;
    return update();
  }
  playback.left = new Set(slots);
  const audible = slots.includes("left") ? "left" : slots[0];
  for (const slot of slots) {
    const video = videos[slot];
    video.currentTime = 0;
    video.muted = slot !== audible;
  }
  lockstep = new Lockstep(videos[audible], slots.filter((slot) => slot !== audible).map((slot) => videos[slot]));
  lockstep.start().catch((error) => {
    if (error.name !== "AbortError") showHint(texts.failed_video, true);
  });
  update();
}

function stop() {
  playback = null;
  lockstep?.stop();
  update();
}

function togglePlayback() {
  if (playback) return stop();
  const slots = Object.keys(videos);
  play(mode() === "together" ? [slots] : slots.map((slot) => [slot]));
}

function countPlay(slot) {
  plays[slot] = (plays[slot] ?? 0) + 1;
  if (bothWatched() && element("choices").disabled) {
    element("choices").disabled = false;
    showHint(texts.choose_now);
  }
  playback?.left.delete(slot);
  if (playback && playback.left.size === 0) playNextStep();
  update();
}

function update() {
  const playText = Object.keys(videos).length === 2 ? texts.play_both : texts.play_all;
  element("play").textContent = playback ? texts.pause : bothWatched() ? texts.play_again : playText;
  element("play").classList.toggle("primary", !bothWatched());
  const onlySlot = playback && playback.left.size === 1 ? [...playback.left][0] : "";
  for (const figure of element("clips").children) {
    figure.classList.toggle("playing", playback?.left.has(figure.dataset.slot) ?? false);
    figure.classList.toggle("seen", plays[figure.dataset.slot] > 0);
  }
  element("clips").dataset.solo = mode() === "in turn" ? onlySlot : "";
  if (ratingPoints) {
    element("rating").disabled = !needsRating();
    if (!needsRating()) for (const point of root.querySelectorAll("[name=rating]")) point.checked = false;
  }
  element("next").disabled = sending || !isComplete() || !bothWatched();
}

// Says after each choice what is still missing.
function showNextStep() {
  update();
  if (!sending) showHint(isComplete() ? texts.go_next : chosenAnswer() ? texts.rate_now : texts.choose_now);
}

async function send() {
  if (element("next").disabled) return;
  sending = true;
  stop();
  showHint(texts.saving);
  const body = JSON.stringify({
    s: study, p: token, position: currentTrial.position, key: answerKey, answer: chosenAnswer(), mode: mode(),
    plays_left: plays.left, plays_right: plays.right, rating: Number(chosenRating() ?? 0),
  });
  const headers = { "Content-Type": "application/json" };
  const response = await fetchWithRetry(`${prefix}answer?n=${currentTrial.position}`, { method: "POST", headers, body });
  sending = false;
  if (!response.ok) return location.reload();
  await showTrial((await response.json()).screen);
}

element("part-begin").addEventListener("click", beginPart);
element("play").addEventListener("click", togglePlayback);
element("answers").addEventListener("change", showNextStep);
element("answers").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
for (const option of root.querySelectorAll("[name=mode]")) {
  option.checked = option.value === root.dataset.mode;
  option.addEventListener("change", stop);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !element("part").hidden) return;
  const tag = event.target.tagName;
  const isControl = ["BUTTON", "SUMMARY", "A"].includes(tag) || ["mode", "rating"].includes(event.target.name);
  if (event.key === " " && !isControl) {
    togglePlayback();
  } else if ("123".includes(event.key) && !element("choices").disabled) {
    const option = root.querySelectorAll("[name=answer]")[event.key - 1];
    if (!option) return;
    option.checked = true;
    option.focus();
    showNextStep();
  } else if (event.key === "Enter" && !isControl) {
    send();
  } else {
    return;
  }
  event.preventDefault();
});

fetchWithRetry(`${prefix}screen?${query}`).then(async (response) => {
  if (response.ok) return showTrial((await response.json()).screen);
  showHint(texts.failed_video, true);
});
