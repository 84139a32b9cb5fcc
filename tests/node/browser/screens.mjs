// Every screen in light, dark and on a phone, and once more without JavaScript. Screenshots are kept.
import { mkdirSync } from "node:fs";
import { accessibility, another, expect, given, open, operator, overflow, problem, scales, scenario, visitor } from "./visit.mjs";

const MOST_BYTES = 60 * 1024;
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
// Most pixels of a screenshot from top to bottom. Documents are long, and all alike below.
const TALLEST = 4000;
// Pages that are visited at once.
const WORKERS = 3;

// Visits all the screens that one kind of visitor sees, several at once, each worker with a page of its own.
async function visitAll(first, screens, visit) {
  const waiting = [...screens];
  const work = async (page) => {
    for (let screen = waiting.shift(); screen; screen = waiting.shift()) await visit(page, screen);
  };
  await Promise.all([work(first), ...Array.from({ length: WORKERS - 1 }, async () => work(await another(first)))]);
  await first.context().close();
}

// One page at a time: what others do at the same moment would get into the picture.
let camera = Promise.resolve();

async function photograph(page, { name, path }, look) {
  const { excess, by, width, height } = await overflow(page);
  expect(excess === 0, `${path} (${look}) is ${excess} px too wide: ${by.join(", ")}`);
  const clip = { x: 0, y: 0, width, height: Math.min(height, TALLEST) };
  const options = { path: `${given.screenshots}/${name}.${look}.png`, fullPage: true, animations: "disabled", clip };
  camera = camera.then(() => page.screenshot(options));
  await camera;
}

// One visit shows all looks: what a page loads does not depend on them.
async function look(page, screen) {
  const { path, ours } = screen;
  const scale = await scales(page);
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
  await open(page, path);
  if (!ours) await page.locator(".opblock").first().waitFor();
  if (ours) for (const finding of await accessibility(page)) problem(`${path}: ${finding}`);
  await photograph(page, screen, "light");
  await page.emulateMedia({ colorScheme: "dark" });
  if (ours) for (const finding of await accessibility(page, ["color-contrast"])) problem(`${path} (dark): ${finding}`);
  await photograph(page, screen, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(PHONE);
  await photograph(page, screen, "phone");
  const bytes = await scale.taken();
  if (ours) expect(bytes > 0 && bytes < MOST_BYTES, `${path} transfers ${bytes} bytes`);
}

// axe looks through the page by a script of its own, so it cannot be asked here.
async function lookWithoutJavaScript(page, { path }) {
  await open(page, path);
  expect((await page.locator("main").innerText()).trim().length > 20, `${path} is empty without JavaScript`);
}

const ofOperators = given.screens.filter((screen) => screen.signed_in);
const ofAnybody = given.screens.filter((screen) => !screen.signed_in);

scenario(async (browser) => {
  mkdirSync(given.screenshots, { recursive: true });
  const plain = { javaScriptEnabled: false };
  await visitAll(await operator(browser), ofOperators, look);
  await visitAll(await visitor(browser), ofAnybody, look);
  await visitAll(await operator(browser, plain), ofOperators, lookWithoutJavaScript);
  await visitAll(await visitor(browser, plain), ofAnybody, lookWithoutJavaScript);
});
