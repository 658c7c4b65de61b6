// Calculates while one types. Without this file the button asks the server.

const form = document.querySelector("#calculator form");
const output = form.querySelector("output");
const perMinute = Number(form.dataset.octetsPerMinute);
const units = ["B", "KB", "MB", "GB", "TB", "PB"];

function count(value) {
  return value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
}

function size(octets) {
  let unit = 0;
  while (octets >= 999.5 && unit < units.length - 1) {
    octets /= 1000;
    unit += 1;
  }
  const places = unit === 0 || octets >= 99.95 ? 0 : 1;
  return `${count(Number(octets.toFixed(places)))} ${units[unit]}`;
}

form.addEventListener("input", () => {
  const { minutes, days } = form.elements;
  if (!minutes.validity.valid || !days.validity.valid) {
    output.textContent = "";
    return;
  }
  const day = minutes.valueAsNumber * perMinute;
  output.textContent = form.dataset.result
    .replace("{day}", size(day))
    .replace("{total}", size(day * days.valueAsNumber))
    .replace("{days}", count(days.valueAsNumber));
});
