// Plays a recording in the page. Without this file the loudspeaker is a link to the audio.

import { canFollow, follow } from "./follow.js";

const player = document.getElementById("player");
const audio = document.getElementById("audio");
const title = document.getElementById("player-title");
const failed = document.getElementById("player-failed");
const buttons = [...document.querySelectorAll("a.play")];

let current = null;
let following = null;

function show(button) {
  for (const other of buttons) {
    const playing = other === button && !audio.paused;
    other.setAttribute("aria-pressed", String(playing));
    other.closest("tr").classList.toggle("playing", other === button);
  }
}

function load(button) {
  following?.abort();
  following = null;
  current = button;
  failed.hidden = true;
  player.hidden = false;
  document.body.classList.add("with-player");
  title.textContent = button.dataset.title;
  if ("live" in button.dataset && canFollow()) {
    following = new AbortController();
    follow(audio, button.href, following.signal).catch(fail);
  } else {
    audio.src = button.href;
  }
}

function fail(error) {
  // Another button was pressed before this one had begun: nothing is wrong.
  if (error.name !== "AbortError") failed.hidden = false;
}

async function play(button) {
  // What was running when it was pressed first may have its whole file by now.
  const over = audio.ended && "live" in button.dataset;
  if (button !== current || audio.error || over) load(button);
  await audio.play().catch(fail);
}

function press(button) {
  if (button === current && !audio.paused) audio.pause();
  else play(button);
}

function close() {
  const button = current;
  current = null;
  following?.abort();
  following = null;
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  player.hidden = true;
  document.body.classList.remove("with-player");
  show(null);
  button?.focus();
}

for (const button of buttons) {
  button.setAttribute("role", "button");
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", (event) => {
    // With a key held down the browser's own meaning of a link stays.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    press(button);
  });
  button.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    press(button);
  });
}

for (const name of ["play", "pause", "ended"]) {
  audio.addEventListener(name, () => show(current));
}
audio.addEventListener("error", () => {
  if (current) failed.hidden = false;
});

document.getElementById("player-close").addEventListener("click", close);
document.addEventListener("keydown", (event) => {
  if (player.hidden || event.target.closest("input, select, textarea")) return;
  if (event.key === "Escape") close();
  else if (event.target === audio) return; // its own keys
  else if (event.key === "ArrowLeft") audio.currentTime = Math.max(0, audio.currentTime - 5);
  else if (event.key === "ArrowRight") audio.currentTime += 5;
});
