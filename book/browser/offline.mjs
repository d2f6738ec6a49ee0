// Makes the book readable without a network: an EPUB for e-readers, and a PDF for paper.
//
// Usage: node offline.mjs [FOLDER [OUTPUT]]; the folder is where `mdbook build` wrote to.
// A browser reads the pages, so both have what its reader sees: the colors of the code, and no hidden lines.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { browser as launch, serve } from "./site.mjs";
import { zip } from "./zip.mjs";

const FOLDER = resolve(process.argv[2] ?? join(import.meta.dirname, "../../target/book-html"));
const OUTPUT = resolve(process.argv[3] ?? join(import.meta.dirname, "../../target/offline"));
const TITLE = "The AsyncDrop Book";
const manifest = await readFile(join(import.meta.dirname, "../../Cargo.toml"), "utf8");
const VERSION = manifest.match(/^version = "(.*)"$/m)[1];

/** In the page of the contents: every chapter, with the chapters below it. */
function contents() {
  const list = (ol) => {
    const entries = [];
    for (const item of ol.children) {
      const link = item.querySelector(":scope > a[href], :scope > span > a[href], :scope > div > a[href]");
      const below = item.querySelector(":scope > ol");
      if (link) {
        const number = link.querySelector("strong")?.textContent.trim() ?? "";
        const title = link.textContent.trim().replace(/\s+/g, " ").slice(number.length).trim();
        entries.push({ page: link.getAttribute("href"), title, below: [] });
      } else if (!below && item.textContent.trim()) {
        entries.push({ page: null, title: item.textContent.trim(), below: [] });
      }
      // Older versions of mdBook put the chapters below one into the next item.
      if (below) entries.at(-1).below.push(...list(below));
    }
    return entries;
  };
  return list(document.querySelector("ol.chapter"));
}

