// Elements from JavaScript. Text goes in as text nodes only, so nothing a user wrote becomes markup.

/**
 * An element. `props`: `class`, `dataset` (object), `style` (object), `on…` (listeners), properties
 * of the element, else attributes; null and false leave an attribute out. Children: nodes, strings,
 * numbers, arrays; null and false are skipped.
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined) continue;
    if (key === "class") el.className = value;
    else if (key === "dataset") Object.assign(el.dataset, value);
    else if (key === "style") Object.assign(el.style, value);
    else if (key.startsWith("on")) el.addEventListener(key.slice(2).toLowerCase(), value);
    else if (key in el && !key.startsWith("aria") && key !== "list" && key !== "role") el[key] = value;
    else if (value !== false) el.setAttribute(key, value === true ? "" : value);
  }
  put(el, children);
  return el;
}

/** Add children to an element. */
export function put(el, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return el;
}

/** Replace all children of an element. */
export function fill(el, ...children) {
  el.replaceChildren();
  return put(el, ...children);
}

/** Call `work` at most once per `wait_ms`, the last time always. Has `.cancel()`. */
export function throttle(work, wait_ms) {
  let timer = 0;
  let last = -Infinity;
  const run = () => {
    timer = 0;
    last = performance.now();
    work();
  };
  const asked = () => {
    if (timer) return;
    timer = setTimeout(run, Math.max(0, last + wait_ms - performance.now()));
  };
  asked.cancel = () => {
    clearTimeout(timer);
    timer = 0;
  };
  return asked;
}

/** Call `work` when nothing was asked for `wait_ms`. */
export function settle(work, wait_ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), wait_ms);
  };
}

/**
 * Replace only those children that differ from what is asked for. A link that stays the same stays the same
 * element, so that a click on it is not lost when the page is drawn again in the middle of it.
 */
export function renew(el, ...children) {
  const next = put(document.createElement(el.tagName), ...children);
  const nodes = [...next.childNodes];
  nodes.forEach((node, k) => {
    const old = el.childNodes[k];
    if (!old) el.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (el.childNodes.length > nodes.length) el.lastChild.remove();
  return el;
}
