// A drawing becomes a row of pixels as those of the training rows were made: as large, in the middle, as dark.
//
// Strokes are kept as lines, so how large and how thick a person draws does not matter. They are scaled to the height
// of the training pictures (and made no wider), drawn four times as fine as the picture, and counted in squares of
// four by four; the pen is chosen so that the share of ink is that of the training pictures.

const FINE = 4;
const CALM_MILLISECONDS = 350;

function bounds(strokes) {
  const points = strokes.flat();
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

// Gives the strokes in the fine picture for a pen of so many fine pixels.
function fitted(strokes, pen, { side, height, width }) {
  const { left, right, top, bottom } = bounds(strokes);
  const room = { x: Math.max(1, width * FINE - pen), y: Math.max(1, height * FINE - pen) };
  const down = Math.min(room.y / Math.max(bottom - top, 1e-6), (2 * room.x) / Math.max(right - left, 1e-6), 1e4);
  const across = Math.min(down, room.x / Math.max(right - left, 1e-6));
  const middle = (side * FINE) / 2;
  return strokes.map((stroke) =>
    stroke.map(([x, y]) => [middle + across * (x - (left + right) / 2), middle + down * (y - (top + bottom) / 2)]),
  );
}

export function trace(context, strokes, pen) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen;
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) context.lineTo(...point);
    context.stroke();
  }
}

// Gives the share of ink in each pixel.
function shares(context, strokes, pen, picture) {
  const fine = picture.side * FINE;
  context.clearRect(0, 0, fine, fine);
  trace(context, fitted(strokes, pen, picture), pen);
  const { data } = context.getImageData(0, 0, fine, fine);
  const found = new Array(picture.side ** 2).fill(0);
  for (let place = 0; place < fine * fine; place += 1) {
    const pixel = Math.floor(place / fine / FINE) * picture.side + Math.floor((place % fine) / FINE);
    found[pixel] += data[4 * place + 3] / 255 / FINE ** 2;
  }
  return found;
}

function pixelsOf(context, strokes, picture) {
  let [thin, thick] = [1, (picture.height * FINE) / 2];
  for (let round = 0; round < 8; round += 1) {
    const pen = (thin + thick) / 2;
    const ink = shares(context, strokes, pen, picture).reduce((sum, share) => sum + share, 0) / picture.side ** 2;
    if (ink < picture.ink) thin = pen;
    else thick = pen;
  }
  return shares(context, strokes, (thin + thick) / 2, picture).map((share) => Math.round(share * picture.shade));
}

function show(canvas, pixels, picture) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(picture.side, picture.side);
  pixels.forEach((pixel, place) => {
    const grey = 255 - (255 * pixel) / picture.shade;
    image.data.set([grey, grey, grey, 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
}

// Lets a person draw in a form; gives a function that gives the pixels, or null where nothing is drawn.
export function drawnPixels(form) {
  const canvas = document.getElementById("canvas");
  const seen = document.getElementById("seen");
  const said = document.getElementById("pen");
  const picture = Object.fromEntries(Object.entries(canvas.dataset).map(([name, value]) => [name, Number(value)]));
  const finely = Object.assign(document.createElement("canvas"), {
    width: picture.side * FINE,
    height: picture.side * FINE,
  }).getContext("2d", { willReadFrequently: true });
  const step = canvas.width / 20;
  let strokes = [];
  let pen = { x: canvas.width / 2, y: canvas.height / 4, down: false, shown: false };
  let calm;

  function pixels() {
    return strokes.length ? pixelsOf(finely, strokes, picture) : null;
  }

  function paint() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = "#191917";
    trace(context, strokes, canvas.width / 14);
    if (pen.shown) {
      context.fillStyle = pen.down ? "#a34700" : "#f0a800";
      context.beginPath();
      context.arc(pen.x, pen.y, canvas.width / 40, 0, 7);
      context.fill();
    }
    show(seen, pixels() ?? new Array(picture.side ** 2).fill(0), picture);
  }

  function drawn() {
    paint();
    clearTimeout(calm);
    calm = setTimeout(() => strokes.length && form.dispatchEvent(new Event("drawn")), CALM_MILLISECONDS);
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = { ...pen, down: false, shown: false };
    strokes.push([at(event)]);
    drawn();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    strokes.at(-1).push(...(event.getCoalescedEvents?.() ?? [event]).map(at));
    drawn();
  });
  canvas.addEventListener("keydown", (event) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!x && !y && event.key !== " ") return undefined;
    event.preventDefault();
    if (event.key === " ") {
      pen.down = !pen.down;
      if (pen.down) strokes.push([[pen.x, pen.y]]);
      said.textContent = pen.down ? "Pen down" : "Pen up";
    }
    pen.x = Math.min(canvas.width, Math.max(0, pen.x + x * step));
    pen.y = Math.min(canvas.height, Math.max(0, pen.y + y * step));
    pen.shown = true;
    if (pen.down && (x || y)) strokes.at(-1).push([pen.x, pen.y]);
    return pen.down ? drawn() : paint();
  });
  canvas.addEventListener("blur", () => {
    pen.shown = false;
    paint();
  });
  form.addEventListener("reset", () => {
    strokes = [];
    pen = { ...pen, x: canvas.width / 2, y: canvas.height / 4, down: false };
    clearTimeout(calm);
    paint();
  });
  paint();
  return pixels;
}
