// What the gates in the browser share: the built book behind a server on this machine, its pages, and the browser.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { readFile, readdir } from "node:fs/promises";
import { extname, join, relative, resolve } from "node:path";
import { chromium } from "playwright-core";

export const ROOT = resolve(import.meta.dirname, "../..");
// Where `mdbook build` wrote to.
export const FOLDER = resolve(process.env.BOOK ?? join(ROOT, "target/book-html"));
const TYPES = {
  ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml",
  ".png": "image/png", ".woff2": "font/woff2", ".json": "application/json",
};

// The pages, or those whose name has the first argument in it.
export async function pages() {
  const only = process.argv[2] ?? "";
  const entries = await readdir(FOLDER, { recursive: true, withFileTypes: true });
  const found = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
    .map((entry) => relative(FOLDER, join(entry.parentPath, entry.name)))
    // The table of contents that readers without JavaScript get is a frame, not a page; rustdoc has tests of its own.
    .filter((page) => !["toc.html", "print.html"].includes(page) && !page.startsWith("doc/"))
    // What lies beside the chapters was copied as it is: a part of a page, which that page includes.
    .filter((page) => !existsSync(join(ROOT, "book/src", page)))
    .filter((page) => page.includes(only))
    .sort();
  // The page of an old address leads on at once, while it is being looked at. That it leads to a page is checked by `links.rs`.
  const leadsOn = async (page) => (await readFile(join(FOLDER, page), "utf8")).includes('http-equiv="refresh"');
  const moved = await Promise.all(found.map(leadsOn));
  return found.filter((_, at) => !moved[at]);
}

export function serve(folder = FOLDER) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    try {
      const body = await readFile(join(folder, path.endsWith("/") ? `${path}index.html` : path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done({
      origin: `http://127.0.0.1:${server.address().port}`,
      close: () => server.close(),
    }));
  });
}

export function browser() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

// Run in a page: by how much the page, or a box that its text is in, can be scrolled sideways. In mdBook's pages that is never the whole
// page, because the text is in a box that scrolls by itself.
export function scrollsSideways() {
  const boxes = [document.scrollingElement];
  for (let box = document.querySelector("main"); box; box = box.parentElement) {
    if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) boxes.push(box);
  }
  return Math.max(...boxes.map((box) => box.scrollWidth - box.clientWidth));
}

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// What axe calls a serious or critical violation of accessibility in a page, each in a line.
export async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  return found
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, impact, nodes: [first, ...others] }) =>
      `${impact} ${id}, ${others.length + 1} times, first ${first.target} ${first.html.slice(0, 160)}`);
}

// Prints the faults, and ends with a status that says whether there are any.
export function report(what, faults, lookedAtSomething) {
  console.log(faults.join("\n"));
  console.log(`${what}: ${faults.length} faults`);
  process.exit(faults.length === 0 && lookedAtSomething ? 0 : 1);
}
