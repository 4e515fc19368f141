// A click on a link selects it; the page of a running job reloads itself; deleting asks for confirmation. Links begin
// with the address at which the browser reached this page, which contains the prefix of a proxy.
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
