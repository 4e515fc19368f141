// A click on a link selects it; the page of a running job reloads itself; deleting asks for confirmation. Links begin
// with the address at which the browser reached this page, which contains the prefix of a proxy.
// The server's own setting (data-fixed) comes before that.
for (const link of document.querySelectorAll(".link")) {
  if (!("fixed" in link.dataset)) {
    link.value = new URL("../../study", location.href.split("?")[0]) + link.value.slice(link.value.indexOf("?"));
  }
  link.addEventListener("focus", () => link.select());
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${link.getAttribute("aria-label")}`);
  button.addEventListener("click", () => copyLink(link, button));
  link.after(button);
}

async function copyLink(link, button) {
  try {
    await navigator.clipboard.writeText(link.value);
  } catch {
    link.select(); // without HTTPS there is no clipboard for pages: this way is older, and works
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
for (const form of document.querySelectorAll("[data-ask]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.ask)) event.preventDefault();
  });
}
if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1500);
// The app of this server offers a new study with its results only to a browser that has logged in here.
localStorage.setItem("asccl-study-admin", "1");
document.querySelector("[action=logout]").addEventListener("submit", () => localStorage.removeItem("asccl-study-admin"));
