// A click on a link selects it; a job's page looks again; deleting asks first.
// Links begin where this page was reached, whatever proxy is before it.
for (const link of document.querySelectorAll(".link")) {
  link.value = new URL("../../study", location.href.split("?")[0]) + link.value.slice(link.value.indexOf("?"));
  link.addEventListener("focus", () => link.select());
}
for (const form of document.querySelectorAll("[data-ask]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.ask)) event.preventDefault();
  });
}
if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1500);
