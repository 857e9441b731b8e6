// Bundles src/ into the package: a script, what it loads to draw charts, one stylesheet, one document. No network, no configuration.
//
//   node build.js            into ../stethoscope/dashboards/built
//   node build.js --watch    the same again at each change, not minified
//   node build.js --tests    src/**/*.test.ts into built-tests/, for node --test

import { context, build } from "esbuild";
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const into = join(here, "..", "stethoscope", "dashboards", "built");
const watch = process.argv.includes("--watch");

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
};

if (process.argv.includes("--tests")) {
  const found = (await readdir(join(here, "src"), { recursive: true })).filter((name) => name.endsWith(".test.ts"));
  const entryPoints = found.map((name) => join(here, "src", name));
  await build({ ...common, entryPoints, outdir: join(here, "built-tests"), platform: "node" });
} else {
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  await Promise.all(["index.html", "icon.svg"].map((name) => cp(join(here, "src", name), join(into, name))));
  const options = {
    ...common,
    entryPoints: { app: join(here, "src", "main.tsx"), style: join(here, "src", "style.css") },
    outdir: into,
    splitting: true,
    chunkNames: "[name]",
    minify: !watch,
  };
  if (watch) await (await context(options)).watch();
  else await build(options);
}
