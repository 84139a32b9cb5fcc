// Forms: by keyboard alone, with mistakes, sent twice, gone back to, after the session has ended, and from another site.
import { createServer } from "node:http";
import { another, expect, given, open, scenario, signIn, visitor } from "./visit.mjs";

// Presses Tab until the focus is where it is wanted, and says so if it never gets there.
async function tabTo(page, name) {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate((wanted) => {
      const focused = document.activeElement;
      const outline = getComputedStyle(focused).outlineStyle;
      const named = focused.labels?.[0]?.textContent ?? focused.textContent;
      return named?.trim().startsWith(wanted) ? { outline } : null;
    }, name);
    if (found) {
      expect(found.outline !== "none", `the focus is not visible at ${name}`);
      return;
    }
  }
  throw new Error(`Tab does not reach ${name} on ${page.url()}`);
}

async function byKeyboardAlone(browser) {
  const page = await visitor(browser);
  await open(page, "/console/sign-in");
  await tabTo(page, "Set-up token");
  await page.keyboard.type(given.tokens.pop());
  await page.keyboard.press("Enter");
  await page.waitForURL("**/teamspaces");
  await tabTo(page, "New teamspace");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/teamspaces/new");
  await tabTo(page, "Slug");
  await page.keyboard.type("keyboard");
  await tabTo(page, "Name");
  await page.keyboard.type("Keyboard <b>Inc.</b>");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !url.pathname.endsWith("/new"));
  expect((await page.locator("main").innerText()).includes("Keyboard <b>Inc.</b>"), "markup in a name is not shown as text");
  await page.context().close();
}

async function mistakesKeepWhatWasTyped(browser) {
  const page = await visitor(browser);
  await signIn(page);
  await page.goto("/console/teamspaces/new");
  await page.getByLabel("Slug").fill("Not A Slug");
  await page.getByLabel("Name", { exact: true }).fill("Typed once");
  await page.locator("main form button.primary").click();
  const summary = page.getByRole("alert");
  await summary.waitFor();
  expect((await page.getByLabel("Slug").inputValue()) === "Not A Slug", "the slug that was typed is gone");
  expect((await page.getByLabel("Name", { exact: true }).inputValue()) === "Typed once", "the name that was typed is gone");
  await summary.getByRole("link").first().click();
  const focused = await page.evaluate(() => document.activeElement.id);
  expect(focused === "slug", `the summary's link leads to ${focused}`);
  await page.context().close();
}

// The session ends while a form is filled in.
async function endedSessionsLoseNothing(browser) {
  const page = await visitor(browser);
  await signIn(page);
  await page.goto("/console/teamspaces/new");
  await page.getByLabel("Slug").fill("late");
  await page.getByLabel("Name", { exact: true }).fill("Typed before the end");
  await page.context().clearCookies();
  await page.locator("main form button.primary").click();
  await page.getByRole("heading", { name: "Sign in again" }).waitFor();
  const [tab] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("link", { name: "Sign in in another tab" }).click()]);
  await tab.getByLabel("Set-up token", { exact: true }).fill(given.tokens.pop());
  await tab.getByRole("button", { name: "Continue" }).click();
  await tab.waitForURL("**/teamspaces");
  await page.getByRole("button", { name: "Send again" }).click();
  await page.getByText("Typed before the end was added").waitFor();
  await page.context().close();
}

// What another site's page has the browser send is refused, cookies or not.
async function otherSitesAreRefused(browser) {
  const page = await visitor(browser);
  await signIn(page);
  const form = `<form method="post" action="${given.base}/console/teamspaces"><input name="slug" value="forged"><input name="name" value="Forged"><button>Send</button></form>`;
  const other = createServer((_, response) => response.end(`<!doctype html><title>x</title>${form}`));
  await new Promise((ready) => other.listen(0, "localhost", ready));
  const context = page.context();
  const elsewhere = await context.newPage();
  await elsewhere.goto(`http://localhost:${other.address().port}/`);
  const [answer] = await Promise.all([
    elsewhere.waitForResponse((response) => response.url().startsWith(given.base)),
    elsewhere.getByRole("button").click(),
  ]);
  expect(answer.status() === 403, `a form of another site is answered with ${answer.status()}`);
  other.close();
  await page.goto("/console/teamspaces");
  expect(!(await page.locator("main").innerText()).includes("Forged"), "another site's form made a teamspace");
  await context.close();
}

// Two quick clicks send a form once.
async function twoClicksAreOne(browser) {
  const page = await visitor(browser);
  await signIn(page);
  let sent = 0;
  page.on("request", (request) => { if (request.method() === "POST") sent += 1; });
  for (const [path, fields, button, outcome] of [
    ["/console/teamspaces/new", { Slug: "twice", Name: "Twice" }, "Add teamspace", "Twice was added."],
    ["/console/clients/new", { Name: "Clicked twice" }, "Add client", "Copy the secret now."],
    ["/console/t/twice/settings", { Name: "Twice and more" }, "Save", "The changes were saved."],
    ["/console/t/acme/members", { Email: "twice@acme.com" }, "Invite", "twice@acme.com is invited"],
  ]) {
    sent = 0;
    await open(page, path);
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole("button", { name: button, exact: true }).dblclick();
    await page.getByText(outcome).waitFor();
    expect(sent === 1, `two clicks on ${button} sent the form ${sent} times`);
  }
  await open(page, "/console/clients");
  const clients = await page.getByRole("link", { name: "Clicked twice" }).count();
  expect(clients === 1, `two clicks registered ${clients} clients`);
  await page.context().close();
}

// The back button leads to a form that works, and sends nothing.
async function backAfterASave(browser) {
  const page = await visitor(browser);
  await signIn(page);
  await open(page, "/console/t/globex/settings");
  const save = async (name) => {
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("The changes were saved.").waitFor();
  };
  await save("Globex one");
  let sent = 0;
  page.on("request", (request) => { if (request.method() === "POST") sent += 1; });
  await page.goBack();
  await page.getByLabel("Name", { exact: true }).waitFor();
  expect(sent === 0, "the back button sent the form again");
  // The page of before knows the value that was saved since, so it can be saved at once.
  await save("Globex two");
  await page.context().close();
}

// After a sign-out, no page of before comes back: neither from the cache, nor as the browser has kept it.
async function backAfterASignOut(browser) {
  const page = await visitor(browser);
  await signIn(page);
  await open(page, "/console/t/acme/members");
  const kept = await another(page);
  await open(kept, "/console/t/acme/members");
  await page.locator("details.account summary").click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Sign in", exact: true }).waitFor();
  expect(!(await page.locator("body").innerText()).includes("dana@acme.com"), "the back button shows a page of before");
  // As in a browser that has kept the page as it was.
  await kept.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await kept.getByRole("heading", { name: "Sign in", exact: true }).waitFor();
  await page.context().close();
}

scenario(async (browser) => {
  await Promise.all([
    byKeyboardAlone(browser).then(() => backAfterASignOut(browser)),
    mistakesKeepWhatWasTyped(browser).then(() => endedSessionsLoseNothing(browser)),
    otherSitesAreRefused(browser).then(() => backAfterASave(browser)),
    twoClicksAreOne(browser),
  ]);
});
