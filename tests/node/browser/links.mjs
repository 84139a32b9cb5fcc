// A set-up link: made by an operator, opened by a customer's administrator without an account, and revoked.
import { expect, given, open, operator, scenario, visitor } from "./visit.mjs";

const ALLOWED = ["/console/t/acme/enterprise", "/console/t/acme/activity", "/console/t/acme/explain"];
const FORBIDDEN = [
  "/console/t/acme/members",
  "/console/t/acme/settings",
  "/console/t/acme/setup-links",
  "/console/t/globex/enterprise",
  "/console/t/globex/activity",
  "/console/activity",
  "/console/clients",
  "/console/resources",
  "/console/policies",
  "/console/audit",
  "/console/system",
];

async function makeLink(page) {
  await open(page, "/console/t/acme/setup-links");
  await page.getByRole("button", { name: "Make a link", exact: true }).click();
  const link = await page.getByRole("button", { name: "Copy Set-up link", exact: true }).getAttribute("data-copy");
  await page.getByRole("link", { name: "I have copied it", exact: true }).click();
  // The link has the public address; the test's service is elsewhere.
  return new URL(link).pathname;
}

async function comeIn(page, path) {
  await open(page, path);
  expect(new URL(page.url()).pathname === "/console/set-up", `the token stays in the address: ${page.url()}`);
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  await page.waitForURL("**/t/acme/enterprise");
}

// By the addresses of everything else.
async function reachesNothingElse(page) {
  for (const path of ALLOWED) await open(page, path);
  for (const path of FORBIDDEN) {
    const response = await page.goto(path);
    expect([403, 404].includes(response.status()), `${path} answers ${response.status()}`);
  }
}

scenario(async (browser) => {
  const ours = await operator(browser);
  const path = await makeLink(ours);
  const theirs = await visitor(browser);
  await comeIn(theirs, path);
  await reachesNothingElse(theirs);
  // The link works once, whoever has it.
  const stranger = await visitor(browser);
  await open(stranger, path);
  await stranger.getByRole("button", { name: "Continue", exact: true }).click();
  await stranger.getByText("ask whoever sent it for a new one").waitFor();
  // Revoking it ends the session that it began.
  await open(ours, "/console/t/acme/setup-links");
  await ours.getByRole("button", { name: /^Revoke/ }).first().click();
  await ours.waitForURL("**/setup-links");
  await theirs.goto("/console/t/acme/enterprise");
  await theirs.getByRole("heading", { name: "Sign in", exact: true }).waitFor();
});
