// What one visit keeps in the browser: settings with their history, results, and the key that finds a running edit again.
window.asccl = (() => {
  const STORE = "asccl-visit";
  const NAMES = ["source", "emotion", "reference", "intensity", "start", "end", "face", "variant", "generator", "adapt", "expression", "keyframes", "badge"];
  const LINKED = ["emotion", "intensity", "variant", "generator", "adapt", "badge", "expression"]; // no files and no times of a file
  const MAXIMA = { intensity: 2, variant: 9 };
  const CHOICES = {
    emotion: ["neutral", "angry", "disgusted", "fear", "happy", "sad", "surprised", "reference"],
    generator: ["warp", "ned", "icface"],
  };
  const LABELS = {
    source: "file", emotion: "emotion", reference: "copied expression", intensity: "intensity", start: "start", end: "end",
    face: "face", variant: "version", generator: "method", adapt: "fit to the face", badge: "visible mark",
    expression: "fine control", keyframes: "intensity over time",
  };
  const MERGED_MS = 700; // changes of one setting within this time are one step of the history
  const FILE_SETTINGS = ["start", "end", "face", "keyframes"]; // those that the page itself sets for a new file
  const MAX_ACTION_AGE_MS = 1500; // of a click or a key that can have changed one of them
  const MAX_AGE_MS = 3600e3; // of a result whose file the server still has
  const NOTE_MS = 2500; // for which a short note is shown
  let current = null;
  let defaults = null;
  let history = [];
  let lastAction = 0;
  let lastTimeAction = 0; // of those on start and end, which the page sets for each new file
  let lastPush = 0;
  let saved = {};
  try {
    saved = JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
  } catch {
    saved = {};
  }

  function save(changes) {
    Object.assign(saved, changes);
    for (let kept = saved.results?.length ?? 0; kept >= 0; kept--) {
      try {
        sessionStorage.setItem(STORE, JSON.stringify({ ...saved, results: (saved.results ?? []).slice(-kept || Infinity) }));
        return;
      } catch {
        // the storage is full: try again with fewer results
      }
    }
  }

  const identity = (value) => (value && typeof value === "object" ? value.path : value) ?? null;
  const differing = (one, other) => NAMES.filter((name) => identity(one[name]) !== identity(other[name]));
  const toSettings = (values) => Object.fromEntries(NAMES.map((name, n) => [name, values[n]]));
  const toValues = (settings) => NAMES.map((name) => settings[name]);

  function announce() {
    const undo = document.getElementById("undo");
    if (undo) undo.disabled = !history.length;
    document.dispatchEvent(new CustomEvent("asccl-state"));
  }

  function newKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function parse(name, text) {
    const fallback = defaults[name];
    if (typeof fallback === "boolean") return text === "1";
    if (typeof fallback === "number") return Math.max(0, Math.min(MAXIMA[name], Number(text) || 0));
    return CHOICES[name].includes(text) ? text : fallback;
  }

  const api = {
    shown: null,
    earlierSource: null,

    /** Called once. Returns the settings of a link, or those before a reload, and the key of the visit. */
    begin(...values) {
      defaults = toSettings(values);
      const query = new URLSearchParams(location.search);
      const linked = LINKED.filter((name) => query.has(name)).map((name) => [name, parse(name, query.get(name))]);
      const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
      const restored = isReload ? (saved.settings ?? {}) : {};
      const earlier = Object.fromEntries(LINKED.filter((name) => name in restored).map((name) => [name, restored[name]]));
      api.earlierSource = restored.source ?? null;
      current = { ...defaults, ...earlier, ...Object.fromEntries(linked) };
      if (!isReload) save({ visit: newKey() });
      saved.visit ??= newKey();
      announce();
      return [...LINKED.map((name) => current[name]), saved.visit];
    },

    /** Called after every change of a setting, by the user or by the page. */
    record(...values) {
      const next = toSettings(values);
      if (!current) return;
      const setsTimes = isRecent(lastTimeAction);
      const changed = differing(current, next).filter((name) => setsTimes || (name !== "start" && name !== "end"));
      const byUser = isRecent(lastAction) || changed.some((name) => !FILE_SETTINGS.includes(name));
      if (changed.length && byUser) {
        const top = history.at(-1);
        const isSame = top && Date.now() - lastPush < MERGED_MS && changed.every((name) => name in top);
        if (!isSame) history.push(Object.fromEntries(changed.map((name) => [name, current[name]])));
        lastPush = Date.now();
      }
      current = next;
      save({ settings: current });
      announce();
    },

    undo() {
      const step = history.pop();
      if (step) current = { ...current, ...step };
      announce();
      return toValues(current);
    },

    startOver() {
      history.push({ ...current });
      current = { ...defaults };
      announce();
      return toValues(current);
    },

    /** Copies the link, and says so for a moment. */
    async copyLink() {
      if (!navigator.clipboard) return prompt("The link", api.link()); // only over HTTPS and on one's own machine
      await navigator.clipboard.writeText(api.link());
      const note = document.querySelector("[data-part=copied]");
      note.hidden = false;
      setTimeout(() => (note.hidden = true), NOTE_MS);
    },

    link() {
      const query = new URLSearchParams();
      for (const name of LINKED) {
        const value = current[name];
        if (value !== defaults[name]) query.set(name, typeof value === "boolean" ? Number(value) : value);
      }
      return `${location.origin}${location.pathname}${query.size ? `?${query}` : ""}`;
    },

    /** Names of the settings that no longer are those of the result that is shown. */
    changes() {
      if (!current || !api.shown?.settings) return [];
      return differing(current, { ...current, ...api.shown.settings }).map((name) => LABELS[name]);
    },

    results: () => (saved.results ?? []).filter((item) => Date.now() - item.created < MAX_AGE_MS),
    keepResults: (results) => save({ results }),
    announce,
  };

  function isRecent(time) {
    return Date.now() - time < MAX_ACTION_AGE_MS;
  }

  for (const name of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(name, (event) => {
      if (event.target.closest?.("#control-panel, #faces, #curve-box")) lastAction = Date.now();
      if (event.target.closest?.("#start, #end")) lastTimeAction = Date.now();
    }, true);
  }
  // Gradio gives every radio button a name of its own: the arrow keys move within a group only.
  function groupRadios() {
    for (const group of document.querySelectorAll("fieldset")) {
      for (const radio of group.querySelectorAll("input[type=radio]")) radio.name = `group-${group.id || group.parentElement.id}`;
    }
  }
  new MutationObserver(groupRadios).observe(document.documentElement, { childList: true, subtree: true });
  window.addEventListener("beforeunload", (event) => {
    if (document.querySelector("#status .status.busy")) event.preventDefault();
  });
  showEndpoints();
  return api;

  // Gradio 6 opens its page about the endpoints by its button only, and not at the address that the button writes.
  function showEndpoints() {
    if (new URLSearchParams(location.search).get("view") !== "api") return;
    const observer = new MutationObserver(() => {
      const button = document.querySelector("button.show-api");
      if (!button) return;
      observer.disconnect();
      button.click(); // closes what is not there
      setTimeout(() => button.click(), 50);
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
  }
})();
