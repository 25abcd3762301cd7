// Socket.IO on Node's HTTP server and ws (with bufferutil).
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

import { Server } from "socket.io";

import { installDesk, serverOptions } from "./desk.mjs";
import { settings } from "./settings.mjs";
import { openStore } from "./store.mjs";
import { receiveWebhook } from "./webhook.mjs";

const store = openStore(new DatabaseSync(settings.database));
const server = createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/webhook") {
        response.writeHead(404).end();
        return;
    }
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
        receiveWebhook(io, store, Buffer.concat(parts), request.headers["x-hub-signature-256"], (status) => {
            response.writeHead(status, { "content-length": 0 }).end();
        });
    });
});
const io = new Server(server, serverOptions);
installDesk(io);
// The HTTP request of the handshake is not needed again (Socket.IO's advice on memory).
io.engine.on("connection", (socket) => {
    socket.request = null;
});
server.listen({ port: settings.port, host: "127.0.0.1", backlog: 4096 });
