// Shows an answer: a number with its interval, or classes with their probabilities.

const MOST_BARS = 10;
const MOST_FLAGS = 4;

function make(kind, className, text = "") {
  const element = document.createElement(kind);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function percent(share) {
  return share.toLocaleString(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function cases(level) {
  return `${(100 * level).toLocaleString(undefined, { maximumFractionDigits: 1 })} of 100 such cases`;
}

// As many decimals as tell a thousandth of what the training rows spanned.
function figure(value, ends) {
  const span = ends && ends[1] > ends[0] ? ends[1] - ends[0] : Math.abs(value) || 1;
  const decimals = Math.min(12, Math.max(0, 3 - Math.floor(Math.log10(span))));
  return value.toLocaleString(undefined, { maximumFractionDigits: decimals });
}

// Where a value stands between the ends of training, and its interval where there is one.
function scale(value, between, ends) {
  const [from, to] = ends;
  const place = (number) => Math.min(100, Math.max(0, (100 * (number - from)) / (to - from)));
  const track = make("div", "track");
  track.setAttribute("aria-hidden", "true");
  if (between) {
    const band = track.appendChild(make("i"));
    band.style.left = `${place(between[0])}%`;
    band.style.width = `${place(between[1]) - place(between[0])}%`;
  }
  track.appendChild(make("b")).style.left = `${place(value)}%`;
  const words = make("div", "ends");
  words.append(make("small", "", figure(from, ends)), make("small", "", `${figure(to, ends)} in training`));
  return [track, words];
}

function number(found, ends, level) {
  const plain = typeof found === "number";
  const value = plain ? found : found.prediction;
  const between = plain ? null : [found.low, found.high];
  const shown = [make("p", "estimate", figure(value, ends))];
  if (between) {
    const words = between.map((end) => figure(end, ends)).join(" to ");
    shown.push(make("p", "between", `${words} in ${cases(level)}`));
  }
  if (ends && ends[1] > ends[0]) shown.push(...scale(value, between, ends));
  return shown;
}

function chances(probabilities, classes, chosen) {
  const list = make("ul", "chances");
  const order = classes.map((name, place) => [name, probabilities[place]]).sort((one, other) => other[1] - one[1]);
  for (const [name, share] of order.slice(0, MOST_BARS)) {
    const line = list.appendChild(make("li", name === chosen ? "first" : ""));
    const bar = make("span", "bar");
    bar.appendChild(make("i")).style.width = `${100 * share}%`;
    line.append(make("span", "", String(name)), bar, make("span", "share", percent(share)));
  }
  return list;
}

// A classifier without probabilities answers the class alone.
function classed(found, classes, level) {
  const { class: chosen, set, probabilities } = typeof found === "object" ? found : { class: found };
  const shown = [make("p", "estimate", String(chosen))];
  if (set) {
    shown.push(make("p", "between", `In ${cases(level)} it is ${set.join(" or ")}.`));
  }
  if (probabilities) shown.push(chances(probabilities, classes, chosen));
  return shown;
}

function flagged(flags) {
  const list = make("ul", "flags");
  for (const { column, value, trained_on: [low, high] } of flags.slice(0, MOST_FLAGS)) {
    list.append(make("li", "", `${column} = ${value} is outside what the model has seen (${low} to ${high}).`));
  }
  if (flags.length > MOST_FLAGS) list.append(make("li", "", `So are ${flags.length - MOST_FLAGS} more values.`));
  return list;
}

export function showAnswer(section, { predictions: [found], flags = [], model_version: version }, level) {
  const { target, classes, ends } = section.dataset;
  const labels = JSON.parse(classes);
  const shown = labels.length ? classed(found, labels, level) : number(found, JSON.parse(ends), level);
  if (flags.length) shown.push(flagged(flags));
  section.replaceChildren(make("p", "what", target), ...shown, make("p", "by empty", `Answered by version ${version}.`));
}

export function showTrouble(section, sentence) {
  section.replaceChildren(make("p", "trouble", sentence));
}
