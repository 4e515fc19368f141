// A click on a link selects it; a job's page looks again; deleting asks first.
for (const link of document.querySelectorAll(".link")) link.addEventListener("focus", () => link.select());
for (const form of document.querySelectorAll("[data-ask]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.ask)) event.preventDefault();
  });
}
if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1500);
