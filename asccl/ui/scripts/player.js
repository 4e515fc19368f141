// One set of controls for two videos. The edited video is the main one and has the sound; the muted original follows it.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const videos = () => [part("edited"), part("source")];
const formatTime = (t) => `${Math.floor(t / 60)}:${String(Math.floor(t % 60)).padStart(2, "0")}.${Math.floor((t % 1) * 10)}`;
let isSeeking = false;
let isPlaying = false;
let isLooping = true;
let view = "both"; // beside each other (below each other on a phone), wiped, or one alone
let wipe = 50; // percent of the picture that shows the source

function updateControls() {
  const [edited] = videos();
  if (!edited) return;
  const total = Number.isFinite(edited.duration) ? edited.duration : 0;
  if (!isSeeking) part("seek").value = total ? (1000 * edited.currentTime) / total : 0;
  part("seek").setAttribute("aria-valuetext", `${edited.currentTime.toFixed(1)} of ${total.toFixed(1)} seconds`);
  part("clock").textContent = `${formatTime(edited.currentTime)} / ${formatTime(total)}`;
  part("play").dataset.state = isPlaying ? "playing" : "paused";
  part("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  part("sound").dataset.state = edited.muted ? "off" : "on";
  part("sound").setAttribute("aria-label", edited.muted ? "Turn the sound on" : "Turn the sound off");
  part("speed").textContent = `${edited.playbackRate}×`;
  part("loop").setAttribute("aria-pressed", isLooping);
  part("player").dataset.view = view;
  for (const button of element.querySelectorAll("[data-view]:not(.player)")) {
    button.setAttribute("aria-pressed", button.dataset.view === view);
  }
  part("wipe").value = wipe;
  part("player").style.setProperty("--at", `${wipe}%`);
  for (const video of videos()) {
    if (video.videoWidth) video.parentElement.style.setProperty("--own-ratio", video.videoWidth / video.videoHeight);
  }
  if (edited.videoWidth) part("player").style.setProperty("--ratio", edited.videoWidth / edited.videoHeight);
}

function synchronize() {
  const [edited, source] = videos();
  if (!edited || !source || source.error || source.readyState < 1) return;
  const drift = edited.currentTime - source.currentTime;
  if (edited.paused || Math.abs(drift) > 0.25) {
    if (Math.abs(drift) > 0.005) source.currentTime = edited.currentTime;
  } else {
    source.playbackRate = edited.playbackRate * (1 + Math.max(-0.25, Math.min(0.25, 2 * drift)));
  }
}

function onFrame() {
  if (!isPlaying || !element.isConnected) return;
  synchronize();
  updateControls();
  requestAnimationFrame(onFrame);
}

async function setPlaying(shouldPlay) {
  const [edited, source] = videos();
  if (!edited) return;
  isPlaying = shouldPlay;
  if (shouldPlay) {
    if (edited.ended || edited.currentTime >= edited.duration - 0.02) edited.currentTime = 0;
    source.currentTime = edited.currentTime;
    try {
      await Promise.all([edited.play(), source.error ? null : source.play().catch(() => null)]);
    } catch {
      isPlaying = false;
    }
    requestAnimationFrame(onFrame);
  } else {
    edited.pause();
    source.pause();
    synchronize();
  }
  updateControls();
}

function seek(seconds) {
  const [edited] = videos();
  if (!edited || !Number.isFinite(edited.duration)) return;
  edited.currentTime = Math.max(0, Math.min(edited.duration, seconds));
  synchronize();
  updateControls();
}

const isFrom = (event, name) => event.target.closest?.(`[data-part="${name}"]`);

element.addEventListener("click", (event) => {
  const [edited] = videos();
  if (!edited) return;
  if (isFrom(event, "play") || event.target.tagName === "VIDEO") setPlaying(!isPlaying);
  if (isFrom(event, "loop")) isLooping = !isLooping;
  view = event.target.closest("button[data-view]")?.dataset.view ?? view;
  if (isFrom(event, "sound")) edited.muted = !edited.muted;
  if (isFrom(event, "speed")) edited.playbackRate = { 1: 0.5, 0.5: 0.25, 0.25: 1 }[edited.playbackRate] ?? 1;
  if (isFrom(event, "fullscreen")) {
    const player = part("player");
    if (document.fullscreenElement) document.exitFullscreen();
    else player.requestFullscreen?.();
  }
  updateControls();
});

element.addEventListener("input", (event) => {
  const [edited] = videos();
  if (isFrom(event, "wipe")) {
    wipe = event.target.value;
    updateControls();
  }
  if (!isFrom(event, "seek") || !edited) return;
  isSeeking = true;
  seek((event.target.value / 1000) * (edited.duration || 0));
});
element.addEventListener("change", (event) => {
  if (isFrom(event, "seek")) isSeeking = false;
});

element.addEventListener("keydown", (event) => {
  const [edited] = videos();
  if (!edited || event.ctrlKey || event.metaKey || event.altKey || isFrom(event, "wipe")) return;
  const inSeek = isFrom(event, "seek");
  const onButton = event.target.tagName === "BUTTON";
  const keys = {
    " ": () => !onButton && setPlaying(!isPlaying),
    k: () => setPlaying(!isPlaying),
    m: () => (edited.muted = !edited.muted),
    ArrowLeft: () => seek(edited.currentTime - (inSeek ? 0.1 : 1)),
    ArrowRight: () => seek(edited.currentTime + (inSeek ? 0.1 : 1)),
    Home: () => seek(0),
    End: () => seek(edited.duration),
  };
  const action = keys[event.key];
  if (!action || (event.key === " " && onButton)) return;
  action();
  event.preventDefault();
  updateControls();
});

// Media events do not bubble: listen on the way down.
for (const name of ["timeupdate", "loadedmetadata", "volumechange", "ratechange", "seeked"]) {
  element.addEventListener(name, (event) => {
    if (event.target === videos()[0]) synchronize();
    if (videos().includes(event.target)) updateControls();
  }, true);
}
element.addEventListener("pause", (event) => {
  const [edited, source] = videos();
  if (event.target === edited && isPlaying && !edited.ended) setPlaying(false);
  if (event.target === edited && edited.ended) source?.pause();
}, true);
element.addEventListener("ended", (event) => event.target === videos()[0] && setPlaying(isLooping), true);
element.addEventListener("error", (event) => {
  if (event.target.tagName === "VIDEO") event.target.closest("figure").dataset.broken = "yes";
}, true);

watch("value", () => {
  isPlaying = false;
  const [edited, source] = videos();
  for (const video of [edited, source]) video?.load();
  if (source) source.muted = true;
  for (const figure of element.querySelectorAll("figure")) delete figure.dataset.broken;
  updateControls();
});
