// What the browser remembers of a viewer's choices. Storage may be forbidden: then nothing is kept.

/** A remembered choice, or `otherwise`. */
export function recall(key, otherwise = null) {
  try {
    const text = localStorage.getItem(`luthier.${key}`);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Remember a choice; null forgets it. */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`luthier.${key}`);
    else localStorage.setItem(`luthier.${key}`, JSON.stringify(value));
  } catch {
    // A page that cannot remember still works.
  }
}
