/**
 * The page that `scripts/checks/gateway.ts` opens in Chromium: a job whose progress moves a bar and whose result grows on
 * the page while the job runs, and then the scenarios of `gateway_client.ts`.
 */

import { GearmanClient } from "@gearwire/gearman";
import { dialOf, type Outcome, runScenarios } from "./gateway_client.ts";

const control = location.origin;
const gateway = new URLSearchParams(location.search).get("gateway")!;

const bar = document.body.appendChild(document.createElement("progress"));
const text = document.body.appendChild(document.createElement("pre"));

/** Shows a job that writes three lines, and lets it go on only after each has arrived on the page. */
async function showProgress(): Promise<void> {
  const client = new GearmanClient({
    servers: "gateway",
    dial: dialOf({ gateway, WebSocket }),
  });
  const seen: string[] = [];
  for await (const event of client.do("lines", "3")) {
    if (event.type === "status") {
      bar.max = event.denominator;
      bar.value = event.numerator;
    } else if (event.type === "data") {
      text.textContent += new TextDecoder().decode(event.data);
      seen.push(`${bar.position.toFixed(2)} ${text.textContent}`);
      await fetch("/open", { method: "POST" });
    }
  }
  await client.close();
  const expected = ["0.33 line 1\n", "0.67 line 1\nline 2\n", "1.00 line 1\nline 2\nline 3\n"];
  if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error(`The page has shown ${JSON.stringify(seen)}`);
}

let outcomes: Outcome[] = [];
let error = "";
try {
  await showProgress();
  outcomes = await runScenarios({ gateway, control, WebSocket });
} catch (thrown) {
  error = String(thrown);
}
await fetch("/end", { method: "POST", body: JSON.stringify({ outcomes, error }) });
