/* `token mint` and `token verify` with the daemon's keys. Minting reads a key file and may sign
 * with RSA, so a thread does it. It waits for the end of a second in which the user's tokens were
 * revoked: one that was made in it could not be told from those. */
#include "libshared/token.h"

#include "libshared/alloc.h"
#include "libshared/ctl/mint.h"
#include "libshared/json.h"
#include "siod/chat/message.h"
#include "siod/chat/tokens.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"

enum { MS_PER_S = 1000 };

struct mint {
    struct pool_job job;
    struct timer wait;
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

    timer_clear(&mint->wait);
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

static void mint_start(struct mint *mint)
{
    struct control_call *call = mint->call;

    ctl_mint_claims(call->args, mint->config->issuer, mint->config->audience,
                    loop_wall_ms(control_config(call)->loop) / MS_PER_S, &mint->claims);
    control_hold(call);
    pool_submit(call->control->pool, &mint->job);
}

/* The end of the second up to which the user's tokens are revoked; 0 = they are not, or the token's
 * iat is not ours to choose. */
static int64_t good_from_ms(const struct control_call *call)
{
    int64_t before_ms =
        desk_token_issued_before(control_config(call)->desk, control_arg_int(call, "business"),
                                 control_arg_int(call, "user"));
    const json_t *claim;
    size_t i;

    json_array_foreach(control_arg(call, "claim"), i, claim)
    {
        if (json_object_get(claim, "iat") != NULL) {
            return 0;
        }
    }
    return (before_ms + MS_PER_S - 1) / MS_PER_S * MS_PER_S;
}

static void mint_in_time(struct timer *timer)
{
    struct mint *mint = CONTAINER_OF(timer, struct mint, wait);
    struct control_call *call = mint->call;
    struct loop *loop = control_config(call)->loop;
    int64_t left_ms = good_from_ms(call) - loop_wall_ms(loop);

    if (left_ms <= 0) {
        mint_start(mint);
    } else if (left_ms <= MS_PER_S) {
        timer_set(loop, timer, (uint64_t)left_ms, mint_in_time);
    } else {
        control_fail(call, ERR_CONFLICT,
                     "the clock was set back: the user's tokens are revoked for %lld s to come",
                     (long long)left_ms / MS_PER_S);
    }
}

void control_token_mint(struct control_call *call)
{
    struct mint *mint;

    if (names_keys(call)) {
        return;
    }
    mint = xnew(struct mint);
    mint->job = (struct pool_job) { .run = mint_run, .done = mint_done };
    mint->call = call;
    mint->config = control_config(call)->token_config;
    call->state = mint;
    call->release = mint_free;
    mint_in_time(&mint->wait);
}

void control_token_verify(struct control_call *call)
{
    autobuf struct buf text = BUF_INIT;
    struct token_claims claims;
    struct errmsg msg = { "" };
    enum err err;

    if (names_keys(call)) {
        return;
    }
    err = desk_token_verify(control_config(call)->desk, control_arg_str(call, "token"), &claims,
                            &msg);
    ctl_verdict_render(&text, err, &claims, &msg);
    control_reply(call, buf_str(&text));
}
