// Connects over TLS with the authorities that the runtime trusts, and prints the result: `tls_client.ts SERVER`.

import process from "node:process";
import { GearmanClient } from "../../mod.ts";

const client = new GearmanClient({ servers: process.argv[2]!, tls: true });
const call = client.echo("trusted").then((bytes) => new TextDecoder().decode(bytes), (error) => `${error.name}`);
process.stdout.write(await call);
await client.close();
