// Saves reloading: fetches the parts of a page that move and puts them in place when they differ. Pages work without it.
"use strict";
const PAUSES = [500, 1000, 2000, 5000];
// Looks in a row that something may seem pressed: a link that opened another tab sometimes stays so for good.
const PRESSED = 3;

// Whether somebody types in it just now: then it stays as it is.
function typed(part) {
  const at = document.activeElement;
  return part.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
}

function follow(part) {
  let quiet = 0;
  let last = null;
  let pressed = 0;
  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(4000) });
        const text = answer.ok ? await answer.text() : last;
        pressed = part.querySelector(":active") ? pressed + 1 : 0;
        const busy = typed(part) || (pressed > 0 && pressed <= PRESSED);
        if (text !== last && !busy) {
          const held = part.contains(document.activeElement) ? document.activeElement : null;
          part.innerHTML = text;
          last = text;
          quiet = 0;
          const same = held && [...part.querySelectorAll(held.tagName)].find((one) => one.textContent === held.textContent);
          same?.focus({ preventScroll: true });
        } else {
          quiet += 1;
        }
      } catch {
        quiet = PAUSES.length * 4;
      }
    }
    setTimeout(look, PAUSES[Math.min(Math.floor(quiet / 4), PAUSES.length - 1)]);
  }
  look();
}

document.querySelectorAll("[data-live]").forEach(follow);
document.querySelector("[data-reload]") && setTimeout(() => location.reload(), 1500);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    document.getElementById("q").focus();
  }
});
