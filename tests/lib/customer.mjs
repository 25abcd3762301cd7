// A customer of a business, as siod hears of one: signed webhooks with text messages.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

function textWebhook(phoneNumberId, from, wamid, text) {
    const message = { from, id: wamid, timestamp: "1700000000", type: "text", text: { body: text } };

    return JSON.stringify({
        object: "whatsapp_business_account",
        entry: [
            {
                id: "1",
                changes: [
                    {
                        field: "messages",
                        value: {
                            messaging_product: "whatsapp",
                            metadata: { display_phone_number: "1", phone_number_id: phoneNumberId },
                            contacts: [{ profile: { name: "Ann Lee" }, wa_id: from }],
                            messages: [message],
                        },
                    },
                ],
            },
        ],
    });
}

// A function that has the customer write a text; it returns when siod has it on disk. The customer is a new one for
// each process, unless `from` says whose number it has; the same text is the same message. `url` may be a function.
export function newCustomer(url, secretFile, phoneNumberId, from = `49151${process.pid}`) {
    const secret = readFileSync(secretFile, "utf8").trimEnd();

    return async (text) => {
        const body = textWebhook(phoneNumberId, from, `wamid.${process.pid}.${text}`, text);
        const signature = "sha256=" + createHmac("sha256", secret).update(body).digest("hex");
        const answer = await fetch((typeof url === "function" ? url() : url) + "/webhook", {
            method: "POST",
            headers: { "x-hub-signature-256": signature, "content-type": "application/json" },
            body,
        });

        assert.equal(answer.status, 200);
    };
}
