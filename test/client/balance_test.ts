/** Tests of the policies that order servers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Balance, orderServers } from "../../src/client/balance.ts";
import { utf8 } from "../support/bytes.ts";

const serversOf = (...names: string[]) => names.map((name) => ({ name }));
const namesOf = (servers: readonly { name: string }[]) => servers.map(({ name }) => name).join(" ");

/** A function that counts up. */
function counter(): () => number {
  let turn = 0;
  return () => turn++;
}

test("failover always keeps the order of the list", () => {
  const servers = serversOf("a:1", "b:2", "c:3");
  const turn = counter();
  for (const key of [undefined, "u"]) {
    assert.equal(namesOf(orderServers(servers, "failover", key, turn)), "a:1 b:2 c:3");
  }
  assert.equal(turn(), 0);
});

test("round-robin begins with each server in turn, and continues in order", () => {
  const servers = serversOf("a:1", "b:2", "c:3");
  const turn = counter();
  const orders = [1, 2, 3, 4].map(() => namesOf(orderServers(servers, "round-robin", "u", turn)));
  assert.deepEqual(orders, ["a:1 b:2 c:3", "b:2 c:3 a:1", "c:3 a:1 b:2", "a:1 b:2 c:3"]);
  assert.equal(namesOf(servers), "a:1 b:2 c:3", "the list itself stays as it is");
});

test("unique without a unique is round-robin, and with one server there is no choice", () => {
  const turn = counter();
  const servers = serversOf("a:1", "b:2");
  assert.equal(namesOf(orderServers(servers, "unique", undefined, turn)), "a:1 b:2");
  assert.equal(namesOf(orderServers(servers, "unique", undefined, turn)), "b:2 a:1");
  for (const balance of ["failover", "round-robin", "unique"] as Balance[]) {
    assert.equal(namesOf(orderServers(serversOf("a:1"), balance, "u", turn)), "a:1");
  }
});

test("unique gives text and its bytes the same order, whatever the order of the list", () => {
  const lists = [serversOf("a:1", "b:2", "c:3"), serversOf("c:3", "a:1", "b:2")];
  for (let i = 0; i < 50; i++) {
    const key = `\u00fc ${i}`;
    const orders = lists.flatMap((list) =>
      [key, utf8(key)].map((one) => namesOf(orderServers(list, "unique", one, counter())))
    );
    assert.equal(new Set(orders).size, 1, `${orders}`);
  }
});

test("unique spreads keys evenly, also for names and keys that hardly differ", () => {
  const names = Array.from({ length: 5 }, (_, i) => `10.0.0.${i + 1}:4730`);
  const counts = new Map(names.map((name) => [name, 0]));
  for (let i = 0; i < 10_000; i++) {
    const [first] = orderServers(serversOf(...names), "unique", `${i}`, counter());
    counts.set(first!.name, counts.get(first!.name)! + 1);
  }
  for (const [name, count] of counts) assert.ok(count > 1_800 && count < 2_200, `${name}: ${count}`);
});

test("adding or removing a server moves only its share: the others keep their order", () => {
  const names = ["a:1", "b:2", "c:3", "d:4", "e:5"];
  for (let i = 0; i < 200; i++) {
    const all = namesOf(orderServers(serversOf(...names), "unique", `${i}`, counter())).split(" ");
    for (const removed of names) {
      const remaining = orderServers(
        serversOf(...names.filter((name) => name !== removed)),
        "unique",
        `${i}`,
        counter(),
      );
      assert.equal(namesOf(remaining), all.filter((name) => name !== removed).join(" "));
    }
  }
});

test("a unique selects the same server in every version, since programs of all versions must agree", () => {
  const servers = serversOf("a:4730", "b:4730", "c:4730");
  const chosen = ["", "1", "job", "\u00fc", "x".repeat(63)].map((key) =>
    orderServers(servers, "unique", key, counter())[0]!.name
  );
  assert.deepEqual(chosen, ["b:4730", "b:4730", "b:4730", "c:4730", "c:4730"]);
});