/** In a page: its text as XHTML, and the pages that it links to renamed. */
function chapter({ names, here }) {
  const main = document.querySelector("main").cloneNode(true);
  // What a reader of the page does not see, or could only click on.
  main.querySelectorAll(".boring, .buttons, button, script, style, template, .simulator, .fa-svg").forEach((it) => it.remove());
  main.querySelectorAll("a.header").forEach((it) => it.replaceWith(...it.childNodes));
  main.querySelectorAll("input[type=checkbox]").forEach((it) => it.replaceWith(it.checked ? "☑ " : "☐ "));
  main.querySelectorAll("details").forEach((it) => it.setAttribute("open", "open"));
  main.querySelectorAll("[tabindex], [style]").forEach((it) => ["tabindex", "style"].forEach((name) => it.removeAttribute(name)));
  // EPUB knows only this role of a drawing; its links are links without any.
  main.querySelectorAll("svg[role]:not([role=img])").forEach((it) => it.removeAttribute("role"));
  for (const link of main.querySelectorAll("a")) {
    const href = link.getAttribute("href") ?? link.getAttribute("xlink:href");
    if (!href || /^[a-z]+:/.test(href)) continue;
    const url = new URL(href, `http://book/${here}`);
    const name = names[url.pathname.slice(1)];
    if (name) link.setAttribute("href", name + url.hash);
    else link.replaceWith(...link.childNodes);
  }
  const serializer = new XMLSerializer();
  return {
    images: main.querySelectorAll("img").length,
    hasSvg: main.querySelector("svg") !== null,
    xhtml: [...main.childNodes].map((it) => serializer.serializeToString(it)).join(""),
  };
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

function xhtmlDocument(title, body) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><title>${escaped(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>${body}</body>
</html>
`;
}

function navigation(entries, names) {
  const item = ({ page, title, below }) => {
    const label = page ? `<a href="${names[page]}">${escaped(title)}</a>` : `<span>${escaped(title)}</span>`;
    return `<li>${label}${below.length > 0 ? `<ol>${below.map(item).join("")}</ol>` : ""}</li>`;
  };
  return xhtmlDocument("Contents", `<nav epub:type="toc"><h1>Contents</h1><ol>${entries.map(item).join("\n")}</ol></nav>`);
}

/** The parts of a book are titles without a page; in the list of an EPUB, their chapters stand below them. */
function withParts(entries) {
  const parts = [];
  for (const entry of entries) {
    if (entry.page === null || parts.at(-1)?.page !== null) parts.push(entry);
    else parts.at(-1).below.push(entry);
  }
  return parts.filter(({ page, below }) => page !== null || below.length > 0);
}

async function epub(page, origin) {
  await page.goto(`${origin}/toc.html`);
  const entries = await page.evaluate(contents);
  const flat = (entries) => entries.flatMap((entry) => [entry, ...flat(entry.below)]);
  const chapters = flat(entries).filter((entry) => entry.page);
  const names = Object.fromEntries(chapters.map(({ page }) => [page, page.replaceAll("/", "-").replace(/\.html$/, ".xhtml")]));
  const files = [];
  const items = [];
  for (const { page: here, title } of chapters) {
    await page.goto(`${origin}/${here}`, { waitUntil: "load" });
    const { images, hasSvg, xhtml } = await page.evaluate(chapter, { names, here });
    // Nothing here would put them into the file.
    if (images > 0) throw new Error(`${here} has ${images} pictures that are not SVG in the page`);
    files.push([`OEBPS/${names[here]}`, xhtmlDocument(title, xhtml)]);
    items.push({ name: names[here], properties: hasSvg ? ' properties="svg"' : "" });
  }
  const date = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const packageFile = `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:x-asyncdrop-book:${VERSION}</dc:identifier>
<dc:title>${TITLE}, for asyncdrop ${VERSION}</dc:title>
<dc:language>en</dc:language>
<meta property="dcterms:modified">${date}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
${items.map(({ name, properties }, n) => `<item id="c${n}" href="${name}" media-type="application/xhtml+xml"${properties}/>`).join("\n")}
</manifest>
<spine>
<itemref idref="nav"/>
${items.map((_, n) => `<itemref idref="c${n}"/>`).join("\n")}
</spine>
</package>
`;
  const container = `<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
`;
  const archive = zip([
    // First, and not compressed, so that a program can tell the kind of file by its first bytes.
    ["mimetype", "application/epub+zip"],
    ["META-INF/container.xml", container],
    ["OEBPS/content.opf", packageFile],
    ["OEBPS/nav.xhtml", navigation(withParts(entries), names)],
    ["OEBPS/style.css", await readFile(join(import.meta.dirname, "epub.css"), "utf8")],
    ...files,
  ]);
  await writeFile(join(OUTPUT, "asyncdrop-book.epub"), archive);
  return chapters.length;
}

async function pdf(page, origin) {
  // mdBook opens the dialog for printing on this page, and nothing would close it.
  await page.addInitScript(() => (window.print = () => {}));
  await page.goto(`${origin}/print.html`, { waitUntil: "load" });
  // On paper nothing can be unfolded.
  await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
  await page.pdf({
    path: join(OUTPUT, "asyncdrop-book.pdf"),
    format: "A4",
    margin: { top: "20mm", bottom: "20mm", left: "18mm", right: "18mm" },
    printBackground: true,
    outline: true,
    tagged: true,
    displayHeaderFooter: true,
    headerTemplate: "<span></span>",
    footerTemplate: `<div style="width: 100%; font: 8px sans-serif; display: flex; justify-content: space-between; padding: 0 18mm">
      <span>${TITLE}, for asyncdrop ${VERSION}</span><span class="pageNumber"></span></div>`,
  });
}

await mkdir(OUTPUT, { recursive: true });
const server = await serve(FOLDER);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 800, height: 1000 } });
await context.addInitScript(() => localStorage.setItem("mdbook-theme", "light"));
const page = await context.newPage();
page.setDefaultTimeout(600_000);
const { origin } = server;
const count = await epub(page, origin);
console.log(`${count} chapters in ${join(OUTPUT, "asyncdrop-book.epub")}`);
await pdf(page, origin);
console.log(`the same in ${join(OUTPUT, "asyncdrop-book.pdf")}`);
await browser.close();
server.close();
