// Puts the name of a test's file before the name of the test, in the reports of Deno: they would name a helper that
// describes tests, or node:test's own source. The reports of Bun and Node name the file by themselves.
//
// The module of a folder imports it; tests that are run by themselves have it by `deno test --preload`.

/** The part of `Deno.test` that node:test calls. */
type Register = (options: { readonly name: string }) => void;

const { Deno } = globalThis as unknown as { Deno?: { test: Register } };
if (Deno !== undefined) {
  const register = Deno.test;
  Deno.test = (options) => {
    const [, file] = /\/(test\/\S+_test\.ts):/.exec(new Error().stack ?? "") ?? [];
    register(file === undefined ? options : { ...options, name: `${file} > ${options.name}` });
  };
}
