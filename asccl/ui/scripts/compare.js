// The handle is an ordinary range input over the images, so that mouse, touch, keyboard and screen readers can use it.
let position = null; // chosen by the person; null is the middle of the face
let isWhole = false;

function update() {
  for (const view of element.querySelectorAll(".compare")) {
    const handle = view.querySelector('input[type="range"]');
    if (position !== null) handle.value = position;
    view.style.setProperty("--at", `${handle.value}%`);
  }
  const button = element.querySelector("[data-part=view]");
  button?.setAttribute("aria-pressed", isWhole);
  button?.parentElement.classList.toggle("is-whole", isWhole);
}

element.addEventListener("input", (event) => {
  position = event.target.value;
  update();
});
element.addEventListener("click", (event) => {
  if (event.target.dataset.part !== "view") return;
  isWhole = !isWhole;
  position = null;
  for (const handle of element.querySelectorAll("input")) handle.value = handle.getAttribute("value");
  update();
});
watch("value", update);
