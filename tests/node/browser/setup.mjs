// From an empty database to the first exchange: by clicking alone, and with what the pages showed.
import { exchangeJwtAuthGrant } from "@modelcontextprotocol/client";
import { expect, given, open, scenario, signIn, visitor } from "./visit.mjs";

const main = (page) => page.locator("main");
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const follow = (page, name) => page.getByRole("link", { name, exact: true }).first().click();

async function place(page, name) {
  await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name, exact: true }).click();
}

async function tab(page, name) {
  await page.getByRole("navigation", { name: "Acme", exact: true }).getByRole("link", { name, exact: true }).click();
}

async function fill(page, fields) {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
}

// The value that a button copies.
const shown = (page, label) => page.getByRole("button", { name: `Copy ${label}`, exact: true }).getAttribute("data-copy");

async function says(page, ...texts) {
  for (const text of texts) await main(page).getByText(text).first().waitFor();
}

async function addTeamspace(page) {
  await says(page, "There is no teamspace yet");
  await follow(page, "New teamspace");
  await fill(page, { Name: "Acme", Slug: "acme", "Email domains": "acme.com" });
  await press(page, "Add teamspace");
  await says(page, "Acme was added.", "Not configured");
}

async function configureProvider(page) {
  await follow(page, "Acme");
  await says(page, "0 of 3", "Enter the issuer");
  await tab(page, "Enterprise");
  await follow(page, "Configure");
  // A typing mistake is explained where it was made, with what was checked, and nothing is lost.
  await fill(page, { "Identity provider issuer": `${given.idp}/` });
  await press(page, "Save");
  await says(page, "Nothing was saved.", "What was checked", "only by a trailing slash");
  const typed = await page.getByLabel("Identity provider issuer").inputValue();
  expect(typed === `${given.idp}/`, `the issuer that was typed is gone: ${typed}`);
  await fill(page, { "Identity provider issuer": given.idp });
  await press(page, "Save");
  await says(page, "is saved.", given.idp);
  await page.getByText("What was checked", { exact: false }).first().click();
  await page.getByText("The key set can be fetched").waitFor();
}

async function addClient(page) {
  await place(page, "Clients");
  await follow(page, "New client");
  await fill(page, { "Client ID": given.client, Name: "Assistant" });
  await press(page, "Add client");
  await says(page, "Copy the secret now.");
  const secret = await shown(page, "Client secret");
  const endpoint = await shown(page, "Token endpoint");
  await follow(page, "I have copied it");
  await says(page, "Add secret");
  return { secret, endpoint };
}

async function addResource(page) {
  await place(page, "Resources");
  await follow(page, "New resource");
  await fill(page, { Name: "Docs", Identifier: given.resource, Scopes: "docs.read Read", "Default scopes": "docs.read" });
  await press(page, "Add resource");
  await says(page, "Docs was registered.");
}

// The published SDK's own call, with what the pages showed.
async function exchange({ secret, endpoint }) {
  const token = await exchangeJwtAuthGrant({
    tokenEndpoint: endpoint,
    clientId: given.client,
    clientSecret: secret,
    jwtAuthGrant: given.assertion,
  });
  expect(token.token_type.toLowerCase() === "bearer" && token.scope === "docs.read", `the token is ${JSON.stringify(token)}`);
}

async function seeWhatCame(page) {
  await place(page, "Teamspaces");
  await follow(page, "Acme");
  await says(page, "Complete", "Somebody was granted access.", "dana@acme.com");
  await tab(page, "Activity");
  await says(page, "Granted");
  await follow(page, "dana@acme.com");
  await says(page, "The client got a token.", given.client, given.resource, "00u1dana");
  await tab(page, "Members");
  await says(page, "dana@acme.com", "first sign-in", "Active");
}

scenario(async (browser) => {
  const page = await visitor(browser);
  await open(page, "/console");
  await signIn(page);
  await addTeamspace(page);
  await configureProvider(page);
  const client = await addClient(page);
  await addResource(page);
  await exchange(client);
  await seeWhatCame(page);
});
