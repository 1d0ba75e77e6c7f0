/** Tests of ValidationError: its message says what is wrong, and where. */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { GearmanError, type SchemaIssue, ValidationError } from "../../mod.ts";

const messageOf = (...issues: readonly SchemaIssue[]) => new ValidationError("resize", "input", issues).message;

test("a ValidationError is a GearmanError with the function, the part and the issues of the schema", () => {
  const issues = [{ message: "Required", path: ["name"] }];
  const error = new ValidationError("resize", "output", issues);
  assert.ok(error instanceof GearmanError);
  assert.ok(error instanceof Error);
  assert.equal(error.name, "ValidationError");
  assert.equal(error.functionName, "resize");
  assert.equal(error.part, "output");
  assert.equal(error.issues, issues);
  assert.equal(error.message, 'The output of "resize" is invalid: name: Required');
  assert.match(inspect(error), /^ValidationError: The output of "resize" is invalid: name: Required\n/);
});

test("a ValidationError has a cause only if it is given one", () => {
  const cause = new SyntaxError("no JSON");
  assert.equal(new ValidationError("resize", "input", [cause], { cause }).cause, cause);
  assert.ok(!("cause" in new ValidationError("resize", "input", [{ message: "Required" }])));
});

test("the message has the path of each issue, whatever the library makes it of", () => {
  assert.equal(messageOf({ message: "too few" }), 'The input of "resize" is invalid: too few');
  assert.equal(messageOf({ message: "too few", path: [] }), 'The input of "resize" is invalid: too few');
  assert.equal(messageOf({ message: "too few", path: undefined }), 'The input of "resize" is invalid: too few');
  const path = ["items", 0, { key: "name" }, { key: 7 }, Symbol("s"), "", { key: "" }, { key: 0 }];
  assert.equal(
    messageOf({ message: "bad", path }),
    'The input of "resize" is invalid: items.0.name.7.Symbol(s)...0: bad',
  );
});

test("the message has several issues, in their order", () => {
  const issues = [{ message: "Required", path: ["name"] }, { message: "Too small", path: ["width"] }];
  assert.equal(messageOf(...issues), 'The input of "resize" is invalid: name: Required; width: Too small');
});

test("the message stays short and in one line, whatever the issues say", () => {
  const issues = Array.from({ length: 1_000 }, (_, index) => ({ message: "bad\n\u0007", path: [`key\0${index}`] }));
  const message = messageOf(...issues);
  assert.match(message, /^The input of "resize" is invalid: key 0: bad ; key 1: bad ; /);
  assert.ok(message.length < 250, String(message.length));
  assert.doesNotMatch(message, /\p{Cc}/u);
});

test("issues and paths may be subclasses of Array with constructors of their own", () => {
  class Issues extends Array<SchemaIssue> {
    readonly context: object;
    constructor(context: object, ...issues: readonly SchemaIssue[]) {
      if (typeof context !== "object") throw new Error("made by map()");
      super(...issues);
      this.context = context;
    }
  }
  class Path extends Array<PropertyKey> {
    constructor(...keys: readonly PropertyKey[]) {
      if (typeof keys[0] === "number") throw new Error("made by map()");
      super(...keys as string[]);
    }
  }
  const path = new Path("a", "b");
  const issues = new Issues({}, { message: "bad", path }, { message: "worse" });
  assert.equal(new ValidationError("x", "input", issues).message, 'The input of "x" is invalid: a.b: bad; worse');
});
