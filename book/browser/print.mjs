// Looks at the page that has the whole book, which is for paper and for readers who search it as one text.
//
// axe needs minutes for a page of this length, and more than twice the time for twice the length. So it gets one chapter
// after the other, and the rest of the page is taken out meanwhile. What has to hold for the page as a whole, that it does not
// scroll sideways, that no id stands twice and that every link within it leads somewhere, is looked at first.
//
// Usage: node print.mjs
import { browser as launch, report, scrollsSideways, serve, violations } from "./site.mjs";

const WIDTHS = [390, 1440];

// Moves the chapters out of the page, and says how many there are. mdBook puts a break of the page between two of them.
function takeApart() {
  const main = document.querySelector("main");
  window.chapters = [[]];
  for (const node of [...main.childNodes]) {
    if (node.nodeType === Node.ELEMENT_NODE && node.style.breakBefore === "page") window.chapters.push([]);
    else window.chapters.at(-1).push(node);
    node.remove();
  }
  return window.chapters.length;
}

function show(chapter) {
  document.querySelector("main").replaceChildren(...window.chapters[chapter]);
  return document.querySelector("main h1")?.textContent ?? "a chapter without a title";
}

// The ids that stand twice, and the links within the page that lead nowhere.
function asAWhole() {
  const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
  const twice = [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))];
  const known = new Set(ids);
  const dangling = [...document.querySelectorAll('main a[href^="#"]')]
    .map((link) => decodeURIComponent(link.getAttribute("href").slice(1)))
    .filter((id) => !known.has(id));
  return { twice, dangling };
}

const server = await serve();
const browser = await launch();
const faults = [];
let looked = 0;
for (const width of WIDTHS) {
  const context = await browser.newContext({ viewport: { width, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  const fault = (what) => faults.push(`print.html (${width} px): ${what}`);
  page.on("console", (message) => message.type() === "error" && fault(`console: ${message.text()}`));
  page.on("pageerror", (error) => fault(`script: ${error.message}`));
  page.on("response", (response) => response.status() >= 400 && fault(`${response.status()} ${response.url()}`));
  // The dialog of the printer comes with the page.
  await page.addInitScript(() => { window.print = () => {}; });
  await page.goto(`${server.origin}/print.html`, { waitUntil: "load" });
  const { twice, dangling } = await page.evaluate(asAWhole);
  twice.forEach((id) => fault(`the id ${id} stands twice`));
  dangling.forEach((id) => fault(`a link leads to #${id}, which is nowhere`));
  const sideways = await page.evaluate(scrollsSideways);
  if (sideways > 0) fault(`scrolls sideways by ${sideways} px`);
  const chapters = await page.evaluate(takeApart);
  for (let chapter = 0; chapter < chapters; chapter += 1) {
    const title = await page.evaluate(show, chapter);
    for (const violation of await violations(page)) fault(`${title}: ${violation}`);
    looked += 1;
  }
  await context.close();
}
await browser.close();
server.close();
report(`the whole book on one page at ${WIDTHS.join(" and ")} px, ${looked / WIDTHS.length} chapters`, faults, looked > 100 * WIDTHS.length);
