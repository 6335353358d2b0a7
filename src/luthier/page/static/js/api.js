// Talking to the server: JSON over fetch, and a study's changes as server-sent events.

const ROOT = "api/v1";
const HIDDEN_S = 30; // a hidden tab gives its connection back after this long: browsers allow six
let known = null;

/** What the server refused. `code` is the error's code, `status` the HTTP status (0: no answer). */
export class ApiError extends Error {
  constructor(status, code, message, hint = "") {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(ROOT + path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", String(error.message ?? error));
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const { code = String(answer.status), message = answer.statusText, hint = "" } = body?.error ?? {};
  throw new ApiError(answer.status, code, message, hint);
}

/** Read. `query`: null and "" are left out. `signal` aborts. */
export function get(path, query = {}, signal = undefined) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(key, value);
  }
  const tail = search.size ? `?${search}` : "";
  return ask(path + tail, { signal });
}

/** Act. The token proves that this page asks, and not another site in the same browser. */
export async function post(path, body) {
  const { token } = await me();
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Luthier-Token": token },
    body: JSON.stringify(body),
  });
}

/** Who looks: role, token, version, store. Asked once. */
export function me() {
  known ??= get("/me").catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

/** The path of a study, or of something below it. */
export const studyPath = (study, ...rest) =>
  ["/studies", ...[study, ...rest].map(encodeURIComponent)].join("/");

/**
 * Follow a study. `onChange(change)` gets what the server tells; `onReset()` is called when changes
 * may have been missed and all must be fetched again; `onState("live" | "lost")`. Returns `stop()`.
 */
export function listen(study, { onChange, onReset = () => {}, onState = () => {} }) {
  let source = null;
  let opened = false; // whether a connection stood before: then changes may have been missed
  let timer = 0;
  let wait_s = 1;

  const open = () => {
    clearTimeout(timer);
    timer = 0;
    const mine = new EventSource(`${ROOT}${studyPath(study)}/events`);
    const fresh = opened;
    source = mine;
    let first = true;
    mine.onopen = () => {
      wait_s = 1;
      opened = true;
      onState("live");
      // The browser's own reconnect sends Last-Event-ID; a new EventSource cannot.
      if (first && fresh) onReset();
      first = false;
    };
    mine.addEventListener("change", (event) => onChange(JSON.parse(event.data)));
    mine.addEventListener("reset", () => onReset());
    mine.onerror = () => {
      onState("lost");
      if (mine.readyState !== EventSource.CLOSED || source !== mine) return;
      source = null;
      clearTimeout(timer);
      timer = setTimeout(open, wait_s * 1000);
      wait_s = Math.min(wait_s * 1.6, 10);
    };
  };
  const close = () => {
    clearTimeout(timer);
    timer = 0;
    source?.close();
    source = null;
  };
  const seen = () => {
    if (document.hidden) {
      clearTimeout(timer);
      timer = setTimeout(close, HIDDEN_S * 1000);
    } else if (source === null) open();
    else clearTimeout(timer);
  };
  document.addEventListener("visibilitychange", seen);
  open();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    close();
  };
}
