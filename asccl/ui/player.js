// Two videos, one set of controls. The edited one leads: it carries the sound, the original follows it, muted.
const find = (name) => element.querySelector(`[data-part="${name}"]`);
const pair = () => [find("edited"), find("source")];
const clock = (t) => `${Math.floor(t / 60)}:${String(Math.floor(t % 60)).padStart(2, "0")}.${Math.floor((t % 1) * 10)}`;
let seeking = false;
let wanted = false;

function paint() {
  const [lead] = pair();
  if (!lead) return;
  const total = Number.isFinite(lead.duration) ? lead.duration : 0;
  if (!seeking) find("seek").value = total ? (1000 * lead.currentTime) / total : 0;
  find("seek").setAttribute("aria-valuetext", `${lead.currentTime.toFixed(1)} of ${total.toFixed(1)} seconds`);
  find("clock").textContent = `${clock(lead.currentTime)} / ${clock(total)}`;
  find("play").dataset.state = wanted ? "playing" : "paused";
  find("play").setAttribute("aria-label", wanted ? "Pause" : "Play");
  find("sound").dataset.state = lead.muted ? "off" : "on";
  find("sound").setAttribute("aria-label", lead.muted ? "Turn the sound on" : "Turn the sound off");
  find("pace").textContent = `${lead.playbackRate}×`;
}

function follow() {
  const [lead, other] = pair();
  if (!lead || !other || other.error || other.readyState < 1) return;
  const drift = lead.currentTime - other.currentTime;
  if (lead.paused || Math.abs(drift) > 0.25) {
    if (Math.abs(drift) > 0.005) other.currentTime = lead.currentTime;
  } else {
    other.playbackRate = lead.playbackRate * (1 + Math.max(-0.25, Math.min(0.25, 2 * drift)));
  }
}

function tick() {
  if (!wanted || !element.isConnected) return;
  follow();
  paint();
  requestAnimationFrame(tick);
}

async function play(on) {
  const [lead, other] = pair();
  if (!lead) return;
  wanted = on;
  if (on) {
    if (lead.ended || lead.currentTime >= lead.duration - 0.02) lead.currentTime = 0;
    other.currentTime = lead.currentTime;
    try {
      await Promise.all([lead.play(), other.error ? null : other.play().catch(() => null)]);
    } catch {
      wanted = false;
    }
    requestAnimationFrame(tick);
  } else {
    lead.pause();
    other.pause();
    follow();
  }
  paint();
}

function jump(seconds) {
  const [lead] = pair();
  if (!lead || !Number.isFinite(lead.duration)) return;
  lead.currentTime = Math.max(0, Math.min(lead.duration, seconds));
  follow();
  paint();
}

const pressed = (event, name) => event.target.closest?.(`[data-part="${name}"]`);

element.addEventListener("click", (event) => {
  const [lead] = pair();
  if (!lead) return;
  if (pressed(event, "play") || event.target.tagName === "VIDEO") play(!wanted);
  if (pressed(event, "sound")) lead.muted = !lead.muted;
  if (pressed(event, "pace")) lead.playbackRate = { 1: 0.5, 0.5: 0.25, 0.25: 1 }[lead.playbackRate] ?? 1;
  if (pressed(event, "whole")) {
    const stage = find("player");
    if (document.fullscreenElement) document.exitFullscreen();
    else stage.requestFullscreen?.();
  }
  paint();
});

element.addEventListener("input", (event) => {
  const [lead] = pair();
  if (!pressed(event, "seek") || !lead) return;
  seeking = true;
  jump((event.target.value / 1000) * (lead.duration || 0));
});
element.addEventListener("change", (event) => {
  if (pressed(event, "seek")) seeking = false;
});

element.addEventListener("keydown", (event) => {
  const [lead] = pair();
  if (!lead || event.ctrlKey || event.metaKey || event.altKey) return;
  const inSeek = pressed(event, "seek");
  const onButton = event.target.tagName === "BUTTON";
  const keys = {
    " ": () => !onButton && play(!wanted),
    k: () => play(!wanted),
    m: () => (lead.muted = !lead.muted),
    ArrowLeft: () => jump(lead.currentTime - (inSeek ? 0.1 : 1)),
    ArrowRight: () => jump(lead.currentTime + (inSeek ? 0.1 : 1)),
    Home: () => jump(0),
    End: () => jump(lead.duration),
  };
  const action = keys[event.key];
  if (!action || (event.key === " " && onButton)) return;
  action();
  event.preventDefault();
  paint();
});

// Media events do not bubble: listen on the way down.
for (const name of ["timeupdate", "loadedmetadata", "volumechange", "ratechange", "seeked"]) {
  element.addEventListener(name, (event) => event.target === pair()[0] && (follow(), paint()), true);
}
element.addEventListener("pause", (event) => {
  const [lead, other] = pair();
  if (event.target === lead && wanted && !lead.ended) play(false);
  if (event.target === lead && lead.ended) other?.pause();
}, true);
element.addEventListener("ended", (event) => event.target === pair()[0] && play(false), true);
element.addEventListener("error", (event) => {
  if (event.target.tagName === "VIDEO") event.target.closest("figure").dataset.broken = "yes";
}, true);

watch("value", () => {
  wanted = false;
  const [lead, other] = pair();
  for (const video of [lead, other]) video?.load();
  if (other) other.muted = true;
  for (const figure of element.querySelectorAll("figure")) delete figure.dataset.broken;
  paint();
});
