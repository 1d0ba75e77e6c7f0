/**
 * Stands for `dial_tcp.ts` in the modules of the npm package for browsers: a browser has no sockets, and its programs need
 * not carry what dials them.
 */

import { GearmanError } from "../errors.ts";
import type { DialTcpOptions } from "./dial_tcp.ts";
import type { Dial } from "./transport.ts";

/** Makes a function that refuses to dial. */
export function dialTcp(_options?: DialTcpOptions): Dial {
  return () => {
    throw new GearmanError("Cannot dial: this runtime has no sockets, pass a dial function");
  };
}
