// What siod is held to, each as a number that is compared with a bound.
import { layOut } from "./report.mjs";

const peers = ["ws", "uws", "bun"];
const groupPeers = ["uws-group", "bun-group"];
const format = (value) => (Number.isFinite(value) ? value.toFixed(2) : "-");

// The peer against which `server` looks worst: the least ratio where more is better, else the greatest.
function hardest(results, name, server, path, others, least) {
    const ratios = others.map((other) => results.ratio(name, server, other, path)).filter(Number.isFinite);
    return ratios.length ? (least ? Math.min : Math.max)(...ratios) : NaN;
}

const generatorIsLimit = (results, name) => results.median(name, "siod", "generator_load") > 0.95;

// Of the others' rate; where the generator is the limit, of their CPU time for one of what is counted.
function rate(others) {
    const measure = (results, name, server) =>
        generatorIsLimit(results, name)
            ? 1 / hardest(results, name, server, "cpu_us", others, false)
            : hardest(results, name, server, "per_s", others, true);
    return Object.assign(measure, { isRate: true });
}

const p99 = (others) => (results, name, server) => hardest(results, name, server, "latency_us.p99", others, false);
const load = (others) => (results, name, server) => hardest(results, name, server, "server_load", others, false);
const ofRaw = rate(["raw"]);
const value = (path) => (results, name, server) => results.median(name, server, path);
const fullOfNormal = (results, name, server) => results.ratio(name, server, "siod-normal", "per_s");

// case, what, number, bound: ">= 8" or "<= 0.5"
const targets = [
    ["fan50w8", "times the best peer", rate(peers), ">=", 8],
    ["fan50w8", "of raw", ofRaw, ">=", 0.9],
    ["fan50idle9k", "times the best peer", rate(peers), ">=", 8],
    ["fan50idle9k", "of raw", ofRaw, ">=", 0.9],
    ["fan50w1", "times the best peer", rate(peers), ">=", 1.5],
    ["fan50w1", "of raw", ofRaw, ">=", 0.9],
    ["fan4w2", "times the best peer", rate(peers), ">=", 1.5],
    ["fan4w2", "of raw", ofRaw, ">=", 0.9],
    ["fan50r400", "p99 of the best peer's", p99(peers), "<=", 0.5],
    ["fan50r400", "CPU of the best peer's", load(peers), "<=", 0.55],
    ["ack1", "times the best peer", rate(peers), ">=", 1.3],
    ["ack8", "times the best peer", rate(peers), ">=", 6],
    ["hook", "times the best peer, a transaction each", rate(peers), ">=", 4],
    ["hook", "times the best peer with group commit", rate(groupPeers)],
    ["hook64", "FULL of NORMAL", fullOfNormal, ">=", 0.9],
    ["hookr500", "p99 of the best peer's, a transaction each", p99(peers), "<=", 0.5],
    ["hookr500", "p99 of the best peer's with group commit", p99(groupPeers)],
    ["idle10k", "times Bun's connects/s", rate(["bun"]), ">=", 4],
    ["idle10k", "KB for each connection", value("kb_each"), "<=", 2.5],
    ["idle18k", "cores while idle", value("idle_load"), "<=", 0.1],
];

function verdict(number, sign, bound) {
    if (bound === undefined) {
        return "for information";
    }
    if (!Number.isFinite(number)) {
        return "not measured";
    }
    return (sign === ">=" ? number >= bound : number <= bound) ? "met" : "NOT MET";
}

// The lines of the table of targets of the cases that were measured. `bare epoll` is the same number for raw, and where
// webhooks are stored for raw-sync, which takes them to the disk one by one.
export function targetTable(results, names) {
    const rows = targets
        .filter(([name]) => names.includes(name))
        .map(([name, what, measure, sign, bound]) => {
            const number = measure(results, name, "siod");
            const raw = ["raw", "raw-sync"].map((server) => measure(results, name, server)).find(Number.isFinite);
            const target = bound === undefined ? "" : `${sign} ${bound}`;
            const how = measure.isRate && generatorIsLimit(results, name) ? ", in CPU time" : "";
            return [name, `${what}${how}`, format(number), format(raw), target, verdict(number, sign, bound)];
        });
    return layOut([["case", "siod is", "measured", "bare epoll", "target", ""], ...rows]);
}
