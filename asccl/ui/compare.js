// The handle is an ordinary range input over the images, so that mouse, touch, keyboard and screen readers can use it.
let position = null;

function moveDivider() {
  const handle = element.querySelector('input[type="range"]');
  if (handle) handle.closest(".compare").style.setProperty("--at", `${handle.value}%`);
}

element.addEventListener("input", (event) => {
  position = event.target.value;
  moveDivider();
});
watch("value", () => {
  const handle = element.querySelector('input[type="range"]');
  if (handle && position !== null) handle.value = position;
  moveDivider();
});
