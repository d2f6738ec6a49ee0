// Uses the book with the keyboard alone: all that can be clicked is reached, and what is opened by a key can be left again.
//
// Then the page without JavaScript: all text, all code and all diagrams are there.
import { browser as launch, report, serve } from "./site.mjs";

// One page for each kind of thing that can be clicked, narrow and wide.
const PAGES = [
  ["first-steps/quick-start.html", 390], ["first-steps/quick-start.html", 1440], ["first-steps/the-guard.html", 1440],
  ["patterns/exercises.html", 390], ["production/review-checklist.html", 1440],
];
const server = await serve();
const browser = await launch();
const faults = [];
let reached = 0;

// All that a mouse can use, folded parts apart, and the links of the table of contents, which are like any other.
function mark() {
  const sidebar = document.getElementById("mdbook-sidebar");
  const all = document.querySelectorAll("a[href], button, input, textarea, select, summary, [role=button]");
  const usable = [...all].filter((it) => {
    const box = it.getBoundingClientRect();
    return it.checkVisibility() && box.width > 0 && !it.closest("[hidden], [inert]") && !sidebar.contains(it);
  });
  usable.forEach((it, n) => { it.dataset.place = n; });
  window.focused = [];
  document.addEventListener("focusin", ({ target }) => {
    const { outlineStyle, boxShadow } = getComputedStyle(target);
    const shows = outlineStyle !== "none" || boxShadow !== "none";
    window.focused.push({ place: target.dataset.place, shows, html: target.outerHTML.slice(0, 120) });
  });
  // The next one after the table of contents, wherever it is.
  const start = document.createElement("span");
  start.tabIndex = -1;
  sidebar.after(start);
  start.focus();
  return usable.length;
}

for (const [where, width] of PAGES) {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  await page.goto(`${server.origin}/${where}`, { waitUntil: "load" });
  const count = await page.evaluate(mark);
  // A box that scrolls takes the focus, too.
  for (let n = 0; n < count * 1.5 + 10; n += 1) {
    await page.keyboard.press("Tab");
  }
  const focused = await page.evaluate(() => window.focused);
  const seen = new Set(focused.map(({ place }) => Number(place)));
  for (const html of new Set(focused.filter(({ shows }) => !shows).map(({ html }) => html))) {
    faults.push(`${where} (${width} px): nothing shows that the focus is on ${html}`);
  }
  const missed = await page.evaluate((seen) => [...document.querySelectorAll("[data-place]")]
    .filter((it) => !seen.includes(Number(it.dataset.place)))
    .map((it) => it.outerHTML.slice(0, 160)), [...seen]);
  missed.forEach((html) => faults.push(`${where} (${width} px): the keyboard does not reach ${html}`));
  reached += seen.size;
  await page.close();
}

const expect = (what, is) => { if (!is) faults.push(what); };
{
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  await page.route("https://play.rust-lang.org/**", (route) => route.abort("internetdisconnected"));
  const focused = () => page.evaluate(() => document.activeElement?.textContent.trim());
  const themes = () => page.evaluate(() => document.documentElement.className);

  // The theme: open the list, go to another one, take it; and leave the list.
  await page.goto(`${server.origin}/first-steps/the-guard.html`, { waitUntil: "load" });
  const before = await themes();
  await page.focus("#mdbook-theme-toggle");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  expect("the keyboard does not switch the theme", await themes() !== before);
  await page.focus("#mdbook-theme-toggle");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  expect("Escape does not close the list of themes", !await page.isVisible("#mdbook-theme-list"));

  // The guard to play with: each button, with Enter and with the space bar.
  const steps = page.locator(".simulator .steps button");
  await steps.first().focus();
  const done = () => page.locator(".simulator li").count();
  for (const key of ["Enter", " "]) {
    await page.evaluate(() => [...document.querySelectorAll(".simulator button.again")][0].focus());
    await page.keyboard.press(key);
    expect("the guard does not begin again", await done() === 0);
    for (let n = 0; n < await steps.count(); n += 1) {
      await page.keyboard.press("Shift+Tab");
      if (await page.evaluate(() => document.activeElement.getAttribute("aria-disabled") === "false")) {
        break;
      }
    }
    await page.keyboard.press(key);
    expect(`the guard does nothing on ${JSON.stringify(key)}`, await done() === 1);
  }

  // Run and edit.
  await page.goto(`${server.origin}/first-steps/quick-start.html`, { waitUntil: "load" });
  await page.locator(".run-bar").first().getByRole("button", { name: "Run" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".run-answer pre", { hasText: "cannot be reached" }).first().waitFor();
  expect("the focus is lost while a program runs", await focused() === "Run");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  expect("the focus is not in the editor", await page.evaluate(() => document.activeElement.tagName) === "TEXTAREA");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.type("s");
  expect("a key in the editor leaves the page", page.url().endsWith("first-steps/quick-start.html"));
  expect("what is typed is not in the editor", (await page.inputValue("textarea.run-editor")).slice(0, 3).includes("s"));
  await page.keyboard.press("Tab");
  expect("Tab does not leave the editor", await focused() === "Run");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  expect("the editor is not closed", await page.locator("textarea.run-editor").count() === 0);

  // Search, and go to the first hit.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("s");
  await page.waitForFunction(() => window.asyncdropExplained && document.activeElement?.id === "mdbook-searchbar");
  await page.keyboard.type("Forgot to call async_drop on");
  await page.locator("#mdbook-searchresults li").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/forgetting-the-cleanup/);
  await page.close();
}

// Without JavaScript, and in print: what a page says with it.
const said = () => ({
  words: (document.querySelector("main").textContent.match(/\w+/g) ?? []).length,
  code: [...document.querySelectorAll("main pre > code")].map((it) => it.textContent).join("").replace(/\s/g, "").length,
  diagrams: document.querySelectorAll("main svg[role=img], main figure.diagram svg").length,
});
for (const where of new Set(PAGES.map(([where]) => where))) {
  const counts = [];
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled, viewport: { width: 390, height: 900 } });
    const page = await context.newPage();
    await page.goto(`${server.origin}/${where}`, { waitUntil: "load" });
    // What the scripts add is beside the page's own text.
    if (javaScriptEnabled) {
      await page.evaluate(() => document.querySelectorAll(".run-bar, .run-answer, .simulator, main .buttons").forEach((it) => it.remove()));
      counts.push(await page.evaluate(said));
    } else {
      const text = await page.locator("main").textContent();
      const code = (await page.locator("main pre > code").allTextContents()).join("").replace(/\s/g, "").length;
      const diagrams = await page.locator("main svg[role=img], main figure.diagram svg").count();
      counts.push({ words: (text.match(/\w+/g) ?? []).length, code, diagrams });
      const toc = page.frameLocator("iframe.sidebar-iframe-outer");
      expect(`${where}: without JavaScript there is no table of contents`, await toc.locator("a").count() > 50);
    }
    await context.close();
  }
  const [withScripts, without] = counts;
  expect(`${where}: without JavaScript it has ${JSON.stringify(without)} instead of ${JSON.stringify(withScripts)}`,
    JSON.stringify(withScripts) === JSON.stringify(without));
}

await browser.close();
server.close();
report(`${PAGES.length} pages, ${reached} places reached by the keyboard`, faults, reached > 0);
