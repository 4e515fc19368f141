// Stores the personal link in this browser, so that the page of the open link can offer it; plays the beeps of the check.
{
  const { study, token, keep } = document.currentScript.dataset;
  const name = `asccl-study-${study}`;
  try {
    if (keep) localStorage.setItem(name, token);
    const storedToken = localStorage.getItem(name);
    const again = document.getElementById("again");
    if (again && storedToken) {
      again.hidden = false;
      again.querySelector("a").href = `study?s=${encodeURIComponent(study)}&p=${encodeURIComponent(storedToken)}`;
      const joinButton = document.getElementById("new");
      joinButton.textContent = joinButton.dataset.other;
      joinButton.classList.remove("primary");
      again.querySelector("a").classList.add("primary");
    }
  } catch {
    // The browser stores nothing: the link in the address still works.
  }
  document.getElementById("sound")?.addEventListener("click", (event) => new Audio(event.target.dataset.src).play());
  document.querySelector("footer form")?.addEventListener("submit", () => {
    try {
      localStorage.removeItem(name);
    } catch {
      // nothing was stored
    }
  });
}
