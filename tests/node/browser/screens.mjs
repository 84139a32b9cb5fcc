// Every screen as each of its visitors sees it: light, dark, on a phone and without JavaScript. Screenshots are kept.
import { mkdirSync } from "node:fs";
import { accessibility, expect, given, open, overflow, problem, scenario, signIn, transferred, visitor } from "./visit.mjs";

const MOST_BYTES = 60 * 1024;

const LOOKS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 800 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  { name: "phone", colorScheme: "light", viewport: { width: 360, height: 740 } },
];

const fileOf = (path) => path.replace(/^\//, "").replaceAll(/[^a-z0-9]+/g, "-");

async function signedOut(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await visitor(browser, { colorScheme });
    await open(page, "/console/sign-in");
    for (const finding of await accessibility(page)) problem(`sign-in (${colorScheme}): ${finding}`);
    await page.screenshot({ path: `${given.screenshots}/console-sign-in.${colorScheme}.png` });
    await page.context().close();
  }
}

async function look(browser, look) {
  const { name, ...options } = look;
  const page = await visitor(browser, options);
  await signIn(page);
  for (const { path, ours } of given.screens) {
    await open(page, path);
    if (!ours) await page.locator(".opblock").first().waitFor();
    if (ours && name !== "phone") for (const finding of await accessibility(page)) problem(`${path} (${name}): ${finding}`);
    const { excess, by } = await overflow(page);
    expect(excess === 0, `${path} (${name}) is ${excess} px too wide: ${by.join(", ")}`);
    await page.screenshot({ path: `${given.screenshots}/${fileOf(path)}.${name}.png`, fullPage: true });
  }
  await page.context().close();
}

// axe looks through the page by a script of its own, so it cannot be asked here.
async function withoutJavaScript(browser) {
  const page = await visitor(browser, { javaScriptEnabled: false });
  await signIn(page);
  for (const { path } of given.screens) {
    await open(page, path);
    expect((await page.locator("main").innerText()).trim().length > 20, `${path} is empty without JavaScript`);
  }
  await page.context().close();
}

async function sizes(browser) {
  const page = await visitor(browser);
  await signIn(page);
  for (const { path } of given.screens.filter(({ ours }) => ours)) {
    const bytes = await transferred(page, path);
    expect(bytes < MOST_BYTES, `${path} transfers ${bytes} bytes`);
  }
  await page.context().close();
}

scenario(async (browser) => {
  mkdirSync(given.screenshots, { recursive: true });
  for (const one of LOOKS) await look(browser, one);
  await signedOut(browser);
  await withoutJavaScript(browser);
  await sizes(browser);
});
