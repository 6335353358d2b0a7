// Colours of lines: told apart by any eye, and bright enough on either ground.
import { category, dark } from "../colors.js";

const ON_DARK = ["#56b4e9", "#e6a817", "#2fc096", "#e08fc0", "#8fb8ff", "#ff8a47"];

/** The colour of the `k`-th line, in light or dark as the page is now. */
export const lineColor = (k) => (dark() ? ON_DARK[k % ON_DARK.length] : category(k));
