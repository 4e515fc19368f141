// The handle is an ordinary range input over the pictures: mouse, touch, keyboard and screen readers know it.
function place() {
  const handle = element.querySelector('input[type="range"]');
  if (handle) handle.closest(".compare").style.setProperty("--at", `${handle.value}%`);
}
let at = null;
element.addEventListener("input", (event) => {
  at = event.target.value;
  place();
});
watch("value", () => {
  const handle = element.querySelector('input[type="range"]');
  if (handle && at !== null) handle.value = at;
  place();
});
