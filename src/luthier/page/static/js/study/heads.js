// Where the curves end.
import { css } from "../colors.js";
import { short } from "../format.js";
import { t } from "../i18n.js";

/** A dot where a training run stands, and the value of the best at its end. `curves`: run → {x, even}. */
export function heads({ ctx, ratio, toX, toY, box, options }, { rows, curves, best, colors }) {
  for (const row of rows.values()) {
    if (row.state !== "running" && row !== best) continue;
    const curve = curves.get(row.id);
    let k = curve ? curve.x.length - 1 : -1;
    while (k >= 0 && !Number.isFinite(curve.even[k])) k -= 1;
    if (k < 0 || (options.yLog && curve.even[k] <= 0)) continue;
    const x = toX(curve.x[k]);
    const y = toY(curve.even[k]);
    if (x < box.left - 1 || x > box.left + box.width + 1 || y < box.top || y > box.top + box.height) continue;
    ctx.beginPath();
    ctx.arc(x, y, (row === best ? 4 : 2.6) * ratio, 0, 2 * Math.PI);
    ctx.fillStyle = colors.of(row);
    ctx.fill();
    if (row !== best) continue;
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeStyle = css("paper");
    ctx.stroke();
    const words = t("curves.best", { value: short(row.best) });
    ctx.font = `600 ${12 * ratio}px system-ui, "Noto Sans", "Noto Sans SC", sans-serif`;
    const wide = ctx.measureText(words).width;
    const left = Math.max(box.left + 4 * ratio, Math.min(x - wide / 2, box.left + box.width - wide - 6 * ratio));
    const above = y + 22 * ratio > box.top + box.height;
    ctx.lineWidth = 4 * ratio;
    ctx.lineJoin = "round";
    ctx.strokeText(words, left, y + (above ? -10 : 20) * ratio);
    ctx.fillStyle = css("ink");
    ctx.fillText(words, left, y + (above ? -10 : 20) * ratio);
  }
}
