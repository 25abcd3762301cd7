// What the two programs read their command lines with.
import { parseArgs } from "node:util";

// Ends the process with 2: the command line is wrong.
export function fail(text) {
    process.stderr.write(text);
    process.exit(2);
}

// options as parseArgs takes them, help added.
export function parse(options, usage) {
    let values;
    try {
        ({ values } = parseArgs({ options: { ...options, help: { type: "boolean", short: "h", default: false } } }));
    } catch (error) {
        fail(`bench: ${error.message}\n${usage}`);
    }
    if (values.help) {
        process.stdout.write(usage);
        process.exit(0);
    }
    return values;
}

// The names of a comma-separated list that must all be in `table`; all of them without a list.
export function namesOf(list, table, what, usage) {
    const names = list?.split(",") ?? Object.keys(table);
    const unknown = names.find((name) => !Object.hasOwn(table, name));
    if (unknown !== undefined) {
        fail(`bench: there is no ${what} ${unknown}\n${usage}`);
    }
    return names;
}

export function numberOf(text, name) {
    const value = Number(text);
    if (!(value > 0)) {
        fail(`bench: --${name} ${text} is no positive number\n`);
    }
    return value;
}
