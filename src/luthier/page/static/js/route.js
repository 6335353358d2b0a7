// Addresses of the page: what stands after the #.

/** The view and its params for a hash. Unknown addresses lead to the list of studies. */
export function route(hash) {
  const [path, search = ""] = hash.replace(/^#/, "").split("?");
  const query = Object.fromEntries(new URLSearchParams(search));
  const [head, ...rest] = path.split("/").filter(Boolean).map(decode);
  if (head === "s" && rest[0] !== undefined) {
    const [study, part, run] = rest;
    if (part === "r" && run !== undefined) return { view: "run", params: { study, run, ...query } };
    if (part === "lineage") return { view: "lineage", params: { study, ...query } };
    return { view: "study", params: { study, ...query } };
  }
  if (head === "compare") return { view: "compare", params: query };
  if (head === "k") return { view: "knowledge", params: rest[0] === undefined ? query : { name: rest[0], ...query } };
  return { view: "studies", params: query };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a run. */
export const runHref = (study, run) => `#/s/${encodeURIComponent(study)}/r/${encodeURIComponent(run)}`;

/** The address of a study. */
export const studyHref = (study) => `#/s/${encodeURIComponent(study)}`;

/** The address of a comparison; `runs` are pairs [study, run]. */
export const compareHref = (runs) =>
  `#/compare?runs=${encodeURIComponent(runs.map((pair) => pair.map(encodeURIComponent).join(":")).join(","))}`;
