// Opens every page of the built book in headless Chromium: narrow, medium and wide, light and dark.
//
// No page may scroll sideways, write an error to the console, ask for anything that is not there or not on this machine,
// or have a violation of accessibility that axe calls serious or critical.
//
// Usage: node pages.mjs [PART-OF-A-NAME]
import { browser as launch, pages, report, scrollsSideways, serve, violations } from "./site.mjs";

const WIDTHS = [390, 768, 1440];
const THEMES = ["light", "ayu"];

// Plays each row of the table of a guard, and says which one the page answers otherwise, or how many it has.
function play() {
  const table = document.querySelector("table.life-of-a-guard");
  const rows = table ? [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)) : [];
  const button = (name) => [...document.querySelectorAll(".simulator button")].find((it) => it.textContent === name);
  const state = () => document.querySelector(".simulator .state").textContent;
  // The steps that lead to each state. The table is in such an order that a state is led to before anything begins in it.
  const ways = new Map(rows.length ? [[rows[0][0], []]] : []);
  for (const [from, step, , to] of rows) {
    if (!ways.has(to)) ways.set(to, [...ways.get(from), step]);
  }
  for (const [from, step, answer, to] of rows) {
    button("begin again").click();
    ways.get(from).forEach((each) => button(each).click());
    button(step).click();
    const last = document.querySelector(".simulator li:last-child")?.textContent;
    if (last !== `${step}: ${answer}` || state() !== `The guard is ${to}.`) {
      return `a guard that is ${from}, ${step}: the page says ${last} ${state()}`;
    }
  }
  return rows.length;
}

const server = await serve();
const { origin } = server;
const browser = await launch();
const all = await pages();
const faults = [];
// Both themes at once, because a page waits for its browser most of the time.
await Promise.all(THEMES.map(async (theme) => {
  for (const width of WIDTHS) {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    await context.addInitScript((theme) => localStorage.setItem("mdbook-theme", theme), theme);
    const page = await context.newPage();
    // A page is slow to load where other work goes on, which is not its fault.
    page.setDefaultTimeout(180_000);
    let where = "";
    const fault = (what) => faults.push(`${where} (${width} px, ${theme}): ${what}`);
    page.on("console", (message) => message.type() === "error" && fault(`console: ${message.text()}`));
    page.on("pageerror", (error) => fault(`script: ${error.message}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) fault(`asks ${request.url()}`);
    });
    page.on("response", (response) => response.status() >= 400 && fault(`${response.status()} ${response.url()}`));
    for (where of all) {
      await page.goto(`${origin}/${where}`, { waitUntil: "load" });
      const sideways = await page.evaluate(scrollsSideways);
      if (sideways > 0) fault(`scrolls sideways by ${sideways} px`);
      const clicks = await page.evaluate(play).catch((error) => `cannot be played with: ${error.message.split("\n")[0]}`);
      if (where === "first-steps/the-guard.html" && clicks === 0) fault("has no guard to play with");
      if (typeof clicks === "string") fault(clicks);
      for (const violation of await violations(page)) fault(violation);
    }
    await context.close();
  }
}));
await browser.close();
server.close();
report(`${all.length} pages at ${WIDTHS.join(", ")} px in ${THEMES.join(" and ")}`, faults, all.length > 0);
