// Uploads a chosen or dropped file, and replaces the previous one. The hidden file widget gets it by the event "chosen".
const part = (name) => element.querySelector(`[data-part="${name}"]`);
let request = null;

function showError(text) {
  part("upload-progress").hidden = true;
  part("upload-error").textContent = text;
  part("upload-error").hidden = !text;
}

function megabytes(bytes) {
  return `${Math.max(1, Math.round(bytes / 2 ** 20))} MB`;
}

function refusal(status) {
  if (status === 413) return `This file is larger than ${megabytes(props.max_bytes)}: cut it, or choose a smaller one.`;
  if (status === 429) return "Too many uploads at once: wait for one to end.";
  return "The upload did not arrive: check the connection and try again.";
}

function finish(file, status, answer) {
  request = null;
  if (status !== 200) return showError(refusal(status));
  const { root, api_prefix: prefix } = window.gradio_config;
  const [path] = JSON.parse(answer);
  window.ascclFiles ??= {};
  window.ascclFiles[props.box] = {
    path, url: `${root}${prefix}/file=${path}`, orig_name: file.name, size: file.size,
    mime_type: file.type || null, meta: { _type: "gradio.FileData" },
  };
  part("upload-progress").hidden = true;
  trigger("chosen");
}

function send(file) {
  if (!file) return;
  if (file.size > props.max_bytes) return showError(`${file.name} has ${megabytes(file.size)}. ${refusal(413)}`);
  showError("");
  request?.abort();
  const body = new FormData();
  body.append("files", file);
  const current = new XMLHttpRequest();
  request = current;
  const bar = part("upload-progress");
  bar.hidden = false;
  current.upload.onprogress = (event) => {
    bar.value = event.lengthComputable ? (100 * event.loaded) / event.total : 0;
  };
  current.onload = () => finish(file, current.status, current.responseText);
  current.onerror = () => finish(file, 0, "");
  const { root, api_prefix: prefix } = window.gradio_config;
  current.open("POST", `${root}${prefix}/upload`);
  current.send(body);
}

function playFile() {
  const dialog = part("file-dialog");
  const video = dialog.querySelector("video");
  video.src = props.value.file.url;
  video.onerror = () => (dialog.querySelector("p").hidden = false);
  dialog.querySelector("p").hidden = true;
  dialog.onclose = () => video.pause();
  dialog.showModal();
  video.play().catch(() => null);
}

element.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  send(event.target.files[0]);
  event.target.value = ""; // the same file can be chosen again
});
element.addEventListener("click", (event) => {
  const name = event.target.closest("button")?.dataset.part;
  if (name === "replace-file") element.querySelector("input[type=file]").click();
  if (name === "play-file") playFile();
  if (name === "remove-file") {
    showError("");
    trigger("removed");
  }
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  element.addEventListener(name, (event) => {
    event.preventDefault();
    element.firstElementChild.classList.toggle("is-target", name === "dragenter" || name === "dragover");
    if (name === "drop") send(event.dataTransfer.files[0]);
  });
}
