// Presses every Run button of the book, with a playground on this machine that stands in for the public one.
//
// What it receives must be one of the texts that the gate `playground` compiled and ran; `cargo test` writes them down.
//
// Usage: node run.mjs [PART-OF-A-NAME]
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, browser as launch, pages, report, serve } from "./site.mjs";

const PLAYGROUND = "https://play.rust-lang.org/**";
const PAGE_TO_EDIT = "first-steps/quick-start.html";
const PAGE_TO_DERIVE = "helpers/deriving.html";
const texts = new Set(JSON.parse(await readFile(join(ROOT, "target/gates/playground/texts.json"), "utf8")));
const faults = [];

// The stand-in: it says how many lines it got, and that it printed something to standard error.
const received = [];
const playground = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", () => {
    received.push(JSON.parse(body));
    const stderr = "   Compiling playground v0.0.1 (/playground)\nsomething went wrong\n";
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ success: true, stdout: `got ${received.length}\n`, stderr, exitDetail: "" }));
  });
});
await new Promise((done) => { playground.listen(0, "127.0.0.1", done); });
const standIn = `http://127.0.0.1:${playground.address().port}/execute`;

const server = await serve();
const browser = await launch();
const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
const page = await context.newPage();
page.on("pageerror", (error) => faults.push(`${page.url()}: script: ${error.message}`));
await page.route(PLAYGROUND, async (route) => {
  const { pathname } = new URL(route.request().url());
  if (pathname !== "/execute") {
    return route.abort();
  }
  return route.fulfill({ response: await route.fetch({ url: standIn }) });
});

// The sentences about programs that cannot run online are paragraphs.
const bars = (page) => page.locator("div.run-bar");
const press = (bar, name) => bar.getByRole("button", { name, exact: true }).click();
const answerOf = (bar) => bar.locator("xpath=following-sibling::div[@class='run-answer']/pre[not(@class='run-note') or not(starts-with(., 'Running'))]");
let runs = 0;
let longest = 0;
const sent = new Set();
for (const where of await pages()) {
  await page.goto(`${server.origin}/${where}`, { waitUntil: "load" });
  // Solutions are folded.
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  const count = await bars(page).count();
  for (let n = 0; n < count; n += 1) {
    const bar = bars(page).nth(n);
    await press(bar, "Run");
    const answer = await answerOf(bar).first().textContent({ timeout: 20_000 });
    runs += 1;
    if (answer !== `got ${runs}\nsomething went wrong`) {
      faults.push(`${where}, button ${n + 1}: shows ${answer}`);
    }
    const { code, edition } = received[runs - 1] ?? {};
    sent.add(code);
    longest = Math.max(longest, JSON.stringify(received[runs - 1] ?? "").length);
    if (!texts.has(code) || edition !== "2024") {
      faults.push(`${where}, button ${n + 1}: sends a text that was not compiled: ${code?.slice(0, 200)}`);
    }
  }
}
if (process.argv[2] === undefined && sent.size < texts.size) {
  faults.push(`${texts.size - sent.size} texts were compiled, and no button sends them`);
}

// Edit, run, copy, reset.
{
  await page.goto(`${server.origin}/${PAGE_TO_EDIT}`, { waitUntil: "load" });
  const bar = bars(page).first();
  const expect = (what, is) => { if (!is) faults.push(`${PAGE_TO_EDIT}: ${what}`); };
  const copied = async () => {
    await press(bar, "Copy all");
    await bar.getByRole("button", { name: "Copied" }).waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    await bar.getByRole("button", { name: "Copy all" }).waitFor();
    return text;
  };
  const original = await copied();
  expect("what is copied is no program", original.includes("fn main()") && !original.includes("mod asyncdrop"));
  await press(bar, "Edit");
  const editor = page.getByRole("textbox", { name: "The program, to be edited" });
  expect("the editor has another text than what is copied", await editor.inputValue() === original);
  await editor.fill("fn main() {}\n");
  await press(bar, "Run");
  await answerOf(bar).first().waitFor();
  runs += 1;
  expect("an edited program is not sent", received.at(-1).code.startsWith("fn main() {}\n\n// The library"));
  expect("an edited program is not copied", await copied() === "fn main() {}\n");
  await press(bar, "Reset");
  expect("the editor stays after a reset", await editor.count() === 0);
  expect("the program is not there after a reset", await page.locator("main pre > code.online").first().isVisible());
  expect("a reset keeps what was edited", await copied() === original);
  await press(bar, "Run");
  await page.waitForFunction((n) => document.querySelector(".run-answer")?.textContent.includes(`got ${n}`), runs + 1);
  expect("after a reset, something else is sent", texts.has(received.at(-1).code));
}

// A type that derives `AsyncDrop` brings along what the macro wrote. So a program can be edited, but not that type.
{
  await page.goto(`${server.origin}/${PAGE_TO_DERIVE}`, { waitUntil: "load" });
  await page.locator("main code.online-derive").first().waitFor();
  const bar = page.locator("figure:has(> pre > code.online-derive) > div.run-bar").first();
  const editor = page.getByRole("textbox", { name: "The program, to be edited" });
  await press(bar, "Edit");
  const original = await editor.inputValue();
  for (const [what, changed, says] of [
    ["the type is the same", original.replace("fn main()", "fn other() {}\nfn main()"), undefined],
    ["the type is another one", original.replace(/(derive\([^)]*AsyncDrop\b.*?: )AsyncDropGuard</s, "$1Option<AsyncDropGuard<"), "You changed a type that derives AsyncDrop"],
  ]) {
    await editor.fill(changed);
    const before = received.length;
    await press(bar, "Run");
    await bar.locator("button:not([aria-disabled])").first().waitFor();
    const answer = await answerOf(bar).first().textContent();
    const isSent = received.length > before;
    const isRight = says
      ? !isSent && answer.startsWith(says)
      : isSent && answer.startsWith(`got ${received.length}\n`) && received.at(-1).code.includes(":: AsyncDrop for ");
    if (changed === original || !isRight) {
      faults.push(`${PAGE_TO_DERIVE}, where ${what}: ${isSent ? "sends it and" : ""} shows ${answer}`);
    }
  }
}

// Without a network, with a playground that refuses, and without the library.
for (const [what, pattern, action, says] of [
  ["offline", PLAYGROUND, (route) => route.abort("internetdisconnected"), "The playground cannot be reached."],
  ["refused", PLAYGROUND, (route) => route.fulfill({ status: 429 }), "The playground refused (status 429)."],
  ["without the library", "**/online/*.js", (route) => route.abort(), "The library could not be loaded."],
]) {
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`${what}: script: ${error.message}`));
  await page.route(pattern, action);
  await page.goto(`${server.origin}/${PAGE_TO_EDIT}`, { waitUntil: "load" });
  const bar = bars(page).first();
  // Twice: the button must not stay out of order.
  for (let n = 0; n < 2; n += 1) {
    await press(bar, "Run");
    await bar.locator("button:not([aria-disabled])").first().waitFor();
    const answer = await answerOf(bar).first().textContent();
    if (!answer.startsWith(says)) {
      faults.push(`${what}: the page says ${answer}`);
    }
  }
  await page.close();
}

await browser.close();
server.close();
playground.close();
report(`${runs} programs run, ${sent.size} of them different, the longest request ${longest} bytes`, faults, runs > 0);
