// Parts with buttons and menus in them are drawn again only when they would differ: else the focus
// of a keyboard, an open menu and a selection would be lost twice a second.

/** `draw`, called only when what `key(...)` gives differs from last time. */
export function whenChanged(key, draw) {
  let last = null;
  return (...given) => {
    const now = JSON.stringify(key(...given));
    if (now === last) return;
    last = now;
    draw(...given);
  };
}
