// Keeps the personal link in this browser, so that the open link finds it again; plays the beeps of the check.
{
  const { study, token, keep } = document.currentScript.dataset;
  const name = `asccl-study-${study}`;
  try {
    if (keep) localStorage.setItem(name, token);
    const known = localStorage.getItem(name);
    const again = document.getElementById("again");
    if (again && known) {
      again.hidden = false;
      again.querySelector("a").href = `study?s=${encodeURIComponent(study)}&p=${encodeURIComponent(known)}`;
      const other = document.getElementById("new");
      other.textContent = other.dataset.other;
      other.classList.remove("primary");
      again.querySelector("a").classList.add("primary");
    }
  } catch {
    // A browser that keeps nothing: the link in the address still works.
  }
  document.getElementById("sound")?.addEventListener("click", (event) => new Audio(event.target.dataset.src).play());
  document.querySelector("footer form")?.addEventListener("submit", () => {
    try {
      localStorage.removeItem(name);
    } catch {
      // nothing was kept
    }
  });
}
