// Runs before the first paint, so that a dark page does not flash white. Not a module for that reason.
(() => {
  let theme = null;
  try {
    theme = JSON.parse(localStorage.getItem("luthier.theme"));
  } catch {
    // Storage may be forbidden; the system's preference is used then.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
