// Pages with markup in texts of others: the browser makes no element of it.
import { expect, given, open, operator, scenario } from "./visit.mjs";

scenario(async (browser) => {
  const page = await operator(browser);
  for (const path of given.screens) {
    await open(page, path);
    const made = await page.locator("[onerror], img[src='x']").count();
    expect(made === 0, `${path} makes ${made} elements of texts`);
    expect((await page.locator("main").textContent()).includes(given.markup), `${path} does not show the text`);
  }
});
