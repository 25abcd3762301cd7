// Socket.IO on Bun: its own HTTP server, @socket.io/bun-engine and bun:sqlite.
import { Database } from "bun:sqlite";

import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

import { installDesk, serverOptions } from "./desk.mjs";
import { settings } from "./settings.mjs";
import { openStore } from "./store.mjs";
import { receiveWebhook } from "./webhook.mjs";

const store = openStore(new Database(settings.database));
const io = new Server(serverOptions);
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
installDesk(io);
const { fetch, websocket } = engine.handler();

async function onWebhook(request) {
    const body = Buffer.from(await request.arrayBuffer());
    return new Promise((resolve) => {
        receiveWebhook(io, store, body, request.headers.get("x-hub-signature-256"), (status) => {
            resolve(new Response(null, { status }));
        });
    });
}

Bun.serve({
    port: settings.port,
    hostname: "127.0.0.1",
    idleTimeout: 30, // longer than the interval between heartbeats, as the engine asks for
    websocket: { ...websocket, perMessageDeflate: false },
    fetch: (request, server) =>
        request.method === "POST" && request.url.endsWith("/webhook") ? onWebhook(request) : fetch(request, server),
});
