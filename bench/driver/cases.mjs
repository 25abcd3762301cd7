// What is measured: the arguments of siod-load, the servers that are compared, and what a result's main number counts.
const all = ["siod", "ws", "uws", "bun", "raw"];
const stores = ["siod", "ws", "uws", "bun", "uws-group", "bun-group", "raw-sync"];
const fanout = (...load) => ["fanout", ...load];
const webhook = (...load) => ["webhook", "--conns", "20", ...load];

// cpus: of the server; the generator has core 1. once: in the first round only. seconds: what one server takes beside
// warm-up and measurement, for the estimate.
export const cases = {
    fan50w8: {
        help: "20 chats of 50, 8 keystrokes of each under way",
        unit: "deliveries/s",
        load: fanout("--rooms", 20, "--members", 50, "--window", 8),
        servers: all,
        seconds: 3,
    },
    fan50idle9k: {
        help: "the same beside 9,000 idle connections",
        unit: "deliveries/s",
        load: fanout("--rooms", 20, "--members", 50, "--window", 8, "--idle", 9000),
        servers: all,
        seconds: 8,
    },
    fan50w1: {
        help: "20 chats of 50, one keystroke under way",
        unit: "deliveries/s",
        load: fanout("--rooms", 20, "--members", 50, "--window", 1),
        servers: all,
        seconds: 3,
    },
    fan4w2: {
        help: "250 chats of 4, two under way",
        unit: "deliveries/s",
        load: fanout("--rooms", 250, "--members", 4, "--window", 2),
        servers: all,
        seconds: 3,
    },
    fan50r400: {
        help: "20 chats of 50, 400 keystrokes a second in all",
        unit: "deliveries/s",
        load: fanout("--rooms", 20, "--members", 50, "--rate", 400),
        servers: all,
        seconds: 3,
    },
    ack1: {
        help: "join_chat on 100 connections, one under way on each",
        unit: "acks/s",
        load: ["ack", "--conns", 100, "--window", 1],
        servers: all,
        seconds: 1.5,
    },
    ack8: {
        help: "join_chat on 100 connections, 8 under way on each",
        unit: "acks/s",
        load: ["ack", "--conns", 100, "--window", 8],
        servers: all,
        seconds: 1.5,
    },
    hook: {
        help: "webhooks over 16 connections to 20 agents, each on disk before its 200",
        unit: "webhooks/s",
        load: webhook("--http", 16),
        servers: stores,
        seconds: 1.5,
    },
    hook1: {
        help: "webhooks over one connection",
        unit: "webhooks/s",
        load: webhook("--http", 1),
        servers: ["siod"],
        cpus: "0,1",
        seconds: 1.5,
    },
    hook8: {
        help: "webhooks over 8 connections",
        unit: "webhooks/s",
        load: webhook("--http", 8),
        servers: ["siod"],
        cpus: "0,1",
        seconds: 1.5,
    },
    batch1000: {
        help: "webhooks of 1,000 messages over 2 connections to one agent",
        unit: "webhooks/s",
        load: ["webhook", "--conns", 1, "--http", 2, "--batch", 1000],
        servers: ["siod"],
        cpus: "0,1",
        seconds: 3,
    },
    hook64: {
        help: "webhooks over 64 connections, both cores: synchronous FULL and NORMAL",
        unit: "webhooks/s",
        load: webhook("--http", 64),
        servers: ["siod", "siod-normal"],
        cpus: "0,1",
        seconds: 1.5,
    },
    hookr500: {
        help: "500 webhooks a second, each on disk before its 200",
        unit: "webhooks/s",
        load: webhook("--http", 16, "--rate", 500),
        servers: stores,
        seconds: 1.5,
    },
    idle10k: {
        help: "10,000 connections, tokens checked",
        unit: "connects/s",
        load: ["idle", "--conns", 10000],
        servers: all,
        unmeasured: true,
        seconds: 7,
    },
    idle18k: {
        help: "18,000 connections held through two heartbeats",
        unit: "connects/s",
        load: ["idle", "--conns", 18000, "--hold", 50],
        servers: ["siod"],
        once: true,
        unmeasured: true,
        seconds: 54,
    },
};
