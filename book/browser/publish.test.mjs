// What `publish.mjs` promises, looked up in a folder that it made ready.
//
// Usage: node --test publish.test.mjs, with SITE as the folder and ADDRESS as its address.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { descriptionOf, finish, pagesOf } from "./publish.mjs";
import { languagesOf, namesOf } from "./slim.mjs";

const { SITE, ADDRESS } = process.env;
assert(SITE && ADDRESS, "SITE and ADDRESS say what to look at");
const read = (page) => readFile(join(SITE, page), "utf8");
const all = (html, pattern) => [...html.matchAll(pattern)].map(([, found]) => found);
const isRedirect = (html) => /http-equiv="refresh"/i.test(html);

async function listedPages() {
  const pages = [];
  for (const page of await pagesOf(SITE)) {
    const html = await read(page);
    // A piece of a page, which mdBook copies because it stands beside the chapters.
    if (!html.includes("</head>")) continue;
    if (!html.includes('content="noindex"') && !isRedirect(html)) pages.push([page, html]);
  }
  assert(pages.length > 100, `only ${pages.length} pages`);
  return pages;
}

test("a page of the book is found at one address, and says it", async () => {
  for (const [page, html] of await listedPages()) {
    const canonical = all(html, /<link rel="canonical" href="([^"]*)">/g);
    const first = ["index.html", "introduction.html"].includes(page);
    assert.deepEqual(canonical, [ADDRESS + (first ? "" : page)], page);
  }
});

test("the sitemap lists each page once, and nothing else", async () => {
  const listed = all(await read("sitemap.xml"), /<loc>([^<]*)<\/loc>/g);
  const pages = new Set((await listedPages()).map(([page]) => page));
  pages.delete("introduction.html");
  const expected = [...pages].map((page) => ADDRESS + (page === "index.html" ? "" : page));
  assert.deepEqual(listed.toSorted(), expected.toSorted());
});

test("no two pages have the same description, and none is empty", async () => {
  const seen = new Map();
  for (const [page, html] of await listedPages()) {
    if (page === "introduction.html") continue;
    const [description, ...more] = all(html, /<meta name="description" content="([^"]*)">/g);
    assert.equal(more.length, 0, page);
    assert(description.length >= 40, `${page}: ${description}`);
    assert(!seen.has(description), `${page} and ${seen.get(description)}: ${description}`);
    assert(html.includes(`<meta property="og:description" content="${description}">`), page);
    seen.set(description, page);
  }
});

test("everything on the page of a missing address is found from any address", async () => {
  const html = await read("404.html");
  const [base] = all(html, /<base href="([^"]*)">/g);
  const missing = new URL("deeply/below/missing.html", ADDRESS);
  const links = all(html, /(?:href|src)="([^"#]*)"/g).filter((link) => link !== base && !link.startsWith("http"));
  assert(links.length > 10);
  for (const link of links) {
    const { href } = new URL(link, new URL(base, missing));
    assert(href.startsWith(ADDRESS), `${link} leads to ${href}`);
    const path = href.slice(ADDRESS.length);
    assert(existsSync(join(SITE, path || "index.html")), `${link} leads to ${href}`);
  }
});

test("each page says which version it describes", async () => {
  for (const [page, html] of await listedPages()) {
    const [link] = all(html, /<a class="version" href="([^"]*)">\d+\.\d+\.\d+<\/a>/g);
    assert.equal(new URL(link, new URL(page, ADDRESS)).href, `${ADDRESS}versions.html`, page);
  }
  assert.match(await read("versions.html"), /describe <code>asyncdrop<\/code> \d/);
});

test("the scripts have what the pages use, and little else", async () => {
  const files = await readdir(SITE);
  const script = (name) => read(files.find((file) => file.startsWith(name) && file.endsWith(".js")));
  const highlighter = await script("highlight-");
  const names = new Set(highlighter.split('hljs.registerLanguage("').slice(1).flatMap((code) => namesOf(code.slice(0, code.indexOf('"')), code)));
  for (const [page, html] of await listedPages()) {
    for (const language of languagesOf(html)) assert(names.has(language), `${page} has code in ${language}`);
  }
  assert(highlighter.length < 40_000, `the highlighter has ${highlighter.length} bytes`);
  const index = await script("searchindex-");
  assert(index.length < 1_600_000, `the search index has ${index.length} bytes`);
});

test("a page of an older version names the newest one's, if that is still there", async () => {
  const newest = await mkdtemp(join(tmpdir(), "versions-"));
  try {
    const page = (main) => `<html><head><title>T</title></head><body><h1 class="menu-title">B</h1><main>${main}</main></body></html>`;
    const files = {
      "404.html": page("missing"), "kept.html": page("kept"), "moved.html": '<head><meta http-equiv="refresh"></head>',
      "0.1/404.html": page("missing"), "0.1/kept.html": page("kept"), "0.1/moved.html": page("moved"), "0.1/gone.html": page("gone"),
      "0.1/highlight-0a.js": "", "0.1/searchindex-0a.js": "x = JSON.parse('{\"index\":{\"index\":{}}}');",
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(newest, name)), { recursive: true });
      await writeFile(join(newest, name), text);
    }
    const address = "https://example.org/b/";
    const listed = await finish(join(newest, "0.1"), { address: `${address}0.1/`, version: "0.1.0", newest: address });
    const canonical = async (name) => all(await readFile(join(newest, name), "utf8"), /<link rel="canonical" href="([^"]*)">/g)[0];
    assert.equal(await canonical("0.1/kept.html"), `${address}kept.html`);
    assert.equal(await canonical("0.1/moved.html"), `${address}0.1/moved.html`);
    assert.equal(await canonical("0.1/gone.html"), `${address}0.1/gone.html`);
    assert.deepEqual(listed, [`${address}0.1/gone.html`, `${address}0.1/moved.html`]);
  } finally {
    await rm(newest, { recursive: true });
  }
});

test("a description ends with a sentence, and cannot end its attribute", () => {
  const long = "This sentence is repeated until there are too many of them. ".repeat(9);
  const html = `<main><h1>T</h1><p>It says "<code>a &lt; b</code>". ${long}</p><h2>U</h2><p>Not this.</p></main>`;
  const description = descriptionOf(html);
  assert.match(description, /^It says &quot;a &lt; b&quot;\. This/);
  assert.match(description, /them\.$/);
  assert(description.length <= 320 && !description.includes("Not this"));
});
