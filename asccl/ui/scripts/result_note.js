// Says when the settings are no longer those of the shown result, and when its emotion came out weak.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
document.addEventListener("asccl-state", () => {
  const changes = window.asccl.changes();
  part("changed").hidden = !changes.length;
  part("names").textContent = changes.join(", ");
  const weak = window.asccl.shown?.weak;
  part("weak").hidden = !weak;
  part("reason").textContent = weak ?? "";
  part("stronger").hidden = !window.asccl.shown?.stronger;
});
element.addEventListener("click", (event) => {
  const name = event.target.closest("button")?.dataset.part;
  if (name === "again") trigger("again");
  if (name === "stronger") trigger("stronger");
});
