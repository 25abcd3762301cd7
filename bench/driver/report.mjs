// Medians over the rounds, and the table of a case.
export function median(values) {
    const known = values.filter(Number.isFinite).sort((a, b) => a - b);
    const middle = known.length >> 1;
    return known.length ? (known[middle] + known[(known.length - 1) >> 1]) / 2 : NaN;
}

const pick = (row, path) => path.split(".").reduce((value, key) => value?.[key], row);

// All results of a run, as { case, round, server, … } rows.
export class Results {
    constructor() {
        this.rows = [];
    }

    add(row) {
        this.rows.push(row);
    }

    of(name, server) {
        return this.rows.filter((row) => row.case === name && row.server === server && !row.failed);
    }

    servers(name) {
        return [...new Set(this.rows.filter((row) => row.case === name && !row.failed).map(({ server }) => server))];
    }

    median(name, server, path) {
        return median(this.of(name, server).map((row) => pick(row, path)));
    }

    // How many times `server` has what `other` has, as the median over the rounds that both finished: what the machine
    // does meanwhile is then in both.
    ratio(name, server, other, path) {
        const others = this.of(name, other);
        return median(
            this.of(name, server).map((row) => {
                const paired = others.find(({ round }) => round === row.round);
                return paired ? pick(row, path) / pick(paired, path) : NaN;
            }),
        );
    }

    // Messages that did not arrive once: they make a result worthless.
    losses(name, server) {
        const counts = this.of(name, server).flatMap(({ lost, doubled, refused }) => [lost, doubled, refused]);
        return counts.reduce((sum, count) => sum + (count ?? 0), 0);
    }
}

const digits = (value, places = 0) => (Number.isFinite(value) ? value.toFixed(places) : "-");
const columns = [
    ["rounds", (results, name, server) => String(results.of(name, server).length)],
    ["per s", (results, name, server) => digits(results.median(name, server, "per_s"))],
    ["siod is", (results, name, server) => `${digits(results.ratio(name, "siod", server, "per_s"), 2)}x`],
    ["CPU µs", (results, name, server) => digits(results.median(name, server, "cpu_us"), 2)],
    ["of siod's", (results, name, server) => `${digits(results.ratio(name, server, "siod", "cpu_us"), 2)}x`],
    ["server", (results, name, server) => digits(results.median(name, server, "server_load"), 2)],
    ["generator", (results, name, server) => digits(results.median(name, server, "generator_load"), 2)],
    ["p50 µs", (results, name, server) => digits(results.median(name, server, "latency_us.p50"))],
    ["p99 µs", (results, name, server) => digits(results.median(name, server, "latency_us.p99"))],
    ["answer p99", (results, name, server) => digits(results.median(name, server, "reply_us.p99"))],
    ["MB/s", (results, name, server) => digits(results.median(name, server, "bytes_s") / 1e6, 1)],
    ["p99.9 µs", (results, name, server) => digits(results.median(name, server, "latency_us.p999"))],
    ["wrong", (results, name, server) => String(results.losses(name, server))],
    ["KB each", (results, name, server) => digits(results.median(name, server, "kb_each"), 2)],
    ["idle CPU", (results, name, server) => digits(results.median(name, server, "idle_load"), 3)],
    ["a commit", (results, name, server) => digits(results.median(name, server, "webhooks_per_commit"), 1)],
];

// Rows of text as lines, the first column to the left, the others to the right.
export function layOut(rows) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    return rows.map((row) =>
        row
            .map((text, column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[column])))
            .join("  ")
            .trimEnd(),
    );
}

// The lines of a case's table; columns that say nothing about it are left out.
export function caseTable(results, name, { help, unit }) {
    const head = ["server", ...columns.map(([title]) => title)];
    const rows = results
        .servers(name)
        .map((server) => [server, ...columns.map(([, value]) => value(results, name, server))]);
    const kept = [...head.keys()].filter((at) => at === 0 || rows.some((row) => /[0-9]/.test(row[at])));
    return [`${name}: ${help} (${unit})`, ...layOut([head, ...rows].map((row) => kept.map((at) => row[at])))];
}
