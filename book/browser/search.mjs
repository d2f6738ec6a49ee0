// Asks the search of the book: each message, each public name, and the questions of `questions.txt`.
//
// The page that explains it must be the first or second hit. It is typed into the box as a reader would, or pasted.
//
// Usage: node search.mjs [PART-OF-A-QUESTION]
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, browser as launch, report, serve } from "./site.mjs";

const only = process.argv[2] ?? "";
const read = (file) => readFile(join(ROOT, file), "utf8");
const lines = async (file) => (await read(file)).split("\n");

// Each text with the pages that explain it: the same message can have two causes.
const asked = new Map();
const ask = (text, ...pages) => asked.set(text, [...(asked.get(text) ?? []), ...pages]);

// A cell of the reference is code in one or two backquotes; `..` stands for what differs.
for (const line of await lines("book/src/reference/messages.md")) {
  const cell = /^\| (?:`` (.*?) ``|`([^`]*)`)/.exec(line);
  const page = /\]\(\.\.\/([^)]*)\.md\) \|$/.exec(line);
  if (cell && page) {
    const text = cell[1] ?? cell[2];
    // As it stands there, and as a program would say it.
    ask(text, `${page[1]}.html`);
    ask(text.replace("created at ..", "created at src/main.rs:14:15").replaceAll("<..>", "<app::Log>").replaceAll("..", "Log"), `${page[1]}.html`);
  }
}
for (const line of await lines("book/src/reference/api.md")) {
  const row = /^\| `([^`]*)` \| \[.*?\]\(\.\.\/([^)]*)\.md\) \|/.exec(line);
  if (row) {
    ask(row[1], `${row[2]}.html`);
  }
}
const ofTheReference = asked.size;
for (const line of await lines("book/browser/questions.txt")) {
  const question = /^([^#].*?) -> (.*)$/.exec(line);
  if (question) {
    ask(question[1], ...question[2].split(" "));
  }
}
const ofReaders = asked.size - ofTheReference;

const server = await serve();
const browser = await launch();
const page = await browser.newPage();
const faults = [];
page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
await page.goto(`${server.origin}/introduction.html`, { waitUntil: "load" });
const [index] = await Promise.all([
  page.waitForResponse((response) => response.url().includes("searchindex")),
  page.keyboard.press("s"),
]);
const bytes = (await index.body()).length;
await page.waitForFunction(() => window.asyncdropExplained && document.activeElement?.id === "mdbook-searchbar");

// What the box does with a text, and where its hits lead.
const hits = (text) => page.evaluate((text) => {
  const box = document.getElementById("mdbook-searchbar");
  box.value = text;
  const start = performance.now();
  box.dispatchEvent(new KeyboardEvent("keyup"));
  const took = performance.now() - start;
  const links = [...document.querySelectorAll("#mdbook-searchresults li > a")];
  return { took, pages: links.map((link) => new URL(link.href).pathname.slice(1)) };
}, text);
const all = [...asked].filter(([text]) => text.includes(only));
const times = [];
for (const [text, pages] of all) {
  const found = await hits(text);
  times.push(found.took);
  if (!found.pages.slice(0, 2).some((hit) => pages.includes(hit))) {
    faults.push(`${text}\n    wants ${pages.join(" or ")}\n    finds ${found.pages.slice(0, 4).join(", ") || "nothing"}`);
  }
}
// Most of it is mdBook's own drawing of the hits. The bound leaves room for a machine with much else to do.
const middle = Math.round(times.sort((a, b) => a - b)[Math.floor(times.length / 2)]);
if (middle > 200) {
  faults.push(`half of the searches took more than ${middle} ms`);
}
await browser.close();
server.close();
const counts = `${ofTheReference} messages and names, ${ofReaders} questions`;
report(`${counts}, an index of ${bytes} bytes, a search takes ${middle} ms, the slowest ${Math.round(times.at(-1))} ms`, faults, all.length > 0 && ofReaders >= 20);
