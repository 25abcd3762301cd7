// A webhook from its bytes to its answer: signature, store, emit.
import { createHmac, timingSafeEqual } from "node:crypto";

import { emitMessage } from "./desk.mjs";
import { settings } from "./settings.mjs";

function signatureMatches(body, header) {
    const expected = Buffer.from(`sha256=${createHmac("sha256", settings.appSecret).update(body).digest("hex")}`);
    const given = Buffer.from(header ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
}

// Every message of a payload, with the name of the one who sent it.
function* messagesOf(payload) {
    for (const entry of payload.entry ?? []) {
        for (const { value } of entry.changes ?? []) {
            for (const message of value.messages ?? []) {
                const contact = value.contacts?.find(({ wa_id }) => wa_id === message.from);
                yield [value.metadata.phone_number_id, message, contact?.profile?.name ?? null];
            }
        }
    }
}

// answer(status) once what the body says is on disk; the agents are told before.
export function receiveWebhook(io, store, body, signature, answer) {
    if (!signatureMatches(body, signature)) {
        answer(401);
        return;
    }
    const messages = [...messagesOf(JSON.parse(body.toString()))];
    store(
        (append) => messages.map((message) => append(...message)),
        (error, stored) => {
            stored?.forEach((row, number) => {
                if (row) {
                    const [, message, profileName] = messages[number];
                    emitMessage(io, row, message, profileName);
                }
            });
            answer(error ? 503 : 200);
        },
    );
}
