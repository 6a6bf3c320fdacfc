/* Checks messages against the protocol's schemas with ajv, as a client in JavaScript would.
 *
 * node check.mjs FILE.json ...   a file is called SCHEMA.WHAT.json; writes {"FILE.json": [failing keywords]}
 */

import {readFileSync, readdirSync} from "node:fs"
import {basename, dirname, join} from "node:path"
import {fileURLToPath} from "node:url"
import Ajv2020 from "ajv/dist/2020.js"

const folder = join(dirname(fileURLToPath(import.meta.url)), "..")
const read = path => JSON.parse(readFileSync(path, "utf8"))

const ajv = new Ajv2020.default({strict: true, allErrors: true})
for (const name of readdirSync(folder).filter(name => name.endsWith(".schema.json"))) {
    ajv.addSchema(read(join(folder, name)))
}

const found = {}
for (const path of process.argv.slice(2)) {
    const validate = ajv.getSchema(`${basename(path).split(".")[0]}.schema.json`)
    found[basename(path)] = validate(read(path)) ? [] : validate.errors.map(error => error.keyword)
}
console.log(JSON.stringify(found))
