// Shows texts that are written at run time, by the server and by the scripts of the page, in the language of the browser.
// Gradio's own i18n translates the labels. A table maps English texts to translations; {1}, {2} ... stand for any words,
// which are translated as well where the table has them.
(() => {
  const ATTRIBUTES = ["aria-label", "aria-valuetext", "title", "alt", "placeholder"];
  const SKIPPED = "script, style, code, pre, textarea, [translate=no]";
  const MAX_DEPTH = 4; // of words within words
  const MAX_TRANSLATIONS = 3000; // remembered at a time
  const MIN_LETTERS = 12; // of a template that may stand around any words
  const MAX_WORDS = 3; // in each gap of a shorter one, such as numbers and names, unless the table has the whole
  const HAS_LETTERS = /\p{L}{2}/u;
  const DECIMAL = /(?<![\w.])(\d+)\.(\d+)(?![\w.]*\w)/g; // no part of a name such as talk-1.5.mp4
  const PERCENT = /(\d)%/g;
  const code = navigator.language.split("-")[0].toLowerCase();
  if (!(window.ascclLanguages ?? []).includes(code)) return;
  const point = (0.5).toLocaleString(navigator.language)[1];
  const percent = (0).toLocaleString(navigator.language, { style: "percent" }).slice(1); // with a space in German
  let table = new Map();
  let templates = [];
  const translations = new Map();

  function compile(text) {
    const literal = text.replace(/\{\d\}/g, "");
    const names = [...text.matchAll(/\{(\d)\}/g)].map(([, name]) => name);
    const pattern = text.split(/\{\d\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("(.+?)");
    const letters = literal.replace(/\P{L}/gu, "").length;
    return { regex: new RegExp(`^${pattern}$`, "su"), names, letters, translation: table.get(text) };
  }

  function fill({ regex, names, letters, translation }, text, depth) {
    const match = text.match(regex);
    if (!match) return null;
    const words = match.slice(1).map((part) => [part, translate(part, depth + 1)]);
    const isKnown = ([, translated]) => translated !== null;
    const isForeign = ([part]) => {
      const parts = part.trim().split(/\s+/);
      return parts.length <= MAX_WORDS && !parts.some((word) => table.has(word));
    };
    if (!letters && !words.some(isKnown)) return null;
    if (letters < MIN_LETTERS && !words.every((pair) => isKnown(pair) || isForeign(pair))) return null;
    return translation.replace(/\{(\d)\}/g, (_, name) => {
      const [part, translated] = words[names.indexOf(name)];
      return translated ?? part;
    });
  }

  function search(text, depth) {
    if (table.has(text)) return table.get(text);
    const lowered = table.get(text[0].toLowerCase() + text.slice(1));
    if (lowered) return lowered[0].toUpperCase() + lowered.slice(1);
    for (const template of templates) {
      const filled = fill(template, text, depth);
      if (filled !== null) return filled;
    }
    const sentence = text.endsWith(".") ? translate(text.slice(0, -1), depth + 1) : null;
    return sentence === null ? null : `${sentence}.`;
  }

  /** The translation of a text, or null. */
  function translate(text, depth = 0) {
    const trimmed = text.trim().replace(/\s+/g, " ");
    if (depth > MAX_DEPTH || !HAS_LETTERS.test(trimmed)) return null;
    if (!translations.has(trimmed)) {
      if (translations.size > MAX_TRANSLATIONS) translations.clear();
      translations.set(trimmed, search(trimmed, depth));
    }
    const translated = translations.get(trimmed);
    return translated === null ? null : text.match(/^\s*/)[0] + translated + text.match(/\s*$/)[0];
  }

  function translateText(node) {
    if (!node.parentElement || node.parentElement.closest(SKIPPED)) return;
    const translated = (translate(node.data) ?? node.data).replace(DECIMAL, `$1${point}$2`).replace(PERCENT, `$1${percent}`);
    if (translated !== node.data) node.data = translated;
  }

  function translateAttributes(element) {
    if (element.closest(SKIPPED)) return;
    for (const name of ATTRIBUTES) {
      const text = element.getAttribute(name);
      const translated = text && translate(text);
      if (translated && translated !== text) element.setAttribute(name, translated);
    }
  }

  function translateTree(root) {
    if (root.nodeType === Node.TEXT_NODE) return translateText(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = root; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) translateText(node);
      else translateAttributes(node);
    }
  }

  function observe(changes) {
    for (const { type, target, addedNodes } of changes) {
      if (type === "characterData") translateText(target);
      else if (type === "attributes") translateAttributes(target);
      else addedNodes.forEach(translateTree);
    }
  }

  /** The text in the language of the browser, for scripts that lay texts out themselves. */
  window.ascclTranslate = (text) => translate(text) ?? text;

  async function start() {
    const root = (window.gradio_config?.root ?? "").replace(/\/$/, "");
    const answer = await fetch(`${root}/languages/${code}.json`);
    if (!answer.ok) return;
    table = new Map(Object.entries(await answer.json()));
    const literals = [...table.keys()].filter((text) => /\{\d\}/.test(text));
    templates = literals.map(compile).sort((one, other) => other.letters - one.letters);
    document.documentElement.lang = code;
    translateTree(document.body);
    new MutationObserver(observe).observe(document.body, {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES,
    });
  }
  start(); // Gradio adds this script to a page that is complete
})();
