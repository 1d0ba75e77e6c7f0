/** Tests of rules that the whole public surface keeps, by its text in `api.txt`. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const API = readFileSync(new URL("api.txt", import.meta.url), "utf8");

test("every optional property of an options type may be undefined, for callers with exactOptionalPropertyTypes", () => {
  const strict: string[] = [];
  let type = "";
  for (const line of API.split("\n")) {
    if (/^\w/.test(line)) type = /^(?:interface|type) (\w+)/.exec(line)?.[1] ?? "";
    // The end of a type that begins with a brace is on another line.
    const isOptional = /^ +(?:readonly )?\w+\?: .*[^{]$/.test(line);
    if (type.endsWith("Options") && isOptional && !line.includes("undefined")) {
      strict.push(`${type}: ${line.trim()}`);
    }
  }
  assert.ok(API.includes("interface ClientOptions"), "the text is read");
  assert.deepEqual(strict, []);
});
