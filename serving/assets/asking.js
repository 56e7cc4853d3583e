// Asks the model what the form says, through the interface that programs use, and shows the answer.

import { drawnPixels } from "./drawing.js";
import { showAnswer, showTrouble } from "./answers.js";

const form = document.getElementById("ask");
const answer = document.getElementById("answer");
const drawing = form.dataset.picture ? drawnPixels(form) : null;
const nothingYet = [...answer.childNodes];
let asked = 0;

function valueOf(field) {
  const choice = field.selectedOptions?.[0];
  const unknown = choice ? choice.hasAttribute("data-unknown") : field.value === "" && !field.required;
  if (unknown) return null;
  if (field.dataset.kind === "number" || field.dataset.kind === "integer") return Number(field.value);
  return field.dataset.kind === "truth" ? field.value === "true" : field.value;
}

function row() {
  if (drawing) {
    const pixels = drawing();
    const columns = JSON.parse(form.dataset.picture);
    return pixels && Object.fromEntries(columns.map((name, place) => [name, pixels[place]]));
  }
  const fields = [...form.querySelectorAll("[data-kind]")];
  return Object.fromEntries(fields.map((field) => [field.name, valueOf(field)]));
}

async function ask() {
  const instance = row();
  if (!instance) return showTrouble(answer, "Draw something first.");
  const turn = ++asked;
  const label = document.getElementById("label")?.value ?? "champion";
  const body = { instances: [instance] };
  const level = document.getElementById("level")?.value;
  if (level) body.interval = Number(level);
  answer.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(`${form.dataset.address}/labels/${label}:predict`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const found = await response.json();
    if (turn !== asked) return undefined; // a later question was asked meanwhile
    return response.ok ? showAnswer(answer, found, body.interval) : showTrouble(answer, found.error);
  } catch {
    return turn === asked ? showTrouble(answer, "The server did not answer. Is it still running?") : undefined;
  } finally {
    if (turn === asked) answer.removeAttribute("aria-busy");
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await ask();
  answer.scrollIntoView({ block: "nearest" }); // on a phone it stands below the form
});
form.addEventListener("drawn", ask);
form.addEventListener("reset", () => {
  asked += 1; // an answer that is still to come is to nothing any more
  answer.removeAttribute("aria-busy");
  answer.replaceChildren(...nothingYet);
});
