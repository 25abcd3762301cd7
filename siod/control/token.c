/* `token mint` and `token verify` with the daemon's keys. Minting reads a key file and may sign
 * with RSA, so a thread does it. */
#include "libshared/token.h"

#include "libshared/alloc.h"
#include "libshared/ctl/mint.h"
#include "libshared/json.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"

struct mint {
    struct pool_job job;
    struct control_call *call;
    const struct token_config *config;
    struct buf claims;
    char *token;
    enum err err;
    struct errmsg msg;
};

static void mint_free(void *state)
{
    struct mint *mint = state;

    buf_finish(&mint->claims);
    free(mint->token);
    free(mint);
}

static void mint_run(struct pool_job *job, unsigned thread)
{
    struct mint *mint = CONTAINER_OF(job, struct mint, job);

    (void)thread;
    mint->err = token_mint(mint->config, buf_str(&mint->claims), &mint->token, &mint->msg);
}

static void mint_done(struct pool_job *job)
{
    struct mint *mint = CONTAINER_OF(job, struct mint, job);
    struct control_call *call = mint->call;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    if (mint->err != OK) {
        control_fail(call, mint->err, "%s", mint->msg.text);
        return;
    }
    buf_add_cstr(&text, "{\"token\":");
    json_add_cstr(&text, mint->token);
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

/* sioctl reads key files itself: the daemon would read them with its own rights. */
static bool names_keys(struct control_call *call)
{
    if (control_arg(call, "keyFile") == NULL && control_arg(call, "algorithm") == NULL) {
        return false;
    }
    control_fail(call, ERR_INVALID, "the daemon uses its own keys and algorithm");
    return true;
}

void control_token_mint(struct control_call *call)
{
    const struct control_config *config = control_config(call);
    struct mint *mint;

    if (names_keys(call)) {
        return;
    }
    mint = xnew(struct mint);
    mint->job = (struct pool_job) { .run = mint_run, .done = mint_done };
    mint->call = call;
    mint->config = config->token_config;
    ctl_mint_claims(call->args, mint->config->issuer, mint->config->audience,
                    loop_wall_ms(config->loop) / 1000, &mint->claims);
    call->state = mint;
    call->release = mint_free;
    control_hold(call);
    pool_submit(call->control->pool, &mint->job);
}

void control_token_verify(struct control_call *call)
{
    const struct control_config *config = control_config(call);
    autobuf struct buf text = BUF_INIT;
    struct token_claims claims;
    struct errmsg msg = { "" };
    enum err err;

    if (names_keys(call)) {
        return;
    }
    err = token_verify(config->tokens, control_arg_str(call, "token"),
                       loop_wall_ms(config->loop) / 1000, &claims, &msg);
    ctl_verdict_render(&text, err, &claims, &msg);
    control_reply(call, buf_str(&text));
}
