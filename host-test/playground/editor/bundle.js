// Bundles entry.js into ../vendor/codemirror.js, with the name, version and licence of every package that got in.
//
// The banner is made from what esbuild says it took, so that it cannot name too few. Nothing in the result depends on
// the time or the place, so that whoever builds it again can compare bytes.

import { build } from "esbuild";
import { readFileSync } from "node:fs";

const options = {
  entryPoints: ["entry.js"], bundle: true, format: "esm", minify: true, target: "es2022", legalComments: "none",
  outfile: "../vendor/codemirror.js", metafile: true, charset: "utf8",
};
const { metafile } = await build({ ...options, write: false });
const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => path.match(/node_modules\/(@[^/]+\/[^/]+|[^/]+)/)?.[1] ?? []));
const named = [...packages].sort().map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const licence = readFileSync(`node_modules/${name}/LICENSE`, "utf8");
  return { text: `${name} ${version} (${license})`, copyright: licence.match(/Copyright .*/)?.[0] ?? "", licence };
});
const permission = named[0].licence.slice(named[0].licence.indexOf("Permission is hereby granted")).trim();
const banner = [
  "/*! Built from ../editor by `npm run bundle`; do not edit. It holds:", ...named.map(({ text, copyright }) => ` * ${text}, ${copyright}`),
  " *", ...permission.split("\n").map((line) => ` * ${line}`.trimEnd()), " */",
].join("\n");
const { metafile: made } = await build({ ...options, banner: { js: banner } });
console.log(`vendor/codemirror.js: ${Object.values(made.outputs)[0].bytes} bytes, ${named.length} packages`);
