/** Measures the import of a module: `import.ts MODULE`. What a runtime needs for its first import is not counted. */

import process from "node:process";
import { pathToFileURL } from "node:url";
import { measure } from "./measure.ts";

const module = pathToFileURL(process.argv[2]!).href;
await measure(1, () => import(module));
