// Signing in with OpenID Connect, at the demonstration's own identity provider.
import { accessibility, expect, given, open, problem, scenario, visitor } from "./visit.mjs";

async function choose(page, name) {
  await page.getByRole("link", { name: "Sign in with OpenID Connect", exact: true }).click();
  await page.getByRole("heading", { name: "Who are you?" }).waitFor();
  await page.getByRole("link", { name, exact: true }).click();
}

async function axe(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const finding of await accessibility(page)) problem(`${name} (${colorScheme}): ${finding}`);
  }
}

// The operator gets to the page that was asked for, and stays signed in when going back.
async function anOperatorComesIn(browser) {
  const page = await visitor(browser);
  await open(page, "/console/system");
  await axe(page, "sign-in");
  await choose(page, "olive");
  await page.getByRole("heading", { name: "System", exact: true }).waitFor();
  expect(new URL(page.url()).pathname === "/console/system", `the sign-in leads to ${page.url()}`);
  expect(!page.url().includes("code="), "the code stays in the address");
  await page.getByText(given.operator).first().waitFor();
  await page.goBack();
  await open(page, "/console/teamspaces");
  await page.getByRole("link", { name: "New teamspace", exact: true }).waitFor();
  await page.context().close();
}

// Somebody whom nobody has let in is told so, with the address.
async function aStrangerIsToldWho(browser) {
  const page = await visitor(browser);
  await open(page, "/console/sign-in");
  await choose(page, "noor");
  await page.getByRole("heading", { name: "You are not signed in", exact: true }).waitFor();
  await page.getByText("noor@elsewhere.example").waitFor();
  await axe(page, "a stranger's answer");
  await page.context().close();
}

// An answer that no sign-in of this browser waits for.
async function aForeignAnswerIsRefused(browser) {
  const page = await visitor(browser);
  await open(page, "/console/sign-in/callback?code=stolen&state=foreign", 400);
  await page.getByRole("heading", { name: "Sign in again", exact: true }).waitFor();
  await axe(page, "a foreign answer");
  await page.context().close();
}

// The link that the demonstration prints.
async function theLinkOfTheDemonstration(browser) {
  const page = await visitor(browser);
  await page.goto(given.link);
  await page.getByRole("link", { name: "New teamspace", exact: true }).waitFor();
  await page.context().close();
}

scenario(async (browser) => {
  await Promise.all([
    anOperatorComesIn(browser),
    aStrangerIsToldWho(browser),
    aForeignAnswerIsRefused(browser),
    theLinkOfTheDemonstration(browser),
  ]);
});
