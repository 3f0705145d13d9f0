// Saves reloading: fetches the parts of a page that move and puts them in place when they differ. Pages work without it.
"use strict";
const PAUSES = [500, 1000, 2000, 5000];

// Whether somebody types or presses in it just now: then it stays as it is.
function busy(part) {
  const at = document.activeElement;
  return part.querySelector(":active") !== null || (part.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
}

function follow(part) {
  let quiet = 0;
  let last = null;
  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
        const text = answer.ok ? await answer.text() : last;
        if (text !== last && !busy(part)) {
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
