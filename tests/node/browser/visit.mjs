// A browser that notices what a page must not do: break its content security policy, ask other hosts, throw, or log errors.
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// The test writes what the scenario needs to standard input.
export const given = JSON.parse(readFileSync(0, "utf8"));

const problems = new Set();

export function problem(text) {
  problems.add(text);
}

export function expect(holds, text) {
  if (!holds) problem(text);
}

// Runs a scenario with one browser, prints what went wrong and ends with 1 if anything did.
export async function scenario(run) {
  const browser = await chromium.launch({
    executablePath: given.chromium,
    // Chromium has no sandbox as root, and little shared memory in containers.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  try {
    await run(browser);
  } catch (error) {
    problem(error.stack ?? String(error));
  } finally {
    await browser.close();
  }
  for (const text of problems) console.error(`- ${text}`);
  process.exit(problems.size === 0 ? 0 : 1);
}

// A fresh visitor. Options are Playwright's, such as colorScheme, viewport and javaScriptEnabled.
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({ baseURL: given.base, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(30_000);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI} ${event.sourceFile ?? ""}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  watch(page);
  return page;
}

// Another page of the same visitor.
export async function another(page) {
  const opened = await page.context().newPage();
  watch(opened);
  return opened;
}

function watch(page) {
  page.on("pageerror", (error) => problem(`${page.url()}: ${error}`));
  page.on("console", (message) => {
    // A refused request is what some scenarios are about; they look at its status themselves.
    const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status");
    if (message.type() === "error" && !isStatus) problem(`${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    const isOurs = protocol === "data:" || [given.base, ...(given.others ?? [])].includes(origin);
    expect(isOurs, `${page.url()} asks ${origin}`);
  });
}

// A visitor who is signed in as the operator whose cookie the test has given.
export async function operator(browser, options) {
  const page = await visitor(browser, options);
  const { name, value } = given.cookie;
  const place = { domain: new URL(given.base).hostname, path: "/", httpOnly: true, sameSite: "Lax" };
  await page.context().addCookies([{ name, value, ...place, secure: name.startsWith("__Host-") }]);
  return page;
}

// Signs in as an operator, with a token of its own.
export async function signIn(page) {
  await page.goto("/console/sign-in");
  await page.getByLabel("Set-up token", { exact: true }).fill(given.tokens.pop());
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL((url) => !url.pathname.endsWith("/sign-in"));
}

// Opens a path; the answer must have the status.
export async function open(page, path, status = 200) {
  const response = await page.goto(path, { waitUntil: "load" });
  expect(response?.status() === status, `${path}: status ${response?.status()}, expected ${status}`);
  return response;
}

// Weighs HTML, styles and scripts that a page transfers from now on, as on a first visit.
export async function scales(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  const weighed = new Set();
  session.on("Network.responseReceived", ({ requestId, type }) => {
    if (["Document", "Stylesheet", "Script"].includes(type)) weighed.add(requestId);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (weighed.has(requestId)) bytes += encodedDataLength;
  });
  const taken = async () => {
    await session.detach();
    return bytes;
  };
  return { taken };
}

// Findings of axe, each with the rule, the place and how to mend it. Of all rules, or of some.
export async function accessibility(page, rules) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axeSource);
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  const found = await page.evaluate((asked) => window.axe.run(document, asked), options);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map((node) => `${id} at ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`),
  );
}

// How many pixels the page is wider than its window, or a button than its card; the elements, and the page's size.
export async function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const height = document.documentElement.scrollHeight;
    const right = (element) => element.getBoundingClientRect().right;
    const name = (element) => `${element.tagName.toLowerCase()}.${element.className}`;
    const buttons = [...document.querySelectorAll(".card button, .card .button")].filter((button) => !button.closest(".scroll, .swagger-ui"));
    const out = buttons.filter((button) => right(button) > right(button.closest(".card")) - 4);
    const excess = document.documentElement.scrollWidth - width;
    if (excess <= 0) return { excess: out.length, by: out.map(name), width, height };
    const wide = [...document.querySelectorAll("body *")].filter((element) => right(element) > width + 1);
    return { excess, width, height, by: wide.slice(0, 4).map(name) };
  });
}
