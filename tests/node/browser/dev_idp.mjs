// The page of `countersign dev-idp`: an ID-JAG is taken, the commands are copied, and it looks sound everywhere.
import { mkdirSync } from "node:fs";
import { accessibility, expect, given, open, overflow, problem, scenario, visitor } from "./visit.mjs";

const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };

async function look(page, name) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const finding of await accessibility(page)) problem(`${name} (${size}, ${colorScheme}): ${finding}`);
      await page.screenshot({ path: `${given.screenshots}/${name}.${size}.${colorScheme}.png`, fullPage: true });
    }
    const { excess, by } = await overflow(page);
    expect(excess === 0, `${name} (${size}) is ${excess} px too wide: ${by.join(", ")}`);
  }
  await page.setViewportSize(SIZES.wide);
}

scenario(async (browser) => {
  mkdirSync(given.screenshots, { recursive: true });
  const page = await visitor(browser);
  await open(page, "/");
  await look(page, "dev-idp");
  await page.getByLabel("Person").selectOption("mallory");
  await page.getByRole("button", { name: "Take an ID-JAG" }).click();
  await page.getByRole("alert").getByText("not assigned").waitFor();
  await look(page, "dev-idp-refused");
  await page.getByLabel("Person").selectOption("dana");
  await page.getByLabel("MCP server").fill("https://mcp.example.com/mcp");
  await page.getByRole("button", { name: "Take an ID-JAG" }).click();
  await page.getByRole("heading", { name: "ID-JAG for dana" }).waitFor();
  expect((await page.getByLabel("Person").inputValue()) === "dana", "the choice is not kept");
  await look(page, "dev-idp-taken");
  await open(page, given.login);
  await page.getByRole("heading", { name: "Who are you?" }).waitFor();
  await look(page, "dev-idp-login");
  await page.context().close();

  const plain = await visitor(browser, { javaScriptEnabled: false });
  await open(plain, "/");
  await plain.getByRole("button", { name: "Take an ID-JAG" }).click();
  await plain.getByRole("heading", { name: "ID-JAG for dana" }).waitFor();
  await plain.context().close();
});
