// Socket.IO on uWebSockets.js, webhooks on its HTTP server.
import { DatabaseSync } from "node:sqlite";

import { Server } from "socket.io";

import { installDesk, serverOptions } from "./desk.mjs";
import { settings } from "./settings.mjs";
import { openStore } from "./store.mjs";
import { loadUws } from "./uws.mjs";
import { receiveWebhook } from "./webhook.mjs";

const statusLines = { 200: "200 OK", 401: "401 Unauthorized", 503: "503 Service Unavailable" };
const store = openStore(new DatabaseSync(settings.database));
const app = loadUws().App();
const io = new Server(serverOptions);

app.post("/webhook", (response, request) => {
    const signature = request.getHeader("x-hub-signature-256");
    const parts = [];
    let aborted = false;
    response.onAborted(() => {
        aborted = true;
    });
    response.onData((part, last) => {
        parts.push(Buffer.from(part.slice(0))); // its memory is only lent
        if (last) {
            receiveWebhook(io, store, parts.length === 1 ? parts[0] : Buffer.concat(parts), signature, (status) => {
                if (!aborted) {
                    response.cork(() => response.writeStatus(statusLines[status]).end());
                }
            });
        }
    });
});
io.attachApp(app);
installDesk(io);
app.listen("127.0.0.1", settings.port, (listening) => {
    if (!listening) {
        process.exit(1);
    }
});
