import { importTests } from "../support/folder.ts";

await importTests(import.meta.url, (name) => import(`./${name}_test.ts`));
