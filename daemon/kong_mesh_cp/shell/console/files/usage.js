// The most seats held at once, by day, and their chart.

import { DAY, dayOf } from "./words.js";
import { h } from "./view.js";

export const MARGIN = 1.1; // of the next license, over the most that was held
const KEPT_DAYS = 400;
const HEIGHT = 120;
const BAR = 10;

export const RANGES = [
  { name: "30", title: "30 days", days: 30 },
  { name: "90", title: "90 days", days: 90 },
  { name: "term", title: "this license", ofTerm: true },
  { name: "all", title: "all", days: KEPT_DAYS, fromFirst: true },
];

/** Each day of the range up to today, those without a seat too; of all days, from the first with one. */
export function days(license, range, now) {
  const marks = license.highWaterMarks;
  const created = license.creationDate ? Date.parse(license.creationDate) : Number.NaN;
  const ofTerm = Number.isNaN(created) ? KEPT_DAYS : Math.floor((now - created) / DAY) + 1;
  const wanted = Math.min(KEPT_DAYS, Math.max(1, range.ofTerm ? ofTerm : range.days));
  const first = Object.keys(marks)[0] ?? dayOf(now);
  const made = [];
  for (let back = wanted - 1; back >= 0; back -= 1) {
    const day = dayOf(now - back * DAY);
    if (!range.fromFirst || day >= first || back < RANGES[0].days) made.push({ day, seats: marks[day] ?? 0 });
  }
  return made;
}

/** The latest of the days with the most seats. */
export const largest = (shown) => shown.reduce((most, each) => (each.seats >= most.seats ? each : most));

export function chart(shown, allowed) {
  const most = largest(shown);
  const top = Math.max(most.seats, 1);
  // A limit far above all use would make every bar invisible: then a sentence tells of it.
  const isLimitShown = allowed <= top * 4;
  const scale = HEIGHT / Math.max(top, isLimitShown ? allowed : 0);
  const width = shown.length * BAR;
  const label = `Seats from ${shown[0].day} to ${shown.at(-1).day}: at most ${most.seats}, on ${most.day}; the license allows ${allowed}. The table has each day.`;
  return h("figure", null,
    h("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      shown.map(({ day, seats }, index) => h("rect", {
        key: day, class: seats > allowed ? "over" : "taken",
        x: index * BAR + 1, width: BAR - 2, y: HEIGHT - seats * scale, height: seats * scale },
      h("title", null, `${day}: ${seats}`))),
      isLimitShown && h("line", { class: "limit", x1: 0, x2: width, y1: HEIGHT - allowed * scale, y2: HEIGHT - allowed * scale })),
    h("figcaption", null, h("span", null, shown[0].day), h("span", null, isLimitShown ? `line: ${allowed} allowed` : `${allowed} allowed, far above`), h("span", null, shown.at(-1).day)));
}
